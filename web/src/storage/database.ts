import { type DBSchema, type IDBPDatabase, openDB } from 'idb';

/** Octets that only this browser can read: see vault.ts. */
export interface Sealed {
  iv: Uint8Array<ArrayBuffer>;
  octets: ArrayBuffer;
}

interface Tables extends DBSchema {
  keys: { key: string; value: CryptoKey };
  kept: { key: string; value: Sealed };
  /** Mail that was seen, by account; `at` orders what is forgotten first. */
  seen: { key: string; value: Sealed & { account: string; at: number }; indexes: { account: string; at: number } };
}

let opened: Promise<IDBPDatabase<Tables>> | undefined;

/** Rejects if the browser keeps nothing, such as in some private windows. */
export function database(): Promise<IDBPDatabase<Tables>> {
  opened ??= openDB<Tables>('casella', 1, {
    upgrade(made) {
      made.createObjectStore('keys');
      made.createObjectStore('kept');
      const seen = made.createObjectStore('seen');
      seen.createIndex('account', 'account');
      seen.createIndex('at', 'at');
    },
  });
  return opened;
}
