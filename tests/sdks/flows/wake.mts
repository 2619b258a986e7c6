// wake.mjs URL USERNAME PASSWORD PUSH KEYS BODY SECRET ID STAMP SIGNATURE WEBHOOK verifies and renews a subscription by a push, and verifies a
// webhook. It prints what came of it as JSON.
import { Casella, readPush, verifyWebhook } from 'casella-client';

declare const process: { argv: string[] };
declare const console: { log(...told: unknown[]): void };
const [url, username, password, push, , , secret, id, stamp, signature, webhook] = process.argv.slice(2);
const casella = new Casella(url, { username, password });
const headers = { 'webhook-id': id, 'webhook-timestamp': stamp, 'webhook-signature': signature };

async function isRefused(body: string, tolerance?: number): Promise<boolean> {
  try {
    await verifyWebhook(secret, headers, body, tolerance);
    return false;
  } catch {
    return true;
  }
}

const confirmed = await casella.confirm(readPush(push));
if (!confirmed) throw new Error('there was nothing to confirm');
console.log(JSON.stringify({
  confirmed: confirmed.id,
  renewed: [await casella.renew(confirmed), await casella.renew({ id: 'p_none', code: 'code' })],
  webhook: [(await verifyWebhook(secret, headers, webhook)).account, await isRefused('{}'), await isRefused(webhook, -1)],
}));
