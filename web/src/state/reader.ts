import { effect } from '@preact/signals';
import { type Message, MessageFromJSON, MessageSummaryFromJSON } from 'casella-client';
import { recall, remember } from '../storage/seen';
import { markSeen } from './actions';
import { can, currentId, type Mailbox, mailbox } from './accounts';
import { folderOf } from './folders';
import { isUnread, list, type Row } from './list';
import { preferences } from './preferences';
import { type Reading, reading } from './reading';

const MOST_BODIES = 30;

/** Open a message and its conversation. */
export async function openMessage(id: string): Promise<void> {
  if (reading.value?.id === id) return;
  const box = mailbox();
  const known = list.value.rows.find((row) => row.id === id);
  reading.value = { id, rows: known ? [known] : [], open: new Set([id]), bodies: new Map() };
  await Promise.all([loadBody(box, id), loadConversation(box, id, known)]);
}

export function closeMessage(): void {
  reading.value = undefined;
}

/** What one account has opened is not shown to the next. */
effect(() => {
  void currentId.value;
  closeMessage();
});

/** Show or fold a message of the conversation. */
export function toggle(id: string): void {
  const now = reading.value;
  if (!now) return;
  const open = new Set(now.open);
  if (!open.delete(id)) open.add(id);
  reading.value = { ...now, open };
  if (open.has(id)) void loadBody(mailbox(), id);
}

function update(id: string, by: (now: Reading) => Reading): void {
  if (reading.value?.id === id) reading.value = by(reading.value);
}

async function loadBody(box: Mailbox, id: string): Promise<void> {
  const opened = reading.value?.id;
  if (!opened || reading.value?.bodies.has(id)) return;
  const name = `message/${id}`;
  try {
    const seen = await recall<object>(box.id, name);
    if (seen) showBody(opened, MessageFromJSON(seen));
    const message = await box.casella.messages.getMessage({ account: 'me', message: id });
    showBody(opened, message);
    void remember(box.id, name, message);
    markSeen([message]);
  } catch (error) {
    update(opened, (now) => (now.bodies.has(id) ? now : { ...now, error }));
  }
}

function showBody(opened: string, message: Message): void {
  update(opened, (now) => {
    const bodies = new Map([...now.bodies, [message.id, message] as const].slice(-MOST_BODIES));
    const rows = now.rows.length ? now.rows : [message as Row];
    return { ...now, bodies, rows, error: undefined };
  });
}

async function loadConversation(box: Mailbox, id: string, row: Row | undefined): Promise<void> {
  if (!can('threads') || !preferences.value.conversations) return;
  const thread = row?.threadId ?? (await threadOf(box, id));
  if (!thread) return;
  const name = `thread/${thread}`;
  const seen = await recall<{ items: object[] }>(box.id, name);
  if (seen) showRows(id, seen.items.map(MessageSummaryFromJSON));
  try {
    const { items } = await box.casella.messages.listThread({ account: 'me', thread, include: 'preview,threadId' });
    showRows(id, items);
    void remember(box.id, name, { items });
    for (const unread of items.filter((one) => isUnread(one) && isShown(one, id))) open(unread.id);
  } catch {
    // the message itself is shown
  }
}

async function threadOf({ casella }: Mailbox, id: string): Promise<string | undefined> {
  const asked = { account: 'me', id: [id], include: 'threadId' };
  const found = await casella.messages.getMessages(asked).catch(() => undefined);
  return found?.items[0]?.threadId;
}

function open(id: string): void {
  if (!reading.value?.open.has(id)) toggle(id);
}

function showRows(id: string, rows: Row[]): void {
  update(id, (now) => {
    const here = rows.find((one) => one.id === id) ?? now.rows.find((one) => one.id === id);
    const others = rows.filter((one) => one.id !== id && isShown(one, id) && !isCopy(one, here));
    const all = here ? [...others, here] : others;
    return { ...now, rows: all.sort((a, b) => Number(a.receivedAt ?? 0) - Number(b.receivedAt ?? 0)) };
  });
}

/** What was thrown away is not part of what one reads, unless one reads it there. */
function isShown(row: Row, id: string): boolean {
  return row.id === id || !['trash', 'junk'].includes(folderOf(row.folderId)?.role ?? '');
}

/** The same message in another folder. */
function isCopy(row: Row, of: Row | undefined): boolean {
  return Boolean(of?.messageId) && row.messageId === of?.messageId;
}
