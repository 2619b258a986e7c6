import { Archive, CornerUpLeft, Paperclip, Star, Trash2 } from 'lucide';
import { t } from '../i18n';
import { nameOf, shortTime } from '../i18n/values';
import { archive, canArchive, discard, star } from '../state/actions';
import { can } from '../state/accounts';
import type { Conversation } from '../state/conversations';
import { isFlagged, isOutgoing, isUnread, type Row } from '../state/list';
import { route } from '../state/route';
import { focused, opened, select, selected } from '../state/selection';
import { Avatar } from './Avatar';
import { Icon, IconButton } from './Icon';

interface Props {
  conversation: Conversation;
  top: number;
  position: number;
  count: number;
}

export function MessageRow({ conversation, top, position, count }: Props) {
  const { key, rows } = conversation;
  const newest = rows[0]!;
  const states = [
    rows.some(isUnread) && 'unread',
    selected.value.has(key) && 'selected',
    focused.value === key && 'focused',
    opened()?.key === key && 'current',
    rows.some((row) => row.hasAttachment) && 'has-clip',
  ];
  return (
    <li
      class={['row', ...states].filter(Boolean).join(' ')}
      style={{ transform: `translateY(${top}px)` }}
      aria-posinset={position}
      aria-setsize={count}
    >
      <Tick conversation={conversation} />
      <Words conversation={conversation} newest={newest} />
      <Marks conversation={conversation} />
    </li>
  );
}

/** The avatar is a box to tick. */
function Tick({ conversation: { key, rows } }: { conversation: Conversation }) {
  const who = whoOf(rows[0]!);
  const label = `${t().select}: ${who.name}, ${rows[0]!.subject || t().noSubject}`;
  return (
    <label class="tick">
      <input type="checkbox" aria-label={label} checked={selected.value.has(key)} onChange={() => select(key)} />
      <Avatar name={who.name} seed={who.email} />
      <span class="ticked" aria-hidden="true" />
    </label>
  );
}

function whoOf(row: Row): { name: string; email: string } {
  const address = isOutgoing(row.folderId) ? row.to?.[0] : row.from?.[0];
  return { name: nameOf(address), email: address?.email ?? '' };
}

/** Who wrote in a conversation, each once, the oldest first. */
function authorsOf(rows: Row[]): string {
  if (isOutgoing(rows[0]!.folderId)) return t().toList((rows[0]!.to ?? []).map(nameOf).join(', '));
  const names = rows.map((row) => nameOf(row.from?.[0])).reverse();
  const once = [...new Set(names)];
  return once.length > 1 ? once.map((name) => name.split(' ')[0]).join(', ') : once[0]!;
}

function Words({ conversation: { rows }, newest }: { conversation: Conversation; newest: Row }) {
  const { folder, query } = route.value;
  const search = query ? `?${new URLSearchParams({ q: query })}` : '';
  const states = [rows.some(isUnread) && t().unread, rows.some(isFlagged) && t().starred, newest.hasAttachment && t().hasAttachment];
  return (
    <a class="words" href={`#/${encodeURIComponent(folder)}/${newest.id}${search}`}>
      <span class="line">
        <bdi class="who">{authorsOf(rows)}</bdi>
        {rows.length > 1 && <span class="number">{rows.length}</span>}
        <time dateTime={newest.receivedAt?.toISOString()}>{shortTime(newest.receivedAt)}</time>
      </span>
      <span class="subject" dir="auto">
        {newest.flags?.includes('$answered') && <Icon of={CornerUpLeft} />}
        {newest.subject || t().noSubject}
      </span>
      <span class="preview" dir="auto">
        {newest.preview}
      </span>
      <span class="visually-hidden">{states.filter(Boolean).join(', ')}</span>
    </a>
  );
}

function Marks({ conversation: { rows } }: { conversation: Conversation }) {
  const ids = rows.map((row) => row.id);
  const isStarred = rows.some(isFlagged);
  return (
    <span class="marks">
      <span class="quick">
        {canArchive() && <IconButton of={Archive} label={t().archive} onClick={() => archive(ids)} />}
        <IconButton of={Trash2} label={t().delete} onClick={() => discard(ids)} />
      </span>
      {rows.some((row) => row.hasAttachment) && <Icon of={Paperclip} className="clip" />}
      {can('flags') && (
        <IconButton
          of={Star}
          label={isStarred ? t().unstar : t().star}
          className={isStarred ? 'star on' : 'star'}
          isPressed={isStarred}
          onClick={() => star(isStarred ? rows.filter(isFlagged).map((row) => row.id) : [ids[0]!])}
        />
      )}
    </span>
  );
}
