import { type BulkRequest, newKey } from 'casella-client';
import { wordsOf } from '../api/service';
import { t } from '../i18n';
import { can, type Mailbox, mailbox } from './accounts';
import { countUnread, folder, loadFoldersSoon, withRole } from './folders';
import { change, hide, isFlagged, isUnread, list, reload, type Row } from './list';
import { fitsLeaving, later, notify } from './outbox';
import { changeRead, reading } from './reading';

const MOST = 1000; // messages in one request

/** One request for a thousand, with a key: a repetition does nothing twice. */
async function bulk(box: Mailbox, { ids, ...rest }: BulkRequest, isLeaving = false): Promise<void> {
  if (!ids) return bulkOf(box, rest, isLeaving);
  for (let at = 0; at < ids.length; at += MOST) await bulkOf(box, { ids: ids.slice(at, at + MOST), ...rest }, isLeaving);
}

async function bulkOf({ casella }: Mailbox, bulkRequest: BulkRequest, isLeaving: boolean): Promise<void> {
  const call = { account: 'me', bulkRequest, idempotencyKey: newKey() };
  const { results } = await casella.messages.changeMessages(call, { keepalive: isLeaving && fitsLeaving(bulkRequest) });
  const failed = results.find((one) => one.status >= 400 && one.status !== 404);
  if (failed) throw new Error(failed.problem?.detail ?? failed.problem?.title ?? String(failed.status));
}

function failed(error: unknown, restore: () => void): void {
  restore();
  notify(wordsOf(error, t().offline), true);
}

/** Rows of the list, and of what is read without being in it. */
export function rowsOf(ids: string[]): Row[] {
  const known = new Map([...(reading.value?.rows ?? []), ...list.value.rows].map((row) => [row.id, row]));
  return ids.flatMap((id) => known.get(id) ?? []);
}

function changeAll(ids: ReadonlySet<string>, by: (row: Row) => Row): void {
  change(ids, by);
  changeRead(ids, by);
}

/** Set or remove a flag at once; what fails is taken back. */
async function flag(ids: string[], name: string, isSet: boolean): Promise<void> {
  const box = mailbox();
  const wanted = new Set(ids);
  const restore = flagRows(wanted, name, isSet);
  try {
    await bulk(box, { ids, action: 'flags', ...(isSet ? { add: [name] } : { remove: [name] }) });
  } catch (error) {
    failed(error, restore);
  }
}

function flagRows(ids: ReadonlySet<string>, name: string, isSet: boolean): () => void {
  const before = new Map(rowsOf([...ids]).map((row) => [row.id, row.flags]));
  changeAll(ids, (row) => withFlag(row, name, isSet));
  return () => changeAll(ids, (row) => ({ ...row, flags: before.get(row.id) ?? row.flags }));
}

export function withFlag<T extends { flags?: string[] }>(row: T, name: string, isSet: boolean): T {
  const others = (row.flags ?? []).filter((one) => one !== name);
  return { ...row, flags: isSet ? [...others, name] : others };
}

export function star(ids: string[]): void {
  if (!can('flags')) return;
  void flag(ids, '$flagged', !rowsOf(ids).some(isFlagged));
}

export function markRead(ids: string[], isRead: boolean): void {
  if (!can('flags')) return;
  const changed = rowsOf(ids).filter((row) => isUnread(row) === isRead);
  if (!changed.length) return;
  for (const row of changed) countUnread(row.folderId, isRead ? -1 : 1);
  void flag(changed.map((row) => row.id), '$seen', isRead);
}

/** Mark all of the folder as read, in one request, after a while. */
export function markAllRead(): void {
  const shown = folder.value;
  if (!shown || !can('flags')) return;
  const box = mailbox();
  const unread = list.value.rows.filter(isUnread).map((row) => row.id);
  const restoreRows = flagRows(new Set(unread), '$seen', true);
  const count = shown.unreadMessages ?? 0;
  countUnread(shown.id, -count);
  const restore = (): void => {
    restoreRows();
    countUnread(shown.id, count);
  };
  const request: BulkRequest = { folderId: shown.id, filter: { unread: true }, action: 'flags', add: ['$seen'] };
  const commit = async (isLeaving: boolean): Promise<void> => {
    await bulk(box, request, isLeaving).catch((error: unknown) => failed(error, restore));
    loadFoldersSoon();
  };
  later(t().allRead, commit, restore);
}

/** Move messages out of the list, after a while. */
export function move(ids: string[], folderId: string, label: string): void {
  if (!can('move')) return;
  takeAway(ids, label, (isLeaving, box) => bulk(box, { ids, action: 'move', folderId }, isLeaving));
}

/** Move messages to a folder of another account, after a while. */
export function moveAway(ids: string[], to: Mailbox, folderId: string, label: string): void {
  const into = { token: to.casella.token, folderId };
  takeAway(ids, label, (isLeaving, box) => bulk(box, { ids, action: 'move', into }, isLeaving));
}

export function archive(ids: string[]): void {
  const target = withRole('archive') ?? withRole('all');
  if (target && target.id !== folder.value?.id) move(ids, target.id, t().archived(ids.length));
}

/** To the trash; for good if there is none, or from the trash. */
export function discard(ids: string[]): void {
  const trash = withRole('trash');
  const isForGood = !can('move') || !trash || folder.value?.id === trash.id;
  if (!isForGood) return move(ids, trash.id, t().trashed(ids.length));
  takeAway(ids, t().deleted(ids.length), (isLeaving, box) => bulk(box, { ids, action: 'delete' }, isLeaving));
}

export function canArchive(): boolean {
  const target = withRole('archive') ?? withRole('all');
  return can('move') && Boolean(target) && target?.id !== folder.value?.id;
}

function takeAway(ids: string[], label: string, request: (isLeaving: boolean, box: Mailbox) => Promise<void>): void {
  const box = mailbox();
  const unread = rowsOf(ids).filter(isUnread);
  for (const row of unread) countUnread(row.folderId, -1);
  const settle = hide(ids);
  const restore = (): void => {
    settle(false);
    for (const row of unread) countUnread(row.folderId, 1);
  };
  const commit = async (isLeaving: boolean): Promise<void> => {
    try {
      await request(isLeaving, box);
      settle(true);
    } catch (error) {
      failed(error, restore);
      void reload();
    }
    loadFoldersSoon();
  };
  later(label, commit, restore);
}

const SEEN_AFTER = 300; // ms: a conversation that opens is one request
let seen: { box: Mailbox; ids: Set<string>; timer: ReturnType<typeof setTimeout> } | undefined;

/** Messages that were opened are read. No word of it if that fails: the next time will do. */
export function markSeen(messages: Row[]): void {
  const ids = messages.filter((one) => !one.flags?.includes('$seen')).map((one) => one.id);
  if (!ids.length || !can('flags')) return;
  for (const row of rowsOf(ids).filter(isUnread)) countUnread(row.folderId, -1);
  flagRows(new Set(ids), '$seen', true);
  if (seen && seen.box.id !== mailbox().id) sendSeen();
  seen ??= { box: mailbox(), ids: new Set(), timer: setTimeout(sendSeen, SEEN_AFTER) };
  for (const id of ids) seen.ids.add(id);
}

function sendSeen(isLeaving = false): void {
  if (!seen) return;
  const { box, ids, timer } = seen;
  seen = undefined;
  clearTimeout(timer);
  void bulk(box, { ids: [...ids], action: 'flags', add: ['$seen'] }, isLeaving).then(loadFoldersSoon, () => undefined);
}

addEventListener('pagehide', () => sendSeen(true));
