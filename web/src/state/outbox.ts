import { signal } from '@preact/signals';

/** Something done that can be undone until it is sent. */
export interface Pending {
  id: number;
  label: string;
  commit: (isLeaving: boolean) => Promise<void>;
  undo: () => void;
}

export interface Notice {
  id: number;
  text: string;
  isError?: boolean;
  undo?: () => void;
}

export const PATIENCE = 5000; // ms in which it can be undone
const SHOWN = 6000;
export const notices = signal<Notice[]>([]);
const waiting = new Map<number, { pending: Pending; timer: ReturnType<typeof setTimeout> }>();
let last = 0;

export function notify(text: string, isError = false): void {
  const id = ++last;
  notices.value = [...notices.value, { id, text, isError }].slice(-3);
  setTimeout(() => dismiss(id), SHOWN);
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((one) => one.id !== id);
}

/** Do something after a while, unless the user undoes it. If the page is hidden or left, it is done at once. */
export function later(label: string, commit: Pending['commit'], undo: () => void): void {
  const id = ++last;
  const pending = { id, label, commit, undo };
  waiting.set(id, { pending, timer: setTimeout(() => void finish(id, false), PATIENCE) });
  notices.value = [...notices.value, { id, text: label, undo: () => undoOne(id) }].slice(-3);
}

export function undoLast(): void {
  const id = [...waiting.keys()].pop();
  if (id !== undefined) undoOne(id);
}

function undoOne(id: number): void {
  const found = waiting.get(id);
  if (!found) return;
  clearTimeout(found.timer);
  waiting.delete(id);
  dismiss(id);
  found.pending.undo();
}

async function finish(id: number, isLeaving: boolean): Promise<void> {
  const found = waiting.get(id);
  if (!found) return;
  clearTimeout(found.timer);
  waiting.delete(id);
  dismiss(id);
  await found.pending.commit(isLeaving);
}

/** Send all that waits, now. */
export function flush(isLeaving = false): Promise<void[]> {
  return Promise.all([...waiting.keys()].map((id) => finish(id, isLeaving)));
}

const LEAVING = 50_000; // octets: browsers allow 64 KiB for all requests of a page that is left

/** Whether a request can be sent while the page is left. A larger one is sent as usual, for the page may only be hidden. */
export function fitsLeaving(body: unknown): boolean {
  return new Blob([JSON.stringify(body)]).size <= LEAVING;
}

addEventListener('pagehide', () => void flush(true));
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'hidden') void flush(true);
});
