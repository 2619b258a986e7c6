import { newKey } from 'casella-client';
import { isOffline, wordsOf } from '../../api/service';
import { t } from '../../i18n';
import { notify } from '../outbox';
import { edit } from './composing';
import { attachedOf } from './finding';
import { hold } from './held';
import { type Attached, boxOf, current, note, writing } from './model';
import { queued, save, say } from './saving';

/** Upload files, one after the other. */
export function attach(files: Iterable<File>): void {
  const now = writing.value;
  if (!now) return;
  for (const file of files) {
    const { name, type, size } = file;
    const key = newKey();
    edit({ attachments: [...(writing.value?.attachments ?? []), { key, name, type, size, progress: 0 }] });
    void save(now.key);
    void queued(() => upload(now.key, key, file));
  }
}

async function upload(key: string, of: string, file: File): Promise<void> {
  const now = current(key);
  if (!now) return;
  try {
    if (!now.draft) throw new Error(t().attachFailed(file.name));
    const call = { account: 'me', message: now.draft, name: file.name, body: file, idempotencyKey: newKey() };
    const type = file.type || 'application/octet-stream';
    const made = await boxOf(now).casella.drafts.attachFile(call, async ({ init }) => ({
      ...init,
      headers: { ...(init.headers as Record<string, string>), 'Content-Type': type },
    }));
    const attachments = (current(key)?.attachments ?? []).map((one) =>
      one.key === of ? { ...one, progress: undefined, partId: made.partId } : one,
    );
    note(key, { draft: made.id, attachments });
  } catch (error) {
    const attachments = (current(key)?.attachments ?? []).filter((one) => one.key !== of);
    note(key, { attachments, isUnsure: isOffline(error) });
    const why = wordsOf(error, t().offline);
    notify(why.includes(file.name) ? why : `${t().attachFailed(file.name)} ${why}`, true);
  }
  hold(key);
}

export function detach(attached: Attached): void {
  const key = writing.value?.key;
  if (!key) return;
  void queued(async () => {
    const now = current(key);
    if (!now?.draft || !attached.partId) return;
    const { drafts } = boxOf(now).casella;
    const made = await drafts.detachFile({ account: 'me', message: now.draft, part: attached.partId });
    note(key, { draft: made.id });
    const draft = await drafts.getDraft({ account: 'me', message: made.id });
    note(key, { attachments: (draft.attachments ?? []).map(attachedOf) });
    hold(key);
  }).catch((error: unknown) => {
    note(key, { isUnsure: isOffline(error) });
    say(error);
  });
}
