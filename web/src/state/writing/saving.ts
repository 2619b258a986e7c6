import { ApiProblem, type DraftRef, newKey } from 'casella-client';
import { isOffline, isProblem, wordsOf } from '../../api/service';
import { t } from '../../i18n';
import { notify } from '../outbox';
import { foundAgain, isGone } from './finding';
import { hold, release } from './held';
import { boxOf, type Change, contentOf, current, forgetWriting, isAnySending, keepsDrafts, note, takeUp, type Writing, writing } from './model';

const AGAIN = 8000; // ms before what could not be saved is tried again
let work: Promise<void> = Promise.resolve();
let unfinished = 0;
const failed = new Set<string>();
let timer: ReturnType<typeof setTimeout> | undefined;

/** One change of a draft after the other, for each gives it a new id. */
export function queued(act: () => Promise<void>): Promise<void> {
  unfinished++;
  work = work.then(act, act).finally(() => unfinished--);
  return work;
}

/** All changes so far are made, or have failed. */
export function settled(): Promise<void> {
  return work.catch(() => undefined);
}

/** What is being sent has to be saved first: the user is asked to wait. */
addEventListener('beforeunload', (event) => {
  const isLost = !isSecureContext && writing.value && writing.value.state !== 'clean'; // nothing is held without TLS
  if ((unfinished && isAnySending()) || isLost) event.preventDefault();
});

/** Save as a draft in the mailbox. */
export function save(key: string): Promise<void> {
  return queued(() => saved(key));
}

async function saved(key: string): Promise<void> {
  const now = current(key);
  if (!now || now.state === 'clean' || !keepsDrafts(now)) return;
  note(key, { state: 'saving' });
  try {
    const isMade = now.unanswered && (await change(key, now.unanswered));
    const next = changeOf(current(key) ?? now);
    if (!current(key)) return; // it has left, or its account has
    if (!isMade || !isSame(next, now.unanswered)) await change(key, next);
    if (current(key)?.state === 'saving') note(key, { state: 'clean' });
    failed.delete(key);
  } catch (error) {
    note(key, { state: 'failed' });
    if (mayPass(error)) tryAgain(key);
    else if (writing.value?.key !== key) say(error);
  }
  hold(key);
}

function changeOf(now: Writing): Change {
  return { draft: now.draft, newDraft: contentOf(now), idempotencyKey: newKey() };
}

function isSame({ newDraft }: Change, before: Change | undefined): boolean {
  return JSON.stringify(newDraft) === JSON.stringify(before?.newDraft);
}

/** Make a change. If no answer comes, it is made again as it was, with its key, before any other: it may have been made.
 * False if the draft was not where it was, and is to be changed where it is. */
async function change(key: string, wanted: Change): Promise<boolean> {
  const isRepeated = current(key)?.unanswered === wanted;
  note(key, { unanswered: wanted });
  hold(key);
  try {
    const made = await request(key, wanted);
    note(key, { draft: made.id, messageId: made.messageId, unanswered: undefined, isUnsure: false });
    return true;
  } catch (error) {
    if (mayPass(error)) throw error;
    note(key, { unanswered: undefined });
    if (!(wanted.draft && isGone(error)) && !isProblem(error, 'already-done')) throw error;
    await foundAgain(key, isRepeated || Boolean(current(key)?.isUnsure));
    const found = current(key);
    return !found || (!isRepeated && change(key, changeOf(found)));
  }
}

function request(key: string, { draft, newDraft, idempotencyKey }: Change): Promise<DraftRef> {
  const { drafts } = boxOf(current(key)!).casella;
  const call = { account: 'me', newDraft, idempotencyKey };
  return draft ? drafts.changeDraft({ ...call, message: draft }) : drafts.createDraft(call);
}

function mayPass(error: unknown): boolean {
  return isOffline(error) || (error instanceof ApiProblem && error.retryable);
}

function tryAgain(key: string): void {
  failed.add(key);
  clearTimeout(timer);
  timer = setTimeout(saveFailed, AGAIN);
}

function saveFailed(): void {
  for (const key of failed) {
    failed.delete(key);
    void save(key).then(() => settle(key));
  }
}

addEventListener('online', saveFailed);

/** Forget a message whose composer is closed, once it is a draft. Until then it is held. */
export function settle(key: string): void {
  const now = current(key);
  if (!now || now.isSending || writing.value?.key === key) return;
  if (now.state === 'clean') return done(key);
  if (!failed.has(key) && !writing.value) takeUp(key); // the service refuses it: the user has to change something
}

/** It is a draft, or has left, or is thrown away: this browser needs it no more. */
export function done(key: string): void {
  const now = current(key);
  forgetWriting(key);
  failed.delete(key);
  if (now) void release(now);
}

/** Words for the user if a message that was closed could not be saved. */
export function sayHeld(key: string): void {
  if (failed.has(key)) notify(t().keptHere, true);
}

export function say(error: unknown): void {
  notify(wordsOf(error, t().offline), true);
}
