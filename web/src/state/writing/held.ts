import { drop, keep, keptFor, nameFor } from '../../storage/kept';
import { current, type Writing } from './model';

const PREFIX = 'writing/';
const SENDING = 'sending/';
const PATIENCE = 1500; // ms in which a page that is left lets its messages go
const claims = new Map<string, () => void>();

/** Keep a message in this browser until it is a draft, or has left. */
export function hold(key: string): void {
  const now = current(key);
  if (now) void keep(nameFor(now.accountId, PREFIX + key), now);
}

/** Noted at once, for the page may be left before anything else is kept. The key says nothing of the message. */
export function noteSending(key: string, isSending: boolean): void {
  try {
    if (isSending) localStorage.setItem(SENDING + key, '');
    else localStorage.removeItem(SENDING + key);
  } catch {
    // the browser keeps nothing
  }
}

export function wasSending(key: string): boolean {
  try {
    return localStorage.getItem(SENDING + key) !== null;
  } catch {
    return false;
  }
}

export function release({ accountId, key }: Writing): Promise<void> {
  letGo(key);
  noteSending(key, false);
  return drop(nameFor(accountId, PREFIX + key));
}

/** All messages that this browser holds. */
export function heldFor(accountId: string): Promise<Writing[]> {
  return keptFor<Writing>(accountId, PREFIX);
}

/** Those that an earlier visit held, if no other tab has them. */
export async function claimed(accountId: string): Promise<Writing[]> {
  const found = await heldFor(accountId);
  const mine = await Promise.all(found.map(({ key }) => claim(key)));
  return found.filter((_, at) => mine[at]);
}

/** Whether a message is of this tab, from now until it is let go: two tabs would undo each other's changes. */
export function claim(key: string): Promise<boolean> {
  if (!('locks' in navigator) || claims.has(key)) return Promise.resolve(true);
  return new Promise((settle) => {
    const options = { signal: AbortSignal.timeout(PATIENCE) };
    const keepIt = (): Promise<void> => {
      settle(true);
      return new Promise((end) => claims.set(key, end));
    };
    navigator.locks.request(`casella/${key}`, options, keepIt).catch(() => settle(false));
  });
}

export function letGo(key: string): void {
  claims.get(key)?.();
  claims.delete(key);
}
