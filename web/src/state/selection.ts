import { computed, effect, signal } from '@preact/signals';
import { type Conversation, idsOf } from './conversations';
import { conversations, list } from './list';
import { route } from './route';

/** Keys of the conversations that are ticked. */
export const selected = signal<ReadonlySet<string>>(new Set());
/** The conversation that keys act on. */
export const focused = signal<string>();

export const chosen = computed(() => conversations.value.filter(({ key }) => selected.value.has(key)));

export function select(key: string, isSelected = !selected.value.has(key)): void {
  const next = new Set(selected.value);
  if (isSelected) next.add(key);
  else next.delete(key);
  selected.value = next;
}

export function selectAll(): void {
  const all = conversations.value.map(({ key }) => key);
  selected.value = new Set(selected.value.size === all.length ? [] : all);
}

export function clearSelection(): void {
  selected.value = new Set();
}

/** What an action is about: the ticked ones, else the one that is read or focused. */
export function targets(): string[] {
  if (chosen.value.length) return idsOf(chosen.value);
  const { message } = route.value;
  if (message && !opened()) return [message]; // it was opened by its address, and is not in the list
  const one = opened() ?? conversations.value.find(({ key }) => key === focused.value);
  return one ? idsOf([one]) : [];
}

/** The conversation of the list that is read. */
export function opened(): Conversation | undefined {
  const { message } = route.value;
  return message ? conversations.value.find(({ rows }) => rows.some((row) => row.id === message)) : undefined;
}

/** The conversation before or after, as keys move through the list. */
export function neighbour(step: number): Conversation | undefined {
  const all = conversations.value;
  const key = opened()?.key ?? focused.value;
  const at = all.findIndex((one) => one.key === key);
  return at < 0 ? all[0] : all[Math.min(all.length - 1, Math.max(0, at + step))];
}

const name = computed(() => list.value.name);
effect(() => {
  void name.value;
  selected.value = new Set();
  focused.value = undefined;
});
