// The page itself, for offline and for a fast start. It keeps no mail: that is in state and storage.
import './push';

declare const SHELL: string[];
declare const VERSION: string;
const CACHE = `shell-${VERSION}`;
const worker = self as unknown as ServiceWorkerGlobalScope;

interface Routing {
  addRoutes?(rules: { condition: { urlPattern: string }; source: 'network' }[]): Promise<void>;
}

worker.addEventListener('install', (event) => {
  // What the page sends while it is left reaches the service without this worker, which may have to start first.
  const api = new URL('../v1/*', worker.registration.scope).href;
  void (event as Routing).addRoutes?.([{ condition: { urlPattern: api }, source: 'network' }]);
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(SHELL.map((file) => new Request(file, { cache: 'no-cache' })))));
  void worker.skipWaiting();
});

worker.addEventListener('activate', (event) => {
  event.waitUntil(forgetOthers().then(() => worker.clients.claim()));
});

async function forgetOthers(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)));
}

worker.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  const root = new URL('./', worker.registration.scope);
  if (event.request.method !== 'GET' || url.origin !== root.origin || !url.pathname.startsWith(root.pathname)) return;
  const isPage = event.request.mode === 'navigate' && event.request.destination === 'document';
  event.respondWith(isPage ? fromNetwork(event.request) : fromCache(event.request));
});

/** The newest page; the kept one offline. */
async function fromNetwork(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch {
    return (await caches.match('./', { cacheName: CACHE })) ?? Response.error();
  }
}

async function fromCache(request: Request): Promise<Response> {
  return (await caches.match(request, { ignoreSearch: true, cacheName: CACHE })) ?? fetch(request);
}
