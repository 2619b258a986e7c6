import { signal } from '@preact/signals';
import { type Address, ApiProblem, type Attachment, type DraftRef, type NewDraft, newKey } from 'casella-client';
import { isProblem, wordsOf } from '../api/service';
import { t } from '../i18n';
import { drop, keep, kept } from '../storage/kept';
import { type Mailbox, mailbox, mailboxes } from './accounts';
import { loadFoldersSoon } from './folders';
import { later, notify } from './outbox';

export interface Attached {
  name: string;
  type?: string;
  size?: number;
  partId?: string;
  /** Octets that were sent, while it is uploaded. */
  progress?: number;
}

/** A message that is written. */
export interface Writing {
  /** This page's own name of it: the draft's id changes with each save. */
  key: string;
  accountId: string;
  draft?: string;
  from?: Address;
  to: Address[];
  cc: Address[];
  bcc: Address[];
  subject: string;
  text: string;
  attachments: Attached[];
  state: 'clean' | 'dirty' | 'saving' | 'failed';
  /** The key of sending it: the same for each attempt, so that it leaves once. */
  sendKey: string;
  /** The header of the draft, by which a copy in Sent is known. */
  messageId?: string;
  /** The user has sent it, and no answer has come yet. */
  isSending?: boolean;
}

const SAVE_AFTER = 1200; // ms without a key pressed
const LOCAL = 'writing';
export const writing = signal<Writing>();
let timer: ReturnType<typeof setTimeout> | undefined;
let work: Promise<void> = Promise.resolve();
let unfinished = 0;

function blank(accountId: string): Writing {
  const [key, sendKey] = [newKey(), newKey()];
  const lists = { to: [], cc: [], bcc: [], attachments: [] };
  return { key, sendKey, accountId, subject: '', text: '', ...lists, state: 'clean' };
}

export function compose(given: Partial<Writing> = {}): void {
  close();
  writing.value = { ...blank(mailbox().id), ...given };
}

/** A message that the browser was closed over. What was being sent is sent, with the same key: it leaves once. */
export async function restoreWriting(): Promise<void> {
  const last = await kept<Writing>(LOCAL);
  if (!last || !mailboxes.value.some((one) => one.id === last.accountId)) return;
  if (!last.isSending) {
    writing.value = { ...last, state: 'dirty' };
    return;
  }
  latest = last;
  if (last.state !== 'clean') void queued(() => saved(last.key));
  await sent(last.key, false);
}

export function edit(change: Partial<Writing>): void {
  if (!writing.value) return;
  writing.value = { ...writing.value, ...change, state: 'dirty' };
  void keep(LOCAL, writing.value);
  clearTimeout(timer);
  if (keepsDrafts(writing.value)) timer = setTimeout(() => void save(), SAVE_AFTER);
}

/** Save and close. */
export function close(): void {
  const left = writing.value;
  if (!left) return;
  clearTimeout(timer);
  if (left.state !== 'clean' && keepsDrafts(left)) void save();
  writing.value = undefined;
  void work.then(() => drop(LOCAL));
}

/** One change of the draft after the other, for each gives it a new id. */
function queued(act: () => Promise<void>): Promise<void> {
  unfinished++;
  work = work.then(act, act).finally(() => unfinished--);
  return work;
}

/** What is being sent has to be saved first: the user is asked to wait. */
addEventListener('beforeunload', (event) => {
  if (unfinished && latest?.isSending) event.preventDefault();
});

/** Whether its mailbox keeps drafts. */
function keepsDrafts(now: Writing): boolean {
  return boxOf(now).account?.capabilities.includes('append') ?? false;
}

function boxOf({ accountId }: Writing): Mailbox {
  return mailboxes.value.find((one) => one.id === accountId) ?? mailbox();
}

let latest: Writing | undefined;

/** The newest state of a message, also after its window was closed. */
function current(key: string): Writing | undefined {
  if (writing.value?.key === key) latest = writing.value;
  return latest?.key === key ? latest : undefined;
}

