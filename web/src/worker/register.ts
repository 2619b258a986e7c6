/** The worker that keeps the page itself for offline. Without TLS there is none. */
export async function registerWorker(): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  try {
    await navigator.serviceWorker.register(addressOf('worker.js') as string, { scope: './' });
  } catch {
    // the page works without it
  }
}

/** Whether this browser can be woken by pushes. */
export function hasPush(): boolean {
  return 'serviceWorker' in navigator && 'PushManager' in window && 'Notification' in window;
}

/** No push comes any more, whoever sends one. */
export async function endPushes(): Promise<void> {
  if (!hasPush()) return;
  const registration = await navigator.serviceWorker.getRegistration();
  await (await registration?.pushManager.getSubscription())?.unsubscribe();
}

interface Policies {
  createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): { createScriptURL(url: string): unknown };
}

/** Our policy takes no text for the address of a script, unless it comes from here. */
function addressOf(file: string): unknown {
  const { trustedTypes } = globalThis as { trustedTypes?: Policies };
  return trustedTypes?.createPolicy('casella', { createScriptURL: (url) => url }).createScriptURL(file) ?? file;
}
