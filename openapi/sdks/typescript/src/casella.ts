import {
  AccountsApi, ChangesApi, DraftsApi, FetchesApi, FoldersApi, HealthApi, ImportsApi, MessagesApi, PeopleApi, PushApi, SendingApi,
  SessionsApi, SettingsApi,
} from './apis/index.js';
import { type AccountEvent, readEvents, type StreamOptions } from './events.js';
import type { CreatedSubscription, ImportResult, NewImport, NewSession, Session, SubscriptionRequest } from './models/index.js';
import { ApiProblem, problemOf } from './problem.js';
import type { Push, Verification } from './push.js';
import { pause, RETRIES, type Retries, waitAfter } from './retries.js';
import type { Configuration } from './runtime.js';

export interface CasellaOptions {
  /** A session token of an earlier `signIn`. */
  token?: string;
  /** Called with each new token: after `signIn`, and when the service renews it. */
  onToken?: (token: string) => void;
  /** A mailbox's own credentials, sent with every request in place of a token. */
  username?: string;
  password?: string;
  retries?: Partial<Retries>;
  /** In place of the global `fetch`. */
  fetch?: typeof fetch;
}

/** The answer to a conditional request. `value` is absent if nothing changed. */
export interface Answer<T> {
  value?: T;
  etag?: string;
  isUnchanged: boolean;
}

export interface EventsOptions extends Omit<StreamOptions, 'retries'> {
  account?: string;
  /** Ids or roles. Default: all folders. */
  folders?: string[];
}

export interface WakeOptions extends Pick<SubscriptionRequest, 'device' | 'folders' | 'events' | 'alert'> {
  account?: string;
}

const REPEATABLE = ['GET', 'HEAD', 'PUT', 'DELETE'];

/** A client of one service, for one account: `new Casella(url)` and `signIn`, or `new Casella(url, { token })`. */
export class Casella {
  readonly accounts: AccountsApi;
  readonly changes: ChangesApi;
  readonly drafts: DraftsApi;
  readonly fetches: FetchesApi;
  readonly folders: FoldersApi;
  readonly health: HealthApi;
  readonly imports: ImportsApi;
  readonly messages: MessagesApi;
  readonly sending: SendingApi;
  readonly people: PeopleApi;
  readonly push: PushApi;
  readonly settings: SettingsApi;
  readonly sessions: SessionsApi;
  private readonly connection: Connection;

  constructor(url: string, options: CasellaOptions = {}) {
    this.connection = new Connection(url.replace(/\/+$/, ''), options);
    const apis = apisOn(this.connection);
    this.accounts = apis.accounts;
    this.changes = apis.changes;
    this.drafts = apis.drafts;
    this.fetches = apis.fetches;
    this.folders = apis.folders;
    this.health = apis.health;
    this.imports = apis.imports;
    this.messages = apis.messages;
    this.sending = apis.sending;
    this.people = apis.people;
    this.push = apis.push;
    this.settings = apis.settings;
    this.sessions = apis.sessions;
  }

  /** The session token in use. */
  get token(): string | undefined {
    return this.connection.token;
  }

  /** Sign in and use the token from then on. */
  async signIn(newSession: NewSession): Promise<Session> {
    const session = await this.sessions.createSession({ newSession });
    this.connection.renew(session.token);
    return session;
  }

  /** End the session. Its token is forgotten, even if the service cannot be reached. */
  async signOut(): Promise<void> {
    try {
      await this.sessions.deleteSession();
    } finally {
      this.connection.token = undefined;
    }
  }

  /** Repeat a call only if its result has changed: `ifChanged(etag, ({ folders }) => folders.listFolders({ account }))`. Without
   * an ETag the call is made in any case. */
  async ifChanged<T>(etag: string | undefined, call: (apis: Apis) => Promise<T>): Promise<Answer<T>> {
    const condition = new Condition(this.connection, etag);
    try {
      const value = await call(apisOn(condition));
      return { value, etag: condition.etag, isUnchanged: false };
    } catch (error) {
      if (!(error instanceof Unchanged)) throw error;
      return { etag, isUnchanged: true };
    }
  }

  /** Subscribe this browser, by its service worker. Ask in a click: the browser asks the user. The first push then comes to the worker. */
  async subscribe(registration: ServiceWorkerRegistration, options: WakeOptions): Promise<CreatedSubscription> {
    const { account = 'me', ...rest } = options;
    const { vapid } = await this.push.getPush();
    await (await registration.pushManager.getSubscription())?.unsubscribe();
    const key = { userVisibleOnly: true, applicationServerKey: vapid.publicKey };
    const { endpoint, keys } = (await registration.pushManager.subscribe(key)).toJSON();
    if (!endpoint || !keys?.p256dh || !keys.auth) throw new Error('The browser gave no keys.');
    const subscriptionRequest = { kind: 'webpush' as const, endpoint, keys: { p256dh: keys.p256dh, auth: keys.auth }, ...rest };
    return this.push.createSubscription({ account, subscriptionRequest });
  }

  /** Verify the subscription if the push asks for it. Store what is returned, and `renew` with it. */
  async confirm(push: Push, account = 'me'): Promise<Verification | undefined> {
    const { verification } = push;
    if (verification) await this.verify(account, verification);
    return verification;
  }

