// Pushes, whether the page is open or not: the first one is answered, the others are shown.
import { keep, kept, type KeptAccount, nameFor, SESSIONS } from '../storage/kept';
import { CODE, type Code, OPENING, type Push, WAKING_WORDS, type WakingWords, type WorkerMessage } from '../storage/waking';
import { renewKey } from '../storage/vault';

const worker = self as unknown as ServiceWorkerGlobalScope;
const WORDS: WakingWords = { newMail: 'New mail', signInAgain: 'Sign in again' };

worker.addEventListener('push', (event) => event.waitUntil(received(event.data?.json() as Push | undefined)));

worker.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(opened(event.notification.data as Push));
});

async function received(push: Push = {}): Promise<void> {
  renewKey();
  if (push.verification) return verify(push.verification);
  const sessions = (await kept<KeptAccount[]>(SESSIONS)) ?? [];
  const account = sessions.find(({ id }) => id === push.account);
  if (!account) return; // it has signed out while the service could not be reached
  const pages = await worker.clients.matchAll({ type: 'window' });
  if (pages.some((page) => page.focused) && !push.signInAgain) return; // the page shows it itself
  await show(push, sessions.length > 1 ? account.username : '', account.username);
}

async function show(push: Push, among: string, username: string): Promise<void> {
  const words = (await kept<WakingWords>(WAKING_WORDS)) ?? WORDS;
  const isNamed = push.from !== undefined || push.subject !== undefined;
  const title = push.signInAgain ? words.signInAgain : nameOf(push.from) || words.newMail;
  const lines = push.signInAgain || !isNamed ? [username] : [push.subject, among];
  await worker.registration.showNotification(title, {
    body: lines.filter(Boolean).join('\n'),
    icon: 'icon-180.png',
    badge: 'icon-180.png',
    // Those that name their message stay beside each other; the others replace each other.
    tag: isNamed ? undefined : push.account,
    data: push,
  });
}

/** The name of a sender, or the address if there is none. */
function nameOf(from = ''): string {
  return from.replace(/\s*<[^<>]*>$/, '').replace(/^"(.*)"$/, '$1') || from.replace(/^<|>$/g, '');
}

/** Send the code back: the service then knows that pushes come here. It does not say whose subscription it is. */
async function verify(code: Code): Promise<void> {
  for (const account of (await kept<KeptAccount[]>(SESSIONS)) ?? []) {
    const response = await fetch(new URL(`../v1/accounts/me/subscriptions/${encodeURIComponent(code.id)}`, worker.registration.scope), {
      method: 'POST',
      headers: { Authorization: `Bearer ${account.token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ code: code.code }),
    });
    const token = response.headers.get('Casella-Token') ?? undefined;
    if (token) await renewed(account.id, token);
    if (response.ok) await keep(nameFor(account.id, CODE), code);
    if (token || response.ok) await tell({ confirmed: account.id, token });
    if (response.ok) return;
  }
}

async function renewed(id: string, token: string): Promise<void> {
  const sessions = (await kept<KeptAccount[]>(SESSIONS)) ?? [];
  await keep(SESSIONS, sessions.map((one) => (one.id === id ? { ...one, token } : one)));
}

/** Show what a notification is about in the page that was used last, else in a new one. */
async function opened(push: Push): Promise<void> {
  renewKey();
  await keep(OPENING, push);
  const [page] = await worker.clients.matchAll({ type: 'window' });
  if (!page) {
    await worker.clients.openWindow('./');
    return;
  }
  await tell({ isOpening: true });
  await page.focus();
}

async function tell(message: WorkerMessage): Promise<void> {
  for (const page of await worker.clients.matchAll({ type: 'window' })) page.postMessage(message);
}
