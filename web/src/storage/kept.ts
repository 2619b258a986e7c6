import { database } from './database';
import { forgetAll, seal, unseal } from './vault';

/** Sessions: names of what is kept from one visit to the next. */
export interface KeptAccount {
  id: string;
  username: string;
  token: string;
}

export const SESSIONS = 'sessions';
let last: Promise<unknown> = Promise.resolve();

/** The name of what is kept for one account, until it signs out. */
export function nameFor(account: string, name: string): string {
  return `${account}/${name}`;
}

/** One change after the other: sealing takes its time, and the last one wins. */
function inTurn(act: () => Promise<void>): Promise<void> {
  const mine = last.then(act);
  last = mine.catch(() => undefined);
  return mine;
}

/** Keep a value. A browser that keeps nothing is no error: the value lives as long as the page. */
export async function keep(name: string, value: unknown): Promise<void> {
  try {
    await inTurn(async () => {
      const sealed = await seal(value);
      await (await database()).put('kept', sealed, name);
    });
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

/** All that is kept for one account under names that begin so. */
export async function keptFor<T>(account: string, prefix: string): Promise<T[]> {
  try {
    await last;
    const names = await (await database()).getAllKeys('kept', namesOf(account, prefix));
    return (await Promise.all(names.map((name) => kept<T>(name)))).filter((one) => one !== undefined);
  } catch {
    return [];
  }
}

export async function drop(name: string): Promise<void> {
  await inTurn(async () => (await database()).delete('kept', name)).catch(() => undefined);
}

/** Forget what is kept for one account. */
export function dropFor(account: string): Promise<void> {
  return inTurn(async () => (await database()).delete('kept', namesOf(account)));
}

/** Forget everything, and the key. */
export function dropAll(): Promise<void> {
  return inTurn(forgetAll);
}

function namesOf(account: string, prefix = ''): IDBKeyRange {
  return IDBKeyRange.bound(nameFor(account, prefix), nameFor(account, `${prefix}\uffff`));
}
