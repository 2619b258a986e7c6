import { signal } from '@preact/signals';
import { isProblem, SERVICE, visitor } from '../api/service';
import { askAbout, current, isSessionEnd, type Mailbox, mailboxes } from './accounts';
import { folder, loadFoldersSoon } from './folders';
import { included, list, put, reload, remove } from './list';
import { route } from './route';

interface Change {
  accountId: string;
  folderId: string;
  created: string[];
  updated: string[];
  destroyed: string[];
}

export const isOnline = signal(navigator.onLine);
/** Called with what is new in an inbox: the place for notifications. */
export const onArrival = signal<(accountId: string, ids: string[]) => void>(() => undefined);
const AGAIN = 3000; // ms before a stream is opened again; up to a minute if it goes on
const LONGEST = 60_000;
const MOST = 100; // ids in one request
const LOOK = 30_000; // ms between two looks at a mailbox without push
const tokens = new Map<string, string>();
let stream: EventSource | undefined;
let position = '';
let failures = 0;
let attempt = 0;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Listen to all accounts on one connection. Called again if the accounts change. */
export async function listen(): Promise<void> {
  stop();
  const mine = attempt;
  const able = mailboxes.value.filter(hasPush);
  if (!able.length) return;
  try {
    const tokens = able.map(({ casella }) => casella.token ?? '');
    const { ticket, accounts } = await visitor.changes.createEventTicket({ newEventTicket: { tokens } });
    if (mine !== attempt) return; // a newer one is on its way: two streams would take two connections
    attach(new URLSearchParams({ ticket, ...(position && { since: position }) }));
    accounts.forEach(({ problem }, at) => problem && void askAbout(able[at]!.id));
  } catch (error) {
    if (mine !== attempt) return;
    if (isSessionEnd(error)) able.forEach(({ id }) => void askAbout(id));
    again();
  }
}

export function stop(): void {
  attempt++;
  clearTimeout(timer);
  stream?.close();
  stream = undefined;
}

function hasPush({ account }: Mailbox): boolean {
  return account?.capabilities.includes('push') ?? false;
}

function attach(query: URLSearchParams): void {
  const opened = (stream = new EventSource(`${SERVICE}/v1/events?${query}`));
  const on = (type: string, act: (data: Change) => void): void =>
    opened.addEventListener(type, (event: MessageEvent<string>) => {
      if (stream !== opened) return;
      position = event.lastEventId || position;
      failures = 0;
      isOnline.value = true;
      act(JSON.parse(event.data) as Change);
    });
  on('ping', () => undefined);
  on('change', (data) => void applied(data));
  on('folders', () => loadFoldersSoon());
  on('resync', () => void catchUp());
  on('ended', ({ accountId }) => void askAbout(accountId));
  opened.onerror = () => {
    if (stream !== opened || opened.readyState !== EventSource.CLOSED) return;
    again(); // the ticket is too old by now
  };
}

function again(): void {
  stop();
  timer = setTimeout(() => void listen(), Math.min(LONGEST, AGAIN * 2 ** failures++));
}

/** Mailboxes without push are asked what changed, while they are looked at. */
setInterval(() => {
  const box = current.value;
  if (box?.account && !hasPush(box) && document.visibilityState === 'visible') void look(box);
}, LOOK);

async function look(box: Mailbox): Promise<void> {
  const { changes } = box.casella;
  try {
    const page = await changes.listAccountChanges({ account: 'me', since: tokens.get(box.id) });
    tokens.set(box.id, page.token);
    for (const { folderId, created, updated, destroyed, resync } of page.folders ?? []) {
      if (resync) void catchUp();
      else void applied({ accountId: box.id, folderId, created, updated, destroyed });
    }
  } catch (error) {
    if (!isProblem(error, 'stale-token')) return;
    tokens.delete(box.id);
    void catchUp();
  }
}

/** Read what is shown again. */
export async function catchUp(): Promise<void> {
  if (!current.value) return;
  loadFoldersSoon();
  if (route.value.query) return;
  await reload();
}

async function applied({ accountId, folderId, created, updated, destroyed }: Change): Promise<void> {
  if (created.length) onArrival.value(accountId, created);
  if (accountId !== current.value?.id) return;
  loadFoldersSoon();
  remove(new Set(destroyed));
  const { name, rows } = list.value;
  const known = new Set(rows.map((row) => row.id));
  const isHere = folder.value?.id === folderId && !route.value.query;
  const oldest = Number(rows[rows.length - 1]?.receivedAt ?? 0);
  const wanted = [...(isHere ? created : []), ...updated.filter((id) => known.has(id))];
  if (wanted.length > 5 * MOST) return reload();
  for (let at = 0; at < wanted.length; at += MOST) {
    const ask = { account: 'me', id: wanted.slice(at, at + MOST), include: included() };
    const { items } = await current.value.casella.messages.getMessages(ask).catch(() => ({ items: [] }));
    if (list.value.name !== name) return;
    put(items.filter((row) => known.has(row.id) || !list.value.cursor || Number(row.receivedAt) >= oldest));
  }
}


addEventListener('online', () => {
  isOnline.value = true;
  failures = 0;
  void listen(); // continues after the last event
  if (list.value.error) void catchUp();
});
addEventListener('offline', () => (isOnline.value = false));
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible' && !stream && mailboxes.value.some(hasPush)) void listen();
});
