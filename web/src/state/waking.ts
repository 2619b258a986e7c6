import { batch, effect, signal } from '@preact/signals';
import { isProblem } from '../api/service';
import { t } from '../i18n';
import { drop, keep, kept, nameFor } from '../storage/kept';
import { CODE, type Code, OPENING, type Push, WAKING, WAKING_WORDS, type Waking, type WakingWords, type WorkerMessage } from '../storage/waking';
import { hasPush } from '../worker/register';
import { currentId, type Mailbox, mailboxes, renewSession, use } from './accounts';
import { go, route } from './route';

/** How far an account is: `waiting` until its first push has come. */
export interface WakingState {
  state: 'off' | 'waiting' | 'on';
  alert: boolean;
}

const LOOKED = 20; // messages among which that of a notification is
const OFF: WakingState = { state: 'off', alert: true };
export const wakings = signal<Record<string, WakingState>>({});

export function wakingOf({ id }: Mailbox): WakingState {
  return wakings.value[id] ?? OFF;
}

/** Once, when the page opens: what wakes this browser goes on, and what was clicked is shown. */
export async function startWaking(): Promise<void> {
  if (!hasPush()) return;
  navigator.serviceWorker.addEventListener('message', (event: MessageEvent<WorkerMessage>) => void heard(event.data));
  effect(() => void keep(WAKING_WORDS, { newMail: t().newMail, signInAgain: t().signInAgain } satisfies WakingWords));
  await openWanted();
  await Promise.all(mailboxes.value.map((box) => renew(box).catch(() => undefined)));
}

/** Whether new mail of this account can wake this browser. */
export async function canWake({ casella }: Mailbox): Promise<boolean> {
  if (!hasPush() || !(await navigator.serviceWorker.getRegistration())) return false;
  try {
    const [{ kinds }] = await Promise.all([casella.push.getPush(), casella.push.listSubscriptions({ account: 'me' })]);
    return kinds.includes('webpush');
  } catch {
    return false; // 501, or the service cannot be reached
  }
}

/** Subscribe, if the user allows it. Called in a click, for the browser asks them. */
export async function wake(box: Mailbox, alert: boolean): Promise<void> {
  if ((await Notification.requestPermission()) === 'granted') await subscribe(box, alert);
}

export async function stopWaking(box: Mailbox): Promise<void> {
  const waking = await forget(box);
  if (waking) await box.casella.push.deleteSubscription({ account: 'me', subscription: waking.id }).catch(ignoreMissing);
}

async function subscribe(box: Mailbox, alert: boolean): Promise<void> {
  const { vapid } = await box.casella.push.getPush();
  const { endpoint, keys } = (await subscriptionWith(vapid.publicKey)).toJSON();
  if (!endpoint || !keys?.p256dh || !keys.auth) throw new Error('The browser gave no keys.');
  set(box, { state: 'waiting', alert });
  try {
    const subscriptionRequest = {
      kind: 'webpush' as const, endpoint, keys: { p256dh: keys.p256dh, auth: keys.auth }, device: await device(), alert,
    };
    const { id } = await box.casella.push.createSubscription({ account: 'me', subscriptionRequest });
    await keep(nameFor(box.id, WAKING), { id, endpoint, vapid: vapid.id, alert } satisfies Waking);
    await check(box);
  } catch (error) {
    await forget(box);
    throw error;
  }
}

/** The browser's own subscription, which all accounts share. */
async function subscriptionWith(publicKey: string): Promise<PushSubscription> {
  const { pushManager } = await navigator.serviceWorker.ready;
  const known = await pushManager.getSubscription();
  if (known && keyOf(known) === publicKey.replace(/=+$/, '')) return known;
  await known?.unsubscribe();
  return pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: publicKey });
}

function keyOf({ options }: PushSubscription): string {
  const octets = new Uint8Array(options.applicationServerKey ?? new ArrayBuffer(0));
  return btoa(String.fromCharCode(...octets)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

/** The name of this browser: the same device replaces its subscription. */
async function device(): Promise<string> {
  const known = await kept<string>('device');
  const name = known ?? `page-${crypto.randomUUID()}`;
  if (!known) await keep('device', name);
  return name;
}

/** Let the subscription live on; a new one if it has ended, or if the browser or the service has other keys by now. */
async function renew(box: Mailbox): Promise<void> {
  const waking = await kept<Waking>(nameFor(box.id, WAKING));
  if (!waking) return;
  if (Notification.permission !== 'granted') return stopWaking(box);
  set(box, { state: 'waiting', alert: waking.alert });
  try {
    if (await lives(box, waking)) await check(box);
    else await subscribe(box, waking.alert);
  } catch (error) {
    if (isProblem(error, 'not-supported')) await forget(box);
    else throw error;
  }
}

async function lives(box: Mailbox, waking: Waking): Promise<boolean> {
  const { vapid } = await box.casella.push.getPush();
  const present = await (await navigator.serviceWorker.ready).pushManager.getSubscription();
  if (vapid.id !== waking.vapid || present?.endpoint !== waking.endpoint) return false;
  const code = await kept<Code>(nameFor(box.id, CODE));
  return code?.id === waking.id && box.casella.renew(code);
}

/** Whether the first push has come. */
async function check(box: Mailbox): Promise<void> {
  const [waking, code] = await Promise.all([kept<Waking>(nameFor(box.id, WAKING)), kept<Code>(nameFor(box.id, CODE))]);
  if (waking) set(box, { state: code?.id === waking.id ? 'on' : 'waiting', alert: waking.alert });
}

async function forget(box: Mailbox): Promise<Waking | undefined> {
  const waking = await kept<Waking>(nameFor(box.id, WAKING));
  await Promise.all([WAKING, CODE].map((name) => drop(nameFor(box.id, name))));
  set(box, { ...OFF, alert: wakingOf(box).alert });
  return waking;
}

function set({ id }: Mailbox, state: WakingState): void {
  wakings.value = { ...wakings.value, [id]: state };
}

function ignoreMissing(error: unknown): void {
  if (!isProblem(error, 'not-found')) throw error;
}

async function heard({ confirmed, token, isOpening }: WorkerMessage): Promise<void> {
  if (confirmed && token) await renewSession(confirmed, token);
  const box = mailboxes.value.find(({ id }) => id === confirmed);
  if (box) await check(box);
  if (isOpening) await openWanted();
}

/** Show what the notification that was clicked is about: the message if it is found, else its folder. */
async function openWanted(): Promise<void> {
  const push = await kept<Push>(OPENING);
  const box = mailboxes.value.find(({ id }) => id === push?.account);
  if (!push || !box) return;
  await drop(OPENING);
  const folder = push.folders?.[0] ?? 'inbox';
  batch(() => {
    go({ folder });
    if (currentId.value !== box.id) use(box.id);
  });
  const message = push.subject ? await messageOf(box, folder, push.subject) : undefined;
  if (message && currentId.value === box.id && route.value.folder === folder) go({ folder, message });
}

/** A push does not name its message. It is among the newest. */
async function messageOf({ casella }: Mailbox, folder: string, subject: string): Promise<string | undefined> {
  const { items } = await casella.messages.listMessages({ account: 'me', folder, limit: LOOKED, fields: 'subject' });
  const isCut = subject.endsWith('…');
  const found = items.find((row) => (isCut ? row.subject?.startsWith(subject.slice(0, -1)) : row.subject === subject));
  return found?.id;
}