  /** Let the subscription live seven days more. False if it has ended: subscribe again. */
  async renew(verification: Verification, account = 'me'): Promise<boolean> {
    try {
      await this.verify(account, verification);
      return true;
    } catch (error) {
      if (error instanceof ApiProblem && error.status === 404) return false;
      throw error;
    }
  }

  private async verify(account: string, { id, code }: Verification): Promise<void> {
    await this.push.verifySubscription({ account, subscription: id, subscriptionCode: { code } });
  }

  /** Import mail of another mailbox to the end, in as many requests as it takes. `each` gets the result of each. If this is broken
   * off, the same import goes on later: nothing is copied twice. */
  async importAll(
    newImport: NewImport,
    each: (result: ImportResult) => void = () => {},
    account = 'me',
  ): Promise<ImportResult> {
    for (let next = newImport; ; ) {
      const result = await this.imports.importMail({ account, newImport: next });
      each(result);
      if (result.isDone) return result;
      await pause(1000 * (result.retryAfter ?? 0));
      next = { token: result.token, seconds: newImport.seconds };
    }
  }

  /** The changes of an account, without end: a stream that breaks is continued after its last event. */
  events({ account = 'me', folders = [], ...options }: EventsOptions = {}): AsyncGenerator<AccountEvent> {
    const query = folders.length ? `?${new URLSearchParams({ folders: folders.join(',') })}` : '';
    const path = `/v1/accounts/${encodeURIComponent(account)}/events${query}`;
    const open = (headers: Record<string, string>, signal: AbortSignal): Promise<Response> =>
      this.connection.once(path, { headers, signal });
    return readEvents(open, { ...options, retries: this.connection.retries });
  }
}

/** The generated calls, by tag. */
export type Apis = ReturnType<typeof apisOn>;

function apisOn(connection: Configuration) {
  return {
    accounts: new AccountsApi(connection),
    changes: new ChangesApi(connection),
    drafts: new DraftsApi(connection),
    fetches: new FetchesApi(connection),
    folders: new FoldersApi(connection),
    health: new HealthApi(connection),
    imports: new ImportsApi(connection),
    messages: new MessagesApi(connection),
    sending: new SendingApi(connection),
    people: new PeopleApi(connection),
    push: new PushApi(connection),
    settings: new SettingsApi(connection),
    sessions: new SessionsApi(connection),
  };
}

/** Sends requests as the account, and repeats those that may succeed later. */
class Connection implements Configuration {
  token?: string;
  readonly retries: Retries;
  private readonly fetch: typeof fetch;

  constructor(private readonly url: string, private readonly options: CasellaOptions) {
    this.token = options.token;
    this.retries = { ...RETRIES, ...options.retries };
    this.fetch = options.fetch ?? ((input, init) => fetch(input, init));
  }

  renew(token: string): void {
    if (token === this.token) return;
    this.token = token;
    this.options.onToken?.(token);
  }

  /** One attempt. Takes a new session token from the response. */
  async once(path: string, init: RequestInit): Promise<Response> {
    const sent = this.token;
    const response = await this.fetch(this.url + path, { ...init, headers: this.authorized(init.headers) });
    const token = response.headers.get('Casella-Token');
    if (token && sent === this.token) this.renew(token); // not after a sign-out, nor after a newer one
    return response;
  }

  async send(path: string, init: RequestInit): Promise<Response> {
    const attempts = isRepeatable(init) ? this.retries.attempts : 1;
    for (let attempt = 1; ; attempt++) {
      const response = await this.once(path, init).catch((error: unknown) => {
        if (attempt >= attempts || init.signal?.aborted || !(error instanceof TypeError)) throw error;
      });
      if (response?.ok || response?.status === 304) return response;
      const problem = response ? await problemOf(response) : undefined;
      const wait = waitAfter(attempt, this.retries, problem);
      if (problem && (!problem.retryable || attempt >= attempts || wait > this.retries.longestWait)) throw problem;
      await pause(wait, init.signal);
    }
  }

  private authorized(given: RequestInit['headers']): Headers {
    const headers = new Headers(given);
    const { username, password } = this.options;
    if (this.token) headers.set('Authorization', `Bearer ${this.token}`);
    else if (username !== undefined) headers.set('Authorization', `Basic ${base64(`${username}:${password}`)}`);
    return headers;
  }
}

function isRepeatable(init: RequestInit): boolean {
  return REPEATABLE.includes(init.method ?? 'GET') || new Headers(init.headers).has('Idempotency-Key');
}

/** `btoa` of UTF-8. */
function base64(text: string): string {
  return btoa(Array.from(new TextEncoder().encode(text), (octet) => String.fromCharCode(octet)).join(''));
}

class Unchanged extends Error {}

/** Sends requests with an ETag, and keeps the one of the response. */
class Condition implements Configuration {
  etag?: string;

  constructor(private readonly connection: Connection, private readonly known?: string) {}

  async send(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.known !== undefined) headers.set('If-None-Match', this.known);
    const response = await this.connection.send(path, { ...init, headers });
    if (response.status === 304) throw new Unchanged();
    this.etag = response.headers.get('ETag') ?? undefined;
    return response;
  }
}
