import { t } from '../i18n';
import { mailboxes, signOut } from './accounts';
import { flush, notify } from './outbox';
import { close } from './writing/composing';
import { heldFor } from './writing/held';
import { allOf, keepsDrafts, takeUp, writing } from './writing/model';
import { settled } from './writing/saving';

/** Sign out, after what waits is sent and what is written is a draft. If that fails, the user decides about the message first. */
export async function leaveAccount(id: string): Promise<void> {
  const open = writing.value?.accountId === id ? writing.value : undefined;
  if (open && open.state !== 'clean' && !keepsDrafts(open)) return notify(t().notSignedOut, true);
  if (open) close();
  await flush();
  await settled();
  const mine = allOf(id).map(({ key }) => key);
  const left = [...allOf(id), ...(await heldFor(id)).filter(({ key }) => !mine.includes(key))]; // also of other tabs
  const unsaved = left.find(({ state, isSending }) => state !== 'clean' || isSending);
  if (!unsaved) return signOut(id);
  if (mailboxes.value.some((one) => one.id === id)) takeUp(unsaved.key);
  notify(t().notSignedOut, true);
}
