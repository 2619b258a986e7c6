import { computed, signal } from '@preact/signals';
import { type Account, Casella, type NewSession } from 'casella-client';
import { isProblem, SERVICE, visitor } from '../api/service';
import { dropFor, keep, kept, type KeptAccount, nameFor, SESSIONS } from '../storage/kept';
import { forget } from '../storage/seen';
import { forgetAll } from '../storage/vault';
import { WAKING, type Waking } from '../storage/waking';
import { endPushes } from '../worker/register';

/** A signed-in account. `account` is absent until the service has answered, such as offline. */
export interface Mailbox {
  id: string;
  username: string;
  casella: Casella;
  account?: Account;
}

export const mailboxes = signal<Mailbox[]>([]);
export const currentId = signal<string>();
export const current = computed(() => mailboxes.value.find((one) => one.id === currentId.value));
/** The username of a session that has ended, so that the user signs in again. */
export const ended = signal<string>();
const CURRENT = 'current';
const CAPABILITIES = 'capabilities';

/** Whether the mailbox can do something: what it cannot is not shown. */
export function can(capability: string): boolean {
  return current.value?.account?.capabilities.includes(capability) ?? false;
}

/** The mailbox in use. Views that call it are shown only if there is one. */
export function mailbox(): Mailbox {
  return current.value!;
}

/** Open the sessions of the last visit. */
export async function restore(): Promise<void> {
  const [sessions, last] = await Promise.all([kept<KeptAccount[]>(SESSIONS), kept<string>(CURRENT)]);
  const known = (await kept<Record<string, Account>>(CAPABILITIES)) ?? {};
  mailboxes.value = (sessions ?? []).map((one) => ({ ...opened(one), account: known[one.id] }));
  const isKnown = mailboxes.value.some((one) => one.id === last);
  currentId.value = isKnown ? last : mailboxes.value[0]?.id;
}

export async function signIn(session: NewSession): Promise<void> {
  const { token, account } = await visitor.sessions.createSession({ newSession: session });
  const made = { ...opened({ id: account.id, username: account.username, token }), account };
  mailboxes.value = [...mailboxes.value.filter((one) => one.id !== account.id), made];
  ended.value = undefined;
  await store();
  use(account.id);
}

export function use(id: string): void {
  currentId.value = id;
  void keep(CURRENT, id);
}

/** Ask what the mailbox can do, for it may have changed since. */
export async function refresh(one: Mailbox): Promise<void> {
  try {
    const account = await one.casella.accounts.getAccount({ account: 'me' });
    mailboxes.value = mailboxes.value.map((each) => (each.id === one.id ? { ...each, account } : each));
    await store();
  } catch (error) {
    if (isSessionEnd(error)) await leave(one.id, one.username);
  }
}

/** Whether an error says that the user has to sign in again. */
export function isSessionEnd(error: unknown): boolean {
  return ['unauthenticated', 'login-refused', 'consent-required'].some((name) => isProblem(error, name));
}

export async function signOut(id: string): Promise<void> {
  const casella = mailboxes.value.find((one) => one.id === id)?.casella;
  const waking = await kept<Waking>(nameFor(id, WAKING));
  await leave(id);
  if (waking) await casella?.push.deleteSubscription({ account: 'me', subscription: waking.id }).catch(() => undefined);
  await casella?.signOut().catch(() => undefined);
}

/** Forget an account, and its mail in this browser. */
export async function leave(id: string, username?: string): Promise<void> {
  ended.value = username;
  mailboxes.value = mailboxes.value.filter((one) => one.id !== id);
  if (currentId.value === id) currentId.value = mailboxes.value[0]?.id;
  const isLast = !mailboxes.value.length;
  await (isLast ? Promise.all([forgetAll(), endPushes()]) : Promise.all([forget(id), dropFor(id), store()])).catch(() => undefined);
}

/** A newer token of a session, which another part of the page was given. */
export async function renewSession(id: string, token: string): Promise<void> {
  mailboxes.value = mailboxes.value.map((one) => (one.id === id ? { ...one, ...opened({ id, username: one.username, token }) } : one));
  await store();
}

function opened({ id, username, token }: KeptAccount): Mailbox {
  return { id, username, casella: new Casella(SERVICE, { token, onToken: () => void store() }) };
}

async function store(): Promise<void> {
  const all = mailboxes.value;
  await keep(SESSIONS, all.map(({ id, username, casella }) => ({ id, username, token: casella.token ?? '' })));
  await keep(CAPABILITIES, Object.fromEntries(all.map(({ id, account }) => [id, account])));
}
