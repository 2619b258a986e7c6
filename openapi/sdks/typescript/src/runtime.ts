// What the generated calls and models stand on.

export type HTTPHeaders = Record<string, string>;
export type HTTPQuery = Record<string, unknown>;
export type InitOverrideFunction = (context: { init: RequestInit; context: RequestOpts }) => Promise<RequestInit>;
/** The content of a part or a message. */
export type HttpFile = Blob;

export interface RequestOpts {
  path: string;
  method: string;
  headers: HTTPHeaders;
  query?: HTTPQuery;
  body?: unknown;
}

/** How the generated calls reach the service. `Casella` is one. */
export interface Configuration {
  readonly accessToken?: (name?: string, scopes?: string[]) => string | Promise<string>;
  readonly username?: string;
  readonly password?: string;
  send(path: string, init: RequestInit): Promise<Response>;
}

export class BaseAPI {
  constructor(protected readonly configuration: Configuration) {}

  protected async request(call: RequestOpts, overrides?: RequestInit | InitOverrideFunction): Promise<Response> {
    const isJson = call.headers['Content-Type'] === 'application/json';
    const body = (isJson ? JSON.stringify(call.body) : call.body) as RequestInit['body'];
    const init: RequestInit = { method: call.method, headers: call.headers, body };
    const more = typeof overrides === 'function' ? await overrides({ init, context: call }) : overrides;
    return this.configuration.send(call.path + querystring(call.query ?? {}), { ...init, ...more });
  }
}

export class RequiredError extends Error {
  override name = 'RequiredError';
  constructor(readonly field: string, message: string) {
    super(message);
  }
}

export interface ApiResponse<T> {
  readonly raw: Response;
  value(): Promise<T>;
}

export class JSONApiResponse<T> implements ApiResponse<T> {
  constructor(readonly raw: Response, private readonly read: (json: any) => T) {}

  async value(): Promise<T> {
    return this.read(await this.raw.json());
  }
}

export class VoidApiResponse implements ApiResponse<void> {
  constructor(readonly raw: Response) {}

  async value(): Promise<void> {
    await this.raw.body?.cancel();
  }
}

export class BlobApiResponse implements ApiResponse<HttpFile> {
  constructor(readonly raw: Response) {}

  value(): Promise<HttpFile> {
    return this.raw.blob();
  }
}

/** A list is sent as a repeated parameter. */
function querystring(query: HTTPQuery): string {
  const pairs = Object.entries(query).flatMap(([name, value]) => [value].flat().map((one) => [name, String(one)]));
  return pairs.length ? `?${new URLSearchParams(pairs)}` : '';
}

export function mapValues(values: Record<string, unknown>, change: (value: any) => unknown): any {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
}

export const serializeDateTime = (value: Date): string => value.toISOString();
export const parseDateTime = (value: string): Date => new Date(value);

/** The day that the clock on the wall shows. */
export function serializeDate(value: Date): string {
  const [year, month, day] = [value.getFullYear(), value.getMonth() + 1, value.getDate()];
  return [String(year).padStart(4, '0'), String(month).padStart(2, '0'), String(day).padStart(2, '0')].join('-');
}

export function parseDate(value: string): Date {
  const [year, month, day] = value.split('-').map(Number);
  return new Date(year, month - 1, day);
}