function note(key: string, change: Partial<Writing>): void {
  const now = current(key);
  if (!now) return;
  latest = { ...now, ...change };
  if (writing.value?.key === key) writing.value = latest;
}

/** Save as a draft in the mailbox. */
export function save(): Promise<void> {
  const key = writing.value?.key;
  if (!key) return Promise.resolve();
  current(key);
  return queued(() => saved(key));
}

async function saved(key: string): Promise<void> {
  const now = current(key);
  if (!now || now.state === 'clean') return;
  note(key, { state: 'saving' });
  try {
    const { id: draft, messageId } = await written(now);
    note(key, { draft, messageId, ...(current(key)?.state === 'saving' && { state: 'clean' as const }) });
    if (writing.value?.key === key) void keep(LOCAL, writing.value);
  } catch {
    note(key, { state: 'failed' });
  }
}

async function written(now: Writing): Promise<DraftRef> {
  const { drafts } = boxOf(now).casella;
  const newDraft = contentOf(now);
  const call = { account: 'me', newDraft, idempotencyKey: newKey() };
  return now.draft ? drafts.changeDraft({ ...call, message: now.draft }) : drafts.createDraft(call);
}

function contentOf({ from, to, cc, bcc, subject, text }: Writing): NewDraft {
  return { ...(from && { from }), to, cc, bcc, subject, text };
}

/** Write an answer: the service finds recipients, subject and quotation. */
export async function reply(message: string, kind: 'reply' | 'all' | 'forward'): Promise<void> {
  const { casella } = mailbox();
  const call = { account: 'me', message, idempotencyKey: newKey() };
  try {
    const made =
      kind === 'forward'
        ? await casella.drafts.forwardMessage({ ...call, forwardRequest: {} })
        : await casella.drafts.replyToMessage({ ...call, replyRequest: { all: kind === 'all' } });
    await continueDraft(made.id);
  } catch (error) {
    notify(wordsOf(error, t().offline), true);
  }
}

/** Go on with a draft of the mailbox. */
export async function continueDraft(id: string): Promise<void> {
  try {
    const draft = await mailbox().casella.drafts.getDraft({ account: 'me', message: id });
    const { to = [], cc = [], bcc = [], subject = '', from } = draft;
    const text = (draft.text ?? (await plainText(id))).replace(/\r\n?/g, '\n');
    compose({ draft: id, from, to, cc, bcc, subject, text, attachments: (draft.attachments ?? []).map(attachedOf) });
  } catch (error) {
    notify(wordsOf(error, t().offline), true);
  }
}

async function plainText(id: string): Promise<string> {
  const message = await mailbox().casella.messages.getMessage({ account: 'me', message: id, html: 'none' });
  return message.body.text ?? '';
}

function attachedOf({ name = '', type, size, partId }: Attachment): Attached {
  return { name, type, size, partId };
}

/** Upload files, one after the other. */
export function attach(files: Iterable<File>): void {
  const now = writing.value;
  if (!now) return;
  for (const file of files) {
    const { name, type, size } = file;
    edit({ attachments: [...(writing.value?.attachments ?? []), { name, type, size, progress: 0 }] });
    void save();
    void queued(() => upload(now.key, file));
  }
}

async function upload(key: string, file: File): Promise<void> {
  const now = current(key);
  if (!now?.draft) return fail(key, file, new Error(t().attachFailed(file.name)));
  try {
    const call = { account: 'me', message: now.draft, name: file.name, body: file, idempotencyKey: newKey() };
    const type = file.type || 'application/octet-stream';
    const made = await boxOf(now).casella.drafts.attachFile(call, async ({ init }) => ({
      ...init,
      headers: { ...(init.headers as Record<string, string>), 'Content-Type': type },
    }));
    const attachments = (current(key)?.attachments ?? []).map((one) =>
      one.name === file.name && one.progress !== undefined ? { ...one, progress: undefined, partId: made.partId } : one,
    );
    note(key, { draft: made.id, attachments });
    if (writing.value?.key === key) void keep(LOCAL, writing.value);
  } catch (error) {
    fail(key, file, error);
  }
}

