import { type Attachment, newKey } from 'casella-client';
import { isOffline, isProblem } from '../../api/service';
import { t } from '../../i18n';
import { notify } from '../outbox';
import { release } from './held';
import { type Attached, boxOf, current, forgetWriting, note, type Writing } from './model';

export function isGone(error: unknown): boolean {
  return isProblem(error, 'not-found') || isProblem(error, 'stale-id');
}

/** The draft has another id, if this change was made before. Else somebody has taken it away: the text goes into a new one. */
export async function foundAgain(key: string, isOurs: boolean): Promise<void> {
  const now = current(key)!;
  const found = isOurs ? await idIn('drafts', now) : undefined;
  if (found) return note(key, { draft: found, attachments: await filesOf(now, found), isUnsure: false });
  const hasLeft = (await idIn('sent', now)) !== undefined;
  if (hasLeft && now.isSending) {
    void release(now); // by an attempt whose answer was lost
    return forgetWriting(key);
  }
  if (hasLeft) notify(t().leftBefore, true);
  const lost = now.attachments.filter((one) => one.partId);
  if (lost.length && !hasLeft) notify(t().attachFailed(lost.map((one) => one.name).join(', ')), true);
  const attachments = now.attachments.filter((one) => !one.partId);
  note(key, { draft: undefined, messageId: undefined, attachments, ...(hasLeft && { sendKey: newKey() }) });
}

async function filesOf(now: Writing, draft: string): Promise<Attached[]> {
  const stored = await boxOf(now).casella.drafts.getDraft({ account: 'me', message: draft });
  return [...(stored.attachments ?? []).map(attachedOf), ...now.attachments.filter((one) => !one.partId)];
}

export function attachedOf({ name = '', type, size, partId }: Attachment): Attached {
  return { key: newKey(), name, type, size, partId };
}

/** The message in this folder, by its Message-ID. */
export async function idIn(folder: string, now: Writing): Promise<string | undefined> {
  if (!now.messageId) return undefined;
  const ask = { account: 'me', folder, header: `Message-ID: ${now.messageId}`, limit: 1, fields: 'subject' };
  const found = await boxOf(now).casella.messages.listMessages(ask).catch((error: unknown) => {
    if (isOffline(error)) throw error;
    return undefined;
  });
  return found?.items[0]?.id;
}
