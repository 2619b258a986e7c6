import { signal } from '@preact/signals';
import { type Address, type NewDraft, newKey } from 'casella-client';
import { type Mailbox, mailboxes } from '../accounts';

export interface Attached {
  /** This page's own name of it: files may have the same name. */
  key: string;
  name: string;
  type?: string;
  size?: number;
  partId?: string;
  /** Octets that were sent, while it is uploaded. */
  progress?: number;
}

/** A change of a draft, as it was sent. */
export interface Change {
  draft?: string;
  newDraft: NewDraft;
  idempotencyKey: string;
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
  /** When it was changed last. */
  at: number;
  /** It was prepared by the service, and the user has typed nothing. */
  isUntouched?: boolean;
  /** The change to which no answer came: it may have been made. */
  unanswered?: Change;
  /** No answer came to a change of its files: the draft may have another id by now. */
  isUnsure?: boolean;
  /** The key of sending it: the same for each attempt, so that it leaves once. */
  sendKey: string;
  /** The header of the draft, by which a copy in Sent is known. */
  messageId?: string;
  /** The user has sent it, and no answer has come yet. */
  isSending?: boolean;
  /** The user has thrown it away, and may still have it back. */
  isDiscarded?: boolean;
}

/** The message in the composer. */
export const writing = signal<Writing>();
/** Those whose composer is closed, until they are saved or sent. */
const aside = new Map<string, Writing>();

export function blank(accountId: string): Writing {
  const [key, sendKey] = [newKey(), newKey()];
  const lists = { to: [], cc: [], bcc: [], attachments: [] };
  return { key, sendKey, accountId, subject: '', text: '', ...lists, state: 'clean', at: Date.now() };
}

/** The newest state of a message, also after its composer was closed. */
export function current(key: string): Writing | undefined {
  return writing.value?.key === key ? writing.value : aside.get(key);
}

export function note(key: string, change: Partial<Writing>): void {
  const now = current(key);
  if (!now) return;
  if (writing.value?.key === key) writing.value = { ...now, ...change };
  else aside.set(key, { ...now, ...change });
}

/** Close the composer. The message stays known. */
export function putAside(one = writing.value): void {
  if (!one) return;
  aside.set(one.key, one);
  if (writing.value?.key === one.key) writing.value = undefined;
}

/** Open the composer with a message that was put aside. */
export function takeUp(key: string): void {
  const now = aside.get(key);
  if (!now) return;
  putAside();
  aside.delete(key);
  writing.value = now;
}

export function forgetWriting(key: string): void {
  aside.delete(key);
  if (writing.value?.key === key) writing.value = undefined;
}

export function allOf(accountId: string): Writing[] {
  const all = [...aside.values(), ...(writing.value ? [writing.value] : [])];
  return all.filter((one) => one.accountId === accountId);
}

export function isAnySending(): boolean {
  return [...aside.values()].some((one) => one.isSending);
}

/** Its mailbox. Throws if it has signed out: nothing is ever written into another one. */
export function boxOf({ accountId }: Writing): Mailbox {
  const box = mailboxes.value.find((one) => one.id === accountId);
  if (!box) throw new Error('This account has signed out.');
  return box;
}

export function canOf({ accountId }: Writing, capability: string): boolean {
  const box = mailboxes.value.find((one) => one.id === accountId);
  return box?.account?.capabilities.includes(capability) ?? false;
}

/** Whether its mailbox keeps drafts. */
export function keepsDrafts(one: Writing): boolean {
  return canOf(one, 'append');
}

export function contentOf({ from, to, cc, bcc, subject, text }: Writing): NewDraft {
  return { ...(from && { from }), to, cc, bcc, subject, text };
}
