import { database, type Sealed } from './database';

const ALGORITHM = 'AES-GCM';
const IV_OCTETS = 12;
let held: Promise<CryptoKey> | undefined;

/** The key of this browser. Scripts can use it, but nobody can read it. */
async function loaded(): Promise<CryptoKey> {
  const store = await database();
  const known = await store.get('keys', 'vault');
  if (known) return known;
  const made = await crypto.subtle.generateKey({ name: ALGORITHM, length: 256 }, false, ['encrypt', 'decrypt']);
  const change = store.transaction('keys', 'readwrite');
  const first = await change.store.get('vault'); // another tab may have been faster
  if (!first) await change.store.put(made, 'vault');
  await change.done;
  return first ?? made;
}

function key(): Promise<CryptoKey> {
  held ??= loaded();
  return held;
}

/** Read the key again: another part of this browser may have made a new one. */
export function renewKey(): void {
  held = undefined;
}

/** A value of JSON, encrypted. */
export async function seal(value: unknown): Promise<Sealed> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_OCTETS));
  const text = new TextEncoder().encode(JSON.stringify(value));
  return { iv, octets: await crypto.subtle.encrypt({ name: ALGORITHM, iv }, await key(), text) };
}

/** What was sealed; undefined if the key is another one by now. */
export async function unseal<T>(sealed: Sealed): Promise<T | undefined> {
  try {
    const octets = await crypto.subtle.decrypt({ name: ALGORITHM, iv: sealed.iv }, await key(), sealed.octets);
    return JSON.parse(new TextDecoder().decode(octets)) as T;
  } catch {
    return undefined;
  }
}

/** Forget all that was kept, and the key: what remains on the disk is noise. */
export async function forgetAll(): Promise<void> {
  held = undefined;
  const store = await database();
  await Promise.all([store.clear('keys'), store.clear('kept'), store.clear('seen')]);
}
