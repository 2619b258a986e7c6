import { effect, signal } from '@preact/signals';
import { isUncovering } from './backButton';

/** What the page shows. It stands in the address, so that back and reload work. */
export interface Route {
  folder: string;
  query?: string;
  message?: string;
  panel?: 'settings' | 'import';
}

export const route = signal<Route>(read());

function read(): Route {
  const [folder, message] = location.hash.replace(/^#\/?/, '').split('?')[0]!.split('/').map(decoded);
  const query = new URLSearchParams(location.hash.split('?')[1] ?? '').get('q') ?? undefined;
  if (folder === 'settings' || folder === 'import') return { folder: 'inbox', panel: folder };
  return { folder: folder || 'inbox', message: message || undefined, query };
}

/** Text of an address; as it is if it is none. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function written({ folder, message, query, panel }: Route): string {
  if (panel) return `#/${panel}`;
  const path = [folder, ...(message ? [message] : [])].map(encodeURIComponent).join('/');
  return `#/${path}${query ? `?${new URLSearchParams({ q: query })}` : ''}`;
}

export function go(to: Route): void {
  const hash = written(to);
  if (hash !== location.hash) history.pushState(null, '', hash);
  route.value = to;
}

/** Leave the message, back to its list. */
export function goToList(): void {
  const { folder, query } = route.value;
  go({ folder, query });
}

addEventListener('popstate', () => {
  if (!isUncovering()) route.value = read();
});
effect(() => {
  document.documentElement.dataset.view = route.value.message ? 'message' : 'list';
});