function fail(key: string, file: File, error: unknown): void {
  const attachments = (current(key)?.attachments ?? []).filter((one) => one.name !== file.name || one.partId);
  note(key, { attachments });
  notify(wordsOf(error, t().offline), true);
}

export function detach(attached: Attached): void {
  const key = writing.value?.key;
  if (!key) return;
  void queued(async () => {
    const now = current(key);
    if (!now?.draft || !attached.partId) return;
    const call = { account: 'me', message: now.draft, part: attached.partId, idempotencyKey: newKey() };
    const made = await boxOf(now).casella.drafts.detachFile(call);
    const draft = await boxOf(now).casella.drafts.getDraft({ account: 'me', message: made.id });
    note(key, { draft: made.id, attachments: (draft.attachments ?? []).map(attachedOf) });
  }).catch((error: unknown) => notify(wordsOf(error, t().offline), true));
}

/** Throw the message away, its draft too. */
export function discardWriting(): void {
  const now = writing.value;
  if (!now) return;
  clearTimeout(timer);
  current(now.key);
  writing.value = undefined;
  void drop(LOCAL);
  void queued(async () => {
    const draft = current(now.key)?.draft;
    if (draft) await boxOf(now).casella.messages.deleteMessage({ account: 'me', message: draft });
    loadFoldersSoon();
  }).catch(() => undefined);
}

/** Send after a while. Until then it can be undone, and the message is a draft. */
export function send(): void {
  const now = writing.value;
  if (!now) return;
  clearTimeout(timer);
  if (keepsDrafts(now)) void save();
  else current(now.key);
  note(now.key, { isSending: true });
  void keep(LOCAL, current(now.key));
  writing.value = undefined;
  later(t().sending, (isLeaving) => sent(now.key, isLeaving), () => reopen(now.key));
}

/** Give the message back to the user. */
function reopen(key: string): void {
  note(key, { isSending: false });
  const now = current(key);
  if (!now) return;
  if (writing.value) close();
  latest = writing.value = now;
  void keep(LOCAL, now);
}

async function sent(key: string, isLeaving: boolean): Promise<void> {
  await work;
  const now = current(key);
  if (!now) return;
  try {
    if (now.state !== 'clean' && keepsDrafts(now)) throw new Error(t().notSaved);
    await submit(now, isLeaving);
    await drop(LOCAL);
    notify(t().sent);
    loadFoldersSoon();
  } catch (error) {
    await unsent(now, error);
  }
}

async function submit(now: Writing, isLeaving: boolean): Promise<void> {
  const { sending } = boxOf(now).casella;
  const call = { account: 'me', idempotencyKey: now.sendKey };
  const options = { keepalive: isLeaving };
  if (now.draft) await sending.sendDraft({ ...call, message: now.draft }, options);
  else await sending.submitMessage({ ...call, newDraft: contentOf(now) }, options);
}

/** Say what happened, and give the message back unless it may have left. */
async function unsent(now: Writing, error: unknown): Promise<void> {
  if (isProblem(error, 'not-found') && (await hasLeft(now))) {
    await drop(LOCAL);
    notify(t().sent); // by an earlier attempt
    return;
  }
  const isUnknown = error instanceof ApiProblem && error.upstream?.code === 'outcomeUnknown';
  notify(isUnknown ? t().outcomeUnknown : wordsOf(error, t().offline), true);
  if (isUnknown) await drop(LOCAL);
  else reopen(now.key);
}

/** Whether there is a copy in Sent. */
async function hasLeft(now: Writing): Promise<boolean> {
  if (!now.messageId) return false;
  const ask = { account: 'me', folder: 'sent', header: `Message-ID: ${now.messageId}`, limit: 1, fields: 'subject' };
  const found = await boxOf(now).casella.messages.listMessages(ask).catch(() => undefined);
  return Boolean(found?.items.length);
}
