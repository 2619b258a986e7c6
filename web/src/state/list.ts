import { computed, signal } from '@preact/signals';
import { type MessageSummary, type Page, PageFromJSON } from 'casella-client';
import { recall, remember } from '../storage/seen';
import { can, type Mailbox, mailbox } from './accounts';
import { conversationsOf } from './conversations';
import { folder, folderOf } from './folders';
import { preferences } from './preferences';
import { route } from './route';

export type Row = MessageSummary;

export interface List {
  /** What it is a list of: another name is another list. */
  name: string;
  rows: Row[];
  cursor?: string;
  total?: number;
  state: 'loading' | 'more' | 'ready';
  error?: unknown;
}

const FIRST = 50;
const NEXT = 200;
const KEPT_ROWS = 100;
const EMPTY: List = { name: '', rows: [], state: 'loading' };

export const list = signal<List>(EMPTY);
/** Rows that are on their way out: not shown, and back if that is undone. */
const hidden = signal<ReadonlySet<string>>(new Set());
export const rows = computed(() => list.value.rows.filter((row) => !hidden.value.has(row.id)));
export const conversations = computed(() => conversationsOf(rows.value, preferences.value.conversations));

/** Name the list of a route. */
function nameOf(id: string, folderName: string, query?: string): string {
  return `${id}/list/${folderName}/${query ?? ''}`;
}

/** Show the list of the route; at once if it was seen before. */
export async function openList(): Promise<void> {
  const { id } = mailbox();
  const name = nameOf(id, route.value.folder, route.value.query);
  if (list.value.name !== name) {
    list.value = { ...EMPTY, name };
    void showSeen(name, id);
  }
  await reload();
}

/** Read the first page again, and show it in place of what is there. */
export async function reload(): Promise<void> {
  const { name } = list.value;
  const box = mailbox();
  try {
    const page = await pageOf(box, FIRST);
    if (list.value.name !== name) return;
    list.value = { name, rows: page.items, cursor: page.nextCursor, total: page.total, state: 'ready' };
    if (!route.value.query) void remember(box.id, name, { items: page.items.slice(0, KEPT_ROWS), total: page.total });
  } catch (error) {
    if (list.value.name === name) list.value = { ...list.value, state: 'ready', error };
  }
}

/** Read the next page, if there is one and none is being read. */
export async function loadMore(): Promise<void> {
  const { name, cursor, state, error } = list.value;
  if (!cursor || state !== 'ready' || error) return; // a page that failed is not asked for again by itself
  list.value = { ...list.value, state: 'more' };
  try {
    const page = await pageOf(mailbox(), NEXT, cursor);
    if (list.value.name !== name) return;
    const known = new Set(list.value.rows.map((row) => row.id));
    const fresh = page.items.filter((row) => !known.has(row.id));
    list.value = { ...list.value, rows: [...list.value.rows, ...fresh], cursor: page.nextCursor, state: 'ready' };
  } catch (error) {
    if (list.value.name === name) list.value = { ...list.value, state: 'ready', error };
  }
}

/** What is added to the usual row, as far as the mailbox has it and it is shown. */
export function included(): string | undefined {
  const wanted = [can('threads') && 'threadId', preferences.value.density === 'comfortable' && 'preview'];
  return wanted.filter(Boolean).join(',') || undefined;
}

async function pageOf(box: Mailbox, limit: number, cursor?: string): Promise<Page> {
  const { query } = route.value;
  const { messages } = box.casella;
  const account = 'me';
  if (query && can('search') && !folder.value?.role?.match(/^(trash|junk)$/)) {
    return messages.searchMessages({ account, searchRequest: { q: query, limit, cursor, include: included() } });
  }
  return messages.listMessages({ account, folder: route.value.folder, limit, cursor, q: query, include: included() });
}

async function showSeen(name: string, id: string): Promise<void> {
  const seen = await recall<object>(id, name);
  if (!seen || list.value.name !== name || list.value.rows.length) return;
  const { items, total } = PageFromJSON(seen);
  list.value = { ...list.value, rows: items, total };
}

/** Change rows in place. */
export function change(ids: ReadonlySet<string>, by: (row: Row) => Row): void {
  list.value = { ...list.value, rows: list.value.rows.map((row) => (ids.has(row.id) ? by(row) : row)) };
}

/** Hide rows that are on their way out. `isGone`: they are, and never come back. */
export function hide(ids: string[]): (isGone: boolean) => void {
  hidden.value = new Set([...hidden.value, ...ids]);
  return (isGone) => {
    if (isGone) remove(new Set(ids));
    hidden.value = new Set([...hidden.value].filter((id) => !ids.includes(id)));
  };
}

/** Take rows out of the list that are gone. */
export function remove(ids: ReadonlySet<string>): void {
  const left = list.value.rows.filter((row) => !ids.has(row.id));
  const { total, rows: before } = list.value;
  list.value = { ...list.value, rows: left, total: total === undefined ? total : total - (before.length - left.length) };
}

/** Put rows where their time says. Rows that are there are replaced. */
export function put(fresh: Row[]): void {
  const known = new Map(list.value.rows.map((row) => [row.id, row]));
  const added = fresh.filter((row) => !known.has(row.id)).length;
  for (const row of fresh) known.set(row.id, row);
  const sorted = [...known.values()].sort((a, b) => Number(b.receivedAt ?? 0) - Number(a.receivedAt ?? 0));
  const total = list.value.total;
  list.value = { ...list.value, rows: sorted, total: total === undefined ? total : total + added };
}

export function isFlagged(row: Row): boolean {
  return row.flags?.includes('$flagged') ?? false;
}

export function isUnread(row: Row): boolean {
  return !(row.flags?.includes('$seen') ?? false);
}

/** Whether the list is of outgoing mail, so that recipients are shown in place of senders. */
export function isOutgoing(id: string): boolean {
  return ['sent', 'drafts'].includes(folderOf(id)?.role ?? '');
}
