/** The first push. Keep it: it renews the subscription, too. */
export interface Verification {
  id: string;
  code: string;
}

/** What a push says: that an account has changed, or that the device should be verified. */
export interface Push {
  account?: string;
  token?: string;
  folders?: string[];
  at?: string;
  /** With `alert`: who wrote. */
  from?: string;
  subject?: string;
  signInAgain?: boolean;
  verification?: Verification;
}

/** A push as the platform gives it, or the member `casella` of FCM and APNs. */
export function readPush(text: string): Push {
  const said: unknown = JSON.parse(text);
  if (typeof said !== 'object' || said === null || Array.isArray(said)) throw new Error('This is no push.');
  return said as Push;
}

/** The push in a request to a back end. Throws unless it was signed with the secret of the subscription within `tolerance` seconds. */
export async function verifyWebhook(
  secret: string, headers: Headers | Record<string, string | undefined>, body: string, tolerance = 300,
): Promise<Push> {
  const given = (name: string): string =>
    (headers instanceof Headers ? headers.get(name) : headers[name] ?? headers[name.toLowerCase()]) ?? '';
  const id = given('Webhook-Id');
  const stamp = given('Webhook-Timestamp');
  const octets = Uint8Array.from(atob(secret.replace(/^whsec_/, '')), (letter) => letter.charCodeAt(0));
  const key = await crypto.subtle.importKey('raw', octets, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
  const signed = new TextEncoder().encode(`${id}.${stamp}.${body}`);
  const isRecent = /^\d+$/.test(stamp) && Math.abs(Date.now() / 1000 - Number(stamp)) <= tolerance;
  for (const each of isRecent ? given('Webhook-Signature').split(' ') : []) {
    if (!/^v1,[A-Za-z0-9+/]+={0,2}$/.test(each)) continue;
    const signature = Uint8Array.from(atob(each.slice(3)), (letter) => letter.charCodeAt(0));
    if (await crypto.subtle.verify('HMAC', key, signature, signed)) return readPush(body);
  }
  throw new Error('This webhook is not signed, or too old.');
}
