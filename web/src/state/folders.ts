import { computed, signal } from '@preact/signals';
import { type Folder, FolderListFromJSON } from 'casella-client';
import { recall, remember } from '../storage/seen';
import { type Mailbox, mailbox } from './accounts';
import { route } from './route';

const ORDER = ['inbox', 'flagged', 'drafts', 'sent', 'archive', 'all', 'junk', 'trash'];

export const folders = signal<Folder[]>([]);
let etag: string | undefined;
let owner = '';

/** The folder that is shown. The address may have its role. */
export const folder = computed(() => folderOf(route.value.folder));

export function folderOf(name: string): Folder | undefined {
  return folders.value.find((one) => one.id === name) ?? withRole(name);
}

export function withRole(role: string): Folder | undefined {
  return folders.value.find((one) => one.role === role);
}

/** Folders with a role first, in the usual order; then the others by name. Each is followed by those in it. */
export const ordered = computed(() => {
  const all = folders.value;
  const known = new Set(all.map((one) => one.id));
  const below = (parent?: string): Folder[] =>
    all
      .filter((one) => (one.parentId && known.has(one.parentId) ? one.parentId : undefined) === parent)
      .sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name))
      .flatMap((one) => [one, ...below(one.id)]);
  return below();
});

function rank({ role }: Folder): number {
  const at = ORDER.indexOf(role ?? '');
  return at < 0 ? ORDER.length : at;
}

export async function loadFolders(): Promise<void> {
  const { id, casella } = mailbox();
  if (owner !== id) await begin(id);
  const answer = await casella.ifChanged(etag, (apis) => apis.folders.listFolders({ account: 'me' }));
  if (owner !== id || !answer.value) return;
  etag = answer.etag;
  folders.value = answer.value.items;
  void remember(id, 'folders', answer.value);
}

async function begin(id: Mailbox['id']): Promise<void> {
  owner = id;
  etag = undefined;
  folders.value = [];
  const known = await recall<object>(id, 'folders');
  if (known && owner === id) folders.value = FolderListFromJSON(known).items;
}

/** Change the count of unread messages at once; the next load has the true one. */
export function countUnread(id: string, difference: number): void {
  folders.value = folders.value.map((one) =>
    one.id === id ? { ...one, unreadMessages: Math.max(0, (one.unreadMessages ?? 0) + difference) } : one,
  );
}

let waiting: ReturnType<typeof setTimeout> | undefined;

/** Load the counts soon: several changes at once cost one request. */
export function loadFoldersSoon(): void {
  clearTimeout(waiting);
  waiting = setTimeout(() => void loadFolders().catch(() => undefined), 600);
}
