import { ApiProblem, newKey } from 'casella-client';
import { wordsOf } from '../../api/service';
import { t } from '../../i18n';
import { loadFoldersSoon } from '../folders';
import { fitsLeaving, later, notify } from '../outbox';
import { reopen } from './composing';
import { idIn, isGone } from './finding';
import { hold, noteSending } from './held';
import { boxOf, contentOf, current, keepsDrafts, note, putAside, type Writing, writing } from './model';
import { done, save, settled } from './saving';

/** Send after a while. Until then it can be undone, and the message is a draft. */
export function send(): void {
  const now = writing.value;
  if (!now) return;
  noteSending(now.key, true);
  note(now.key, { isSending: true, isUntouched: false });
  putAside();
  hold(now.key);
  void save(now.key);
  later(t().sending, (isLeaving) => sent(now.key, isLeaving), () => reopen(now.key));
}

/** The same key for each attempt: it leaves once. */
export async function sent(key: string, isLeaving: boolean): Promise<void> {
  await settled();
  const now = current(key);
  if (!now) return;
  try {
    if (now.state !== 'clean' && keepsDrafts(now)) throw new Error(t().notSaved);
    await submit(now, isLeaving);
    gone(key);
  } catch (error) {
    await unsent(now, error);
  }
}

function gone(key: string): void {
  done(key);
  notify(t().sent);
  loadFoldersSoon();
}

async function submit(now: Writing, isLeaving: boolean): Promise<void> {
  const { sending } = boxOf(now).casella;
  const call = { account: 'me', idempotencyKey: now.sendKey };
  const newDraft = contentOf(now);
  const options = { keepalive: isLeaving && (now.draft !== undefined || fitsLeaving(newDraft)) };
  if (now.draft) await sending.sendDraft({ ...call, message: now.draft }, options);
  else await sending.submitMessage({ ...call, newDraft }, options);
}

/** An earlier attempt was carried out with other words, and its answer was lost. */
function isKeyUsed(error: unknown): boolean {
  return error instanceof ApiProblem && Boolean(error.errors?.some((one) => one.location === 'header.Idempotency-Key'));
}

/** Say what happened, and give the message back unless it may have left. */
async function unsent(now: Writing, error: unknown): Promise<void> {
  if (isGone(error) && (await idIn('sent', now).catch(() => undefined))) return gone(now.key); // by an earlier attempt
  if (isKeyUsed(error)) {
    note(now.key, { sendKey: newKey() });
    notify(t().leftBefore, true);
    return reopen(now.key);
  }
  const isUnknown = error instanceof ApiProblem && error.upstream?.code === 'outcomeUnknown';
  notify(isUnknown ? t().outcomeUnknown : wordsOf(error, t().offline), true);
  if (isUnknown) done(now.key);
  else reopen(now.key);
}
