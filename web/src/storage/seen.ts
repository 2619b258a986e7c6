import { database } from './database';
import { seal, unseal } from './vault';

/** Messages and lists that stay readable offline. */
const MOST = 600;
const SPARE = 60;
let written = 0;
/** Accounts that have signed out: what comes for them afterwards is not remembered. */
const gone = new Set<string>();

/** Remember what was seen, for later and for offline. */
export async function remember(account: string, name: string, value: unknown): Promise<void> {
  try {
    const sealed = await seal(value);
    const store = await database();
    if (gone.has(account)) return;
    await store.put('seen', { ...sealed, account, at: Date.now() }, `${account}/${name}`);
    if (++written % SPARE === 1) await forgetOldest();
  } catch {
    // the page works without it
  }
}

export async function recall<T>(account: string, name: string): Promise<T | undefined> {
  try {
    const sealed = await (await database()).get('seen', `${account}/${name}`);
    return sealed && (await unseal<T>(sealed));
  } catch {
    return undefined;
  }
}

/** An account has signed in. */
export function expect(account: string): void {
  gone.delete(account);
}

/** Forget the mail of an account that signs out. */
export async function forget(account: string): Promise<void> {
  gone.add(account);
  const change = (await database()).transaction('seen', 'readwrite');
  for (const name of await change.store.index('account').getAllKeys(account)) await change.store.delete(name);
  await change.done;
}

async function forgetOldest(): Promise<void> {
  const change = (await database()).transaction('seen', 'readwrite');
  const excess = (await change.store.count()) - MOST;
  if (excess > 0) {
    const oldest = await change.store.index('at').getAllKeys(null, excess);
    for (const name of oldest) await change.store.delete(name);
  }
  await change.done;
}
