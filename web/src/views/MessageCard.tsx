import type { Message } from 'casella-client';
import { Forward, Paperclip, Pencil, Reply, ReplyAll } from 'lucide';
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import { longTime, nameOf, namesOf, shortTime } from '../i18n/values';
import { can, mailbox } from '../state/accounts';
import type { Row } from '../state/list';
import { toggle } from '../state/reader';
import { reading } from '../state/reading';
import { continueDraft, reply } from '../state/writing/answers';
import { Attachments } from './Attachments';
import { Avatar } from './Avatar';
import { Body } from './Body';
import { Icon, IconButton } from './Icon';

interface Props {
  row: Row;
  message?: Message;
  isOpen: boolean;
  isOnly: boolean;
}

/** A message of a conversation: folded to a line, or whole. */
export function MessageCard({ row, message, isOpen, isOnly }: Props) {
  const from = row.from?.[0];
  const opened = reading.value?.id === row.id ? ' opened' : '';
  if (!isOpen) return <Folded row={row} />;
  return (
    <article class={`card${opened}`} aria-label={`${nameOf(from)}, ${shortTime(row.receivedAt)}`}>
      <header onClick={isOnly ? undefined : (event) => isBare(event) && toggle(row.id)}>
        <Avatar name={nameOf(from)} seed={from?.email ?? ''} />
        <div class="people">
          <bdi class="who">{nameOf(from)}</bdi>
          {from?.name && <bdi class="email">{from.email}</bdi>}
          <Recipients row={row} message={message} />
        </div>
        <time dateTime={row.receivedAt?.toISOString()} title={longTime(row.receivedAt)}>
          {shortTime(row.receivedAt)}
        </time>
        <Answers row={row} />
      </header>
      {message ? <Body message={message} /> : <div class="body-skeleton" role="status" aria-label={t().loading} />}
      {message && message.attachments.length > 0 && <Attachments message={message} />}
      {message && opened && can('send') && can('append') && <AnswerBar row={row} message={message} />}
    </article>
  );
}

/** A click on nothing in particular. */
function isBare(event: Event): boolean {
  return !(event.target as Element).closest('button,details,a') && !getSelection()?.toString();
}

function Folded({ row }: { row: Row }) {
  const from = row.from?.[0];
  return (
    <button type="button" class="card folded" aria-expanded="false" onClick={() => toggle(row.id)}>
      <Avatar name={nameOf(from)} seed={from?.email ?? ''} />
      <bdi class="who">{nameOf(from)}</bdi>
      <span class="preview" dir="auto">
        {row.preview}
      </span>
      {row.hasAttachment && <Icon of={Paperclip} />}
      <time dateTime={row.receivedAt?.toISOString()}>{shortTime(row.receivedAt)}</time>
    </button>
  );
}

function Recipients({ row, message }: { row: Row; message?: Message }) {
  const own = mailbox().username;
  const all = [...(row.to ?? []), ...(message?.cc ?? [])];
  return (
    <details class="recipients">
      <summary title={t().showMore}>
        <bdi>{t().toList(namesOf(all.slice(0, 3), own) + (all.length > 3 ? ` +${all.length - 3}` : ''))}</bdi>
      </summary>
      <dl>
        <Line term={t().from} people={row.from} />
        <Line term={t().to} people={row.to} />
        <Line term={t().cc} people={message?.cc} />
        <Line term={t().bcc} people={message?.bcc} />
        <div>
          <dt>{t().details}</dt>
          <dd>{longTime(row.sentAt ?? row.receivedAt)}</dd>
        </div>
      </dl>
    </details>
  );
}

function Line({ term, people = [] }: { term: string; people?: Row['from'] }) {
  if (!people.length) return null;
  return (
    <div>
      <dt>{term}</dt>
      <dd>
        {people.map(({ name, email }) => (
          <bdi key={email}>{name ? `${name} <${email}>` : email}</bdi>
        ))}
      </dd>
    </div>
  );
}

/** The usual answer beside the time. */
function Answers({ row }: { row: Row }) {
  if (!can('send') || !can('append')) return null;
  if (row.flags?.includes('$draft')) {
    return <IconButton of={Pencil} label={t().draft} onClick={() => void continueDraft(row.id)} />;
  }
  return <IconButton of={Reply} label={t().reply} keys="r" className="mirrored" onClick={() => void reply(row.id, 'reply')} />;
}

function AnswerBar({ row, message }: { row: Row; message: Message }) {
  const [isBusy, setBusy] = useState(false);
  if (row.flags?.includes('$draft')) return null;
  const answer = (kind: 'reply' | 'all' | 'forward') => () => {
    setBusy(true);
    void reply(row.id, kind).finally(() => setBusy(false));
  };
  const isSeveral = message.to.length + message.cc.length > 1;
  return (
    <footer class="answers" aria-busy={isBusy}>
      <button type="button" class="secondary" disabled={isBusy} onClick={answer('reply')}>
        <Icon of={Reply} className="mirrored" />
        {t().reply}
      </button>
      {isSeveral && (
        <button type="button" class="secondary" disabled={isBusy} onClick={answer('all')}>
          <Icon of={ReplyAll} className="mirrored" />
          {t().replyAll}
        </button>
      )}
      <button type="button" class="secondary" disabled={isBusy} onClick={answer('forward')}>
        <Icon of={Forward} className="mirrored" />
        {t().forward}
      </button>
    </footer>
  );
}
