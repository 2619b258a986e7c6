import { signal } from '@preact/signals';
import { archive, discard, markRead, star } from './actions';
import { can } from './accounts';
import { undoLast } from './outbox';
import { go, goToList, route } from './route';
import { focused, neighbour, opened, select, selectAll, targets } from './selection';
import { reply } from './writing/answers';
import { compose } from './writing/composing';

/** Whether the help of keys is shown. */
export const isHelp = signal(false);
/** Counts the wishes to pick a folder to move to. */
export const picking = signal(0);

const FOLDERS: Record<string, string> = { i: 'inbox', s: 'flagged', d: 'drafts', t: 'sent', a: 'all' };
const CHORD = 1200; // ms between the two keys of a chord
let first: { key: string; at: number } | undefined;

const KEYS: Record<string, () => void> = {
  j: () => step(1),
  k: () => step(-1),
  o: open,
  Enter: open,
  u: goToList,
  x: () => focused.value && select(focused.value),
  e: () => act(archive),
  '#': () => act(discard),
  Delete: () => act(discard),
  s: () => star(targets()),
  I: () => markRead(targets(), true),
  U: () => markRead(targets(), false),
  v: () => (picking.value += 1),
  z: undoLast,
  r: () => answer('reply'),
  a: () => answer('all'),
  f: () => answer('forward'),
  c: () => can('send') && compose(),
  '/': () => document.querySelector<HTMLInputElement>('#search')?.focus(),
  '?': () => (isHelp.value = true),
};

/** The keys that Gmail's users know. Returns what ends listening. */
export function listenToKeys(): () => void {
  document.addEventListener('keydown', onKey);
  return () => document.removeEventListener('keydown', onKey);
}

/** Also for keys that are pressed in the frame of a message. */
export function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target as Element)) return;
  if (document.querySelector('dialog[open]')) return;
  const act = chordOf(event.key) ?? KEYS[event.key];
  if (!act || (event.key === 'Enter' && (event.target as Element).closest('a,button'))) return;
  event.preventDefault();
  act();
}

function isTyping(target: Element): boolean {
  return Boolean(target.closest('input:not([type=checkbox]),textarea,select,[contenteditable]'));
}

/** `g i` and its like: two keys, one after the other. */
function chordOf(key: string): (() => void) | undefined {
  const begun = first && performance.now() - first.at < CHORD ? first.key : undefined;
  first = key === 'g' || key === '*' ? { key, at: performance.now() } : undefined;
  if (first) return () => undefined;
  if (begun === 'g' && FOLDERS[key]) return () => go({ folder: FOLDERS[key]! });
  return begun === '*' && key === 'a' ? selectAll : undefined;
}

function step(by: number): void {
  const next = neighbour(by);
  if (!next) return;
  focused.value = next.key;
  if (route.value.message) go({ ...route.value, message: next.rows[0]!.id });
}

function open(): void {
  const key = focused.value;
  const found = key && neighbour(0);
  if (found) go({ ...route.value, message: found.rows[0]!.id });
}

/** Do something with the targets, and go on to the next one if a message was read. */
export function act(by: (ids: string[]) => void): void {
  const ids = targets();
  if (!ids.length) return;
  const next = after();
  by(ids);
  if (!route.value.message) focused.value = next;
  else goToList();
}

function after(): string | undefined {
  const here = opened()?.key ?? focused.value;
  const next = neighbour(1)?.key;
  return next === here ? neighbour(-1)?.key : next;
}

function answer(kind: 'reply' | 'all' | 'forward'): void {
  const message = route.value.message;
  if (message && can('send') && can('append')) void reply(message, kind);
}
