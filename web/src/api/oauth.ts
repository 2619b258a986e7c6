import type { FoundServer, NewSession, OAuthProvider } from 'casella-client';
import { drop, keep, kept } from '../storage/kept';

/** What the page has to know when the provider sends the user back. */
interface Errand {
  state: string;
  verifier: string;
  username: string;
  server?: string;
}

const ERRAND = 'oauth';

export function redirectUri(): string {
  return new URL('.', document.baseURI).href;
}

/** Send the user to the provider's page (RFC 7636). */
export async function visitProvider(address: string, found: FoundServer, oauth: OAuthProvider): Promise<void> {
  const [state, verifier] = [randomText(), randomText()];
  const username = found.login === 'localpart' ? address.split('@')[0]! : address;
  await keep(ERRAND, { state, verifier, username, server: found.server } satisfies Errand);
  const url = new URL(oauth.authorizationEndpoint);
  const query = {
    response_type: 'code',
    client_id: oauth.clientId,
    scope: oauth.scopes.join(' '),
    redirect_uri: redirectUri(),
    login_hint: address,
    state,
    code_challenge: await challengeOf(verifier),
    code_challenge_method: 'S256',
    access_type: 'offline',
    prompt: 'consent',
  };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  location.assign(url);
}

/** The sign-in of a user who comes back from the provider, once. */
export async function returned(): Promise<NewSession | undefined> {
  const query = new URLSearchParams(location.search);
  const [code, state] = [query.get('code'), query.get('state')];
  if (!code || !state) return undefined;
  history.replaceState(null, '', location.pathname + location.hash);
  const errand = await kept<Errand>(ERRAND);
  await drop(ERRAND);
  if (errand?.state !== state) return undefined;
  const { username, verifier: codeVerifier, server } = errand;
  return { username, server, code, codeVerifier, redirectUri: redirectUri() };
}

function randomText(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

async function challengeOf(verifier: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier))));
}

function base64url(octets: Uint8Array): string {
  return btoa(String.fromCharCode(...octets)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}
