import { useRef, useState } from 'preact/hooks';

const SOON = 120; // ms after the last key

/** The behaviour of a field with a list of suggestions (WAI-ARIA combobox). */
export function useOptions<T>(name: string, take: (option: T) => void) {
  const [options, setOptions] = useState<T[]>([]);
  const [active, setActive] = useState(-1);
  const asked = useRef(0);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);

  const show = (next: T[]): void => {
    setOptions(next);
    setActive(-1);
  };
  const close = (): void => {
    asked.current++;
    clearTimeout(timer.current);
    show([]);
  };
  /** Show what `find` finds, unless something else is asked meanwhile. */
  const ask = (find: () => Promise<T[]>): void => {
    const mine = ++asked.current;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      void find().then((found) => mine === asked.current && show(found));
    }, SOON);
  };
  const choose = (at: number): boolean => {
    const one = options[at];
    if (one === undefined) return false;
    close();
    take(one);
    return true;
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.isComposing) return; // the key is for the input method
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && options.length) {
      setActive((active + step + options.length) % options.length);
      event.preventDefault();
    } else if (event.key === 'Enter' && choose(active)) {
      event.preventDefault();
    } else if (event.key === 'Escape' && options.length) {
      close();
      event.stopPropagation();
    }
  };
  return {
    options,
    ask,
    close,
    choose,
    field: {
      role: 'combobox' as const,
      'aria-expanded': options.length > 0,
      'aria-controls': options.length ? `${name}-options` : undefined,
      'aria-autocomplete': 'list' as const,
      'aria-activedescendant': active >= 0 ? `${name}-option-${active}` : undefined,
      onKeyDown,
      onBlur: close,
    },
    list: { id: `${name}-options`, role: 'listbox' as const },
    option: (at: number) => ({
      id: `${name}-option-${at}`,
      role: 'option' as const,
      'aria-selected': at === active,
      onPointerDown: (event: Event) => {
        event.preventDefault(); // the field keeps the focus
        choose(at);
      },
    }),
  };
}
