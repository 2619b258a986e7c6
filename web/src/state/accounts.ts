import { computed, signal } from '@preact/signals';
import { type Account, Casella, type NewSession } from 'casella-client';
import { isProblem, SERVICE, visitor } from '../api/service';
import { dropAll, dropFor, keep, kept, type KeptAccount, nameFor, SESSIONS } from '../storage/kept';
import { expect, forget } from '../storage/seen';
import { renewKey } from '../storage/vault';
import { WAKING, type Waking } from '../storage/waking';
import { endPushes } from '../worker/register';
import { go } from './route';

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
  if (ended.value !== account.username) go({ folder: 'inbox' }); // the message in the address is of another account
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
    await storeAccounts();
  } catch (error) {
    if (isSessionEnd(error)) await end(one);
  }
}

const asking = new Set<string>();

/** Ask whether a session lives: a request was refused, which may have been about another one. */
export async function askAbout(id: string): Promise<void> {
  const one = mailboxes.value.find((each) => each.id === id);
  if (!one || asking.has(id)) return;
  asking.add(id);
  await refresh(one).finally(() => asking.delete(id));
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
async function leave(id: string): Promise<void> {
  takeAway(id);
  tabs?.postMessage({ left: id } satisfies News);
  const isLast = !mailboxes.value.length;
  const all = isLast ? [dropAll(), endPushes()] : [dropFor(id), store()];
  await Promise.all([forget(id), ...all]).catch(() => undefined);
}

/** Leave an account whose session has ended, unless another tab has a newer one. What it has written stays in this browser,
 * sealed, until the user signs in again. */
async function end({ id, username, casella }: Mailbox): Promise<void> {
  await adopt();
  if (mailboxes.value.find((one) => one.id === id)?.casella.token !== casella.token) return;
  takeAway(id, username);
  tabs?.postMessage({ left: id, username } satisfies News);
  await Promise.all([forget(id), store()]).catch(() => undefined);
}

/** Nothing of the account is on the screen any more. */
function takeAway(id: string, username?: string): void {
  const isShown = currentId.value === id;
  mailboxes.value = mailboxes.value.filter((one) => one.id !== id);
  if (isShown) {
    if (mailboxes.value.length || !username) go({ folder: 'inbox' });
    currentId.value = mailboxes.value[0]?.id;
  }
  ended.value = username;
}

/** What tabs tell each other: an account has left, by its user or with its session; or what is kept of the sessions is new. */
interface News {
  left?: string;
  username?: string;
}

const tabs = 'BroadcastChannel' in globalThis ? new BroadcastChannel('casella') : undefined;
tabs?.addEventListener('message', ({ data }: MessageEvent<News>) => void heard(data));

async function heard({ left, username }: News): Promise<void> {
  renewKey();
  if (left === undefined) return adopt();
  if (username) return askAbout(left);
  takeAway(left);
  await forget(left).catch(() => undefined);
}

/** Take over the sessions that another tab has opened or renewed. */
async function adopt(): Promise<void> {
  const [sessions = [], known = {}] = await Promise.all([kept<KeptAccount[]>(SESSIONS), kept<Record<string, Account>>(CAPABILITIES)]);
  const isNew = (one: KeptAccount): boolean => !mailboxes.value.some(({ id, casella }) => id === one.id && casella.token === one.token);
  const fresh = new Map(sessions.filter(isNew).map((one) => [one.id, { ...opened(one), account: known[one.id] }]));
  if (!fresh.size) return;
  mailboxes.value = [...new Map([...mailboxes.value.map((one) => [one.id, one] as const), ...fresh]).values()];
  if (!current.value) use(mailboxes.value[0]!.id);
}

/** A newer token of a session, which another part of the page was given. */
export async function renewSession(id: string, token: string): Promise<void> {
  mailboxes.value = mailboxes.value.map((one) => (one.id === id ? { ...one, ...opened({ id, username: one.username, token }) } : one));
  await store();
}

function opened({ id, username, token }: KeptAccount): Mailbox {
  expect(id);
  const send: typeof fetch = async (...request) => {
    const response = await fetch(...request);
    if (response.status === 401) void askAbout(id);
    return response;
  };
  return { id, username, casella: new Casella(SERVICE, { token, onToken: () => void store(), fetch: send }) };
}

async function store(): Promise<void> {
  const all = mailboxes.value;
  await keep(SESSIONS, all.map(({ id, username, casella }) => ({ id, username, token: casella.token ?? '' })));
  await storeAccounts();
  tabs?.postMessage({} satisfies News);
}

/** What the mailboxes can do. It leaves the tokens alone: another tab may have newer ones. */
function storeAccounts(): Promise<void> {
  return keep(CAPABILITIES, Object.fromEntries(mailboxes.value.map(({ id, account }) => [id, account])));
}
