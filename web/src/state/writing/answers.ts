import { newKey } from 'casella-client';
import { type Mailbox, mailbox } from '../accounts';
import { compose } from './composing';
import { attachedOf } from './finding';
import { type Writing, writing } from './model';
import { say } from './saving';

/** Write an answer: the service finds recipients, subject and quotation. */
export async function reply(message: string, kind: 'reply' | 'all' | 'forward'): Promise<void> {
  const box = mailbox();
  const { drafts } = box.casella;
  const call = { account: 'me', message, idempotencyKey: newKey() };
  try {
    const made =
      kind === 'forward'
        ? await drafts.forwardMessage({ ...call, forwardRequest: {} })
        : await drafts.replyToMessage({ ...call, replyRequest: { all: kind === 'all' } });
    await open(box, made.id, { isUntouched: true });
  } catch (error) {
    say(error);
  }
}

/** Go on with a draft of the mailbox. */
export async function continueDraft(id: string): Promise<void> {
  if (writing.value?.draft !== id) await open(mailbox(), id, {}).catch(say);
}

async function open(box: Mailbox, id: string, more: Partial<Writing>): Promise<void> {
  const draft = await box.casella.drafts.getDraft({ account: 'me', message: id });
  const { to = [], cc = [], bcc = [], subject = '', from } = draft;
  const text = (draft.text ?? (await plainText(box, id))).replace(/\r\n?/g, '\n');
  const attachments = (draft.attachments ?? []).map(attachedOf);
  if (mailbox().id === box.id) compose({ accountId: box.id, draft: id, from, to, cc, bcc, subject, text, attachments, ...more });
}

async function plainText({ casella }: Mailbox, id: string): Promise<string> {
  const message = await casella.messages.getMessage({ account: 'me', message: id, html: 'none' });
  return message.body.text ?? '';
}
