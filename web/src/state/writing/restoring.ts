import { effect, untracked } from '@preact/signals';
import { t } from '../../i18n';
import { mailboxes } from '../accounts';
import { notify } from '../outbox';
import { removed } from './composing';
import { claimed, letGo, wasSending } from './held';
import { allOf, forgetWriting, note, putAside, takeUp, type Writing, writing } from './model';
import { save, settle } from './saving';
import { sent } from './sending';

/** What an account has written comes with it, and leaves the screen with it. */
export function restoreWritings(): void {
  const here = new Set<string>();
  effect(() => {
    const now = new Set(mailboxes.value.map(({ id }) => id));
    for (const id of here) if (!now.has(id)) untracked(() => left(id));
    for (const id of now) if (!here.has(id)) untracked(() => void restore(id));
    here.clear();
    for (const id of now) here.add(id);
  });
}

function left(accountId: string): void {
  for (const { key } of allOf(accountId)) {
    forgetWriting(key);
    letGo(key);
  }
}

/** Messages that the browser was closed over. What was being sent is sent, with the same key: it leaves once. */
async function restore(accountId: string): Promise<void> {
  const held = (await claimed(accountId)).sort((a, b) => b.at - a.at);
  for (const one of held) putAside(uploaded(one));
  for (const { key, isDiscarded, state } of held) {
    const isSending = wasSending(key);
    note(key, { isSending });
    if (isDiscarded) void removed(key, false);
    else if (isSending) void save(key).then(() => sent(key, false));
    else if (!writing.value) takeUp(key);
    if (!isSending && !isDiscarded && (state !== 'clean' || writing.value?.key !== key)) void save(key).then(() => settle(key));
  }
}

/** A file that was not uploaded when the page was closed is not there any more. */
function uploaded(one: Writing): Writing {
  const lost = one.attachments.filter(({ partId }) => !partId);
  if (lost.length) notify(t().attachFailed(lost.map(({ name }) => name).join(', ')), true);
  return { ...one, attachments: one.attachments.filter(({ partId }) => partId), state: one.state === 'clean' ? 'clean' : 'dirty' };
}
