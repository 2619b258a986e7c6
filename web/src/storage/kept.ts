import { database } from './database';
import { seal, unseal } from './vault';

/** Sessions: names of what is kept from one visit to the next. */
export interface KeptAccount {
  id: string;
  username: string;
  token: string;
}

export const SESSIONS = 'sessions';

/** The name of what is kept for one account, until it signs out. */
export function nameFor(account: string, name: string): string {
  return `${account}/${name}`;
}

/** Keep a value. A browser that keeps nothing is no error: the value lives as long as the page. */
export async function keep(name: string, value: unknown): Promise<void> {
  try {
    const sealed = await seal(value);
    await (await database()).put('kept', sealed, name);
  } catch {
    // nothing is kept without TLS, or in some private windows
  }
}

export async function kept<T>(name: string): Promise<T | undefined> {
  try {
    const sealed = await (await database()).get('kept', name);
    return sealed && (await unseal<T>(sealed));
  } catch {
    return undefined;
  }
}

export async function drop(name: string): Promise<void> {
  await database().then((store) => store.delete('kept', name)).catch(() => undefined);
}

/** Forget what is kept for one account. */
export async function dropFor(account: string): Promise<void> {
  const all = IDBKeyRange.bound(nameFor(account, ''), nameFor(account, '\uffff'));
  await (await database()).delete('kept', all);
}
