import { Archive, ArrowLeft, ChevronDown, ChevronUp, FolderInput, Mail, MailOpen, RefreshCw, Star, Trash2 } from 'lucide';
import { useEffect, useRef } from 'preact/hooks';
import { isProblem, wordsOf } from '../api/service';
import { t } from '../i18n';
import { archive, canArchive, discard, markRead, rowsOf, star } from '../state/actions';
import { can } from '../state/accounts';
import { act } from '../state/keys';
import { isFlagged } from '../state/list';
import { openMessage } from '../state/reader';
import { reading } from '../state/reading';
import { go, goToList, route } from '../state/route';
import { neighbour, targets } from '../state/selection';
import { FolderPicker } from './FolderPicker';
import { Icon, IconButton } from './Icon';
import { MessageCard } from './MessageCard';

export function Reader() {
  const now = reading.value;
  return (
    <section class="reader" aria-label={t().message}>
      {now ? <Conversation key={now.id} /> : <Nothing />}
    </section>
  );
}

function Nothing() {
  return (
    <div class="nothing">
      <Icon of={MailOpen} />
      <h2>{t().choose}</h2>
      <p class="with-keyboard">{t().chooseLead}</p>
    </div>
  );
}

function Conversation() {
  const { rows, open, bodies, id, error } = reading.value!;
  const here = rows.find((row) => row.id === id) ?? rows[0];
  const scroller = useRef<HTMLDivElement>(null);
  useScrollToOpened(scroller, rows.length);
  useFocus(scroller, id);
  return (
    <>
      <Tools />
      <div class="conversation" ref={scroller} tabIndex={-1}>
        <h1 dir="auto">{here ? here.subject || t().noSubject : ''}</h1>
        {rows.map((row) => (
          <MessageCard key={row.id} row={row} message={bodies.get(row.id)} isOpen={open.has(row.id)} isOnly={rows.length === 1} />
        ))}
        {error !== undefined && <Failed error={error} id={id} />}
      </div>
    </>
  );
}

function Failed({ error, id }: { error: unknown; id: string }) {
  const again = (): void => {
    reading.value = undefined;
    void openMessage(id);
  };
  return (
    <div class="nothing" role="alert">
      <h2>{wordsOf(error, t().offline)}</h2>
      {!isProblem(error, 'not-found') && (
        <button type="button" class="secondary" onClick={again}>
          <Icon of={RefreshCw} />
          {t().retry}
        </button>
      )}
    </div>
  );
}

/** If the list gives way to the message, so does the focus; and back again. */
function useFocus(scroller: { current: HTMLElement | null }, id: string): void {
  useEffect(() => {
    const hasList = (): boolean => Boolean(document.querySelector('.list-pane')?.checkVisibility());
    const isAlone = !hasList();
    if (isAlone && !document.querySelector('.composer')) scroller.current?.focus({ preventScroll: true });
    return () => {
      if (!isAlone) return;
      setTimeout(() => hasList() && document.querySelector<HTMLElement>(`.row a[href*="${CSS.escape(id)}"]`)?.focus({ preventScroll: true }));
    };
  }, []);
}

/** Long conversations begin at what was opened. */
function useScrollToOpened(scroller: { current: HTMLElement | null }, count: number): void {
  useEffect(() => {
    const opened = scroller.current?.querySelector<HTMLElement>('.card.opened');
    if (opened && count > 1) scroller.current!.scrollTop = opened.offsetTop - 64;
  }, [count]);
}

/** What can be done with the conversation. */
function Tools() {
  const ids = targets();
  const isStarred = rowsOf(ids).some(isFlagged);
  const step = (by: number) => () => {
    const next = neighbour(by);
    if (next) go({ ...route.value, message: next.rows[0]!.id });
  };
  const unread = (): void => {
    goToList();
    markRead(ids.slice(0, 1), false);
  };
  return (
    <header class="bar tools">
      <IconButton of={ArrowLeft} label={t().back} keys="u" onClick={goToList} className="mirrored back" />
      {canArchive() && <IconButton of={Archive} label={t().archive} keys="e" onClick={() => act(archive)} />}
      <IconButton of={Trash2} label={t().delete} keys="#" onClick={() => act(discard)} />
      {can('flags') && <IconButton of={Mail} label={t().markUnread} keys="Shift+U" onClick={unread} />}
      {can('move') && <FolderPicker of={FolderInput} />}
      {can('flags') && (
        <IconButton
          of={Star}
          label={isStarred ? t().unstar : t().star}
          keys="s"
          className={isStarred ? 'star on' : 'star'}
          isPressed={isStarred}
          onClick={() => star(ids)}
        />
      )}
      <span class="grow" />
      <IconButton of={ChevronUp} label={t().newer} keys="k" onClick={step(-1)} />
      <IconButton of={ChevronDown} label={t().older} keys="j" onClick={step(1)} />
    </header>
  );
}
