import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { conversations, list, loadMore } from '../state/list';
import { preferences } from '../state/preferences';
import { focused } from '../state/selection';
import { MessageRow } from './MessageRow';

const MORE = 6; // rows beyond what is seen
const AHEAD = 30; // rows before the end at which the next page is read

/** Only what is seen is in the tree, however long the list is. */
export function VirtualList() {
  const box = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ top: 0, height: innerHeight });
  const all = conversations.value;
  const row = useRowHeight(box);
  const from = Math.max(0, Math.floor(seen.top / row) - MORE);
  const to = Math.min(all.length, Math.ceil((seen.top + seen.height) / row) + MORE);

  useEffect(() => {
    const element = box.current!;
    const measure = (): void => setSeen({ top: element.scrollTop, height: element.clientHeight });
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    element.addEventListener('scroll', measure, { passive: true });
    return () => {
      watch.disconnect();
      element.removeEventListener('scroll', measure);
    };
  }, []);
  useEffect(() => {
    if (to > all.length - AHEAD) void loadMore();
  }, [to, all.length, list.value.state]);
  useFollow(box, row);

  return (
    <div class="rows" id="list" ref={box} tabIndex={-1}>
      <ul style={{ height: `${all.length * row}px` }} aria-label={t().messages}>
        {all.slice(from, to).map((one, at) => (
          <MessageRow key={one.key} conversation={one} top={(from + at) * row} position={from + at + 1} count={all.length} />
        ))}
      </ul>
      {list.value.state === 'more' && <p class="more">{t().loading}</p>}
    </div>
  );
}

/** The height of a row, as the style sheet has it. */
function useRowHeight(box: { current: HTMLElement | null }): number {
  const [height, setHeight] = useState(80);
  const { density } = preferences.value;
  useLayoutEffect(() => {
    const read = (): void => {
      const text = getComputedStyle(box.current!).getPropertyValue('--row');
      const root = parseFloat(getComputedStyle(document.documentElement).fontSize);
      setHeight(Math.round(parseFloat(text) * root) || 80);
    };
    read();
    addEventListener('resize', read);
    return () => removeEventListener('resize', read);
  }, [density]);
  return height;
}

/** Scroll to the row that keys move to. */
function useFollow(box: { current: HTMLElement | null }, row: number): void {
  const key = focused.value;
  useEffect(() => {
    const at = conversations.value.findIndex((one) => one.key === key);
    const element = box.current;
    if (at < 0 || !element) return;
    const [top, bottom] = [at * row, (at + 1) * row];
    if (top < element.scrollTop) element.scrollTop = top;
    else if (bottom > element.scrollTop + element.clientHeight) element.scrollTop = bottom - element.clientHeight;
  }, [key]);
}
