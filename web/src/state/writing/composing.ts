import { effect, untracked } from '@preact/signals';
import { currentId, mailbox } from '../accounts';
import { loadFoldersSoon } from '../folders';
import { later } from '../outbox';
import { t } from '../../i18n';
import { isGone } from './finding';
import { claim, hold, noteSending, release } from './held';
import { allOf, blank, boxOf, current, keepsDrafts, note, putAside, takeUp, type Writing, writing } from './model';
import { done, queued, save, sayHeld, say, settle } from './saving';

const SAVE_AFTER = 1200; // ms without a key pressed
let timer: ReturnType<typeof setTimeout> | undefined;

export function compose(given: Partial<Writing> = {}): void {
  const accountId = given.accountId ?? mailbox().id;
  close();
  writing.value = { ...blank(accountId), ...given };
  void claim(writing.value.key);
}

export function edit(change: Partial<Writing>): void {
  if (!writing.value) return;
  const { key } = writing.value;
  writing.value = { ...writing.value, ...change, state: 'dirty', isUntouched: false, at: Date.now() };
  hold(key);
  clearTimeout(timer);
  if (keepsDrafts(writing.value)) timer = setTimeout(() => void save(key), SAVE_AFTER);
}

/** Save and close. What cannot be saved can be taken back for a while. */
export function close(): void {
  const left = writing.value;
  if (!left) return;
  clearTimeout(timer);
  if (left.isUntouched) return throwAway(left);
  if (left.state === 'clean') return done(left.key);
  if (!keepsDrafts(left)) return discardWriting();
  putAside();
  void save(left.key).then(() => {
    sayHeld(left.key);
    settle(left.key);
  });
}

/** Throw the message away, its draft too. For a while that can be taken back. */
export function discardWriting(): void {
  const now = writing.value;
  if (!now) return;
  clearTimeout(timer);
  note(now.key, { isDiscarded: true });
  putAside();
  void release(now);
  later(t().discarded, (isLeaving) => removed(now.key, isLeaving), () => reopen(now.key));
}

function throwAway({ key }: Writing): void {
  putAside();
  void removed(key, false);
}

export function removed(key: string, isLeaving: boolean): Promise<void> {
  return queued(async () => {
    const now = current(key);
    done(key);
    if (now?.draft) await boxOf(now).casella.messages.deleteMessage({ account: 'me', message: now.draft }, { keepalive: isLeaving });
    loadFoldersSoon();
  }).catch((error: unknown) => {
    if (!isGone(error)) say(error);
  });
}

/** Give a message back to the user. */
export function reopen(key: string): void {
  const now = current(key);
  if (!now) return;
  noteSending(key, false);
  note(key, { isSending: false, isDiscarded: false });
  if (writing.value && writing.value.key !== key) close();
  takeUp(key);
  void claim(key);
  hold(key);
  if (now.state !== 'clean') void save(key);
}

/** The composer is that of the account in use. A message that its mailbox cannot keep waits for the account to come back. */
effect(() => {
  const id = currentId.value;
  untracked(() => id && changeTo(id));
});

function changeTo(id: string): void {
  const open = writing.value;
  if (open && open.accountId !== id) {
    if (keepsDrafts(open) || open.state === 'clean') close();
    else putAside();
  }
  const waiting = allOf(id).find((one) => !keepsDrafts(one) && !one.isSending && !one.isDiscarded);
  if (waiting) takeUp(waiting.key);
}
