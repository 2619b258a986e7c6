/** The worker that keeps the page itself for offline. Without TLS there is none. */
export async function registerWorker(): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  try {
    await navigator.serviceWorker.register(addressOf('worker.js') as string, { scope: './' });
  } catch {
    // the page works without it
  }
}

interface Policies {
  createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): { createScriptURL(url: string): unknown };
}

/** Our policy takes no text for the address of a script, unless it comes from here. */
function addressOf(file: string): unknown {
  const { trustedTypes } = globalThis as { trustedTypes?: Policies };
  return trustedTypes?.createPolicy('casella', { createScriptURL: (url) => url }).createScriptURL(file) ?? file;
}
