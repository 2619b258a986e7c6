import { ApiProblem, Casella } from 'casella-client';

/** Where the API is: the page lies at `/app/` beside it, below any prefix. */
export const SERVICE = new URL('..', document.baseURI).href.replace(/\/$/, '');

/** A client without an account, for discovery and sign-in. */
export const visitor = new Casella(SERVICE, { retries: { attempts: 2 } });

/** Whether a call failed because the service cannot be reached, rather than because it refuses. */
export function isOffline(error: unknown): boolean {
  return !(error instanceof ApiProblem) && error instanceof TypeError;
}

/** What a person reads of an error. */
export function wordsOf(error: unknown, offline: string): string {
  if (isOffline(error)) return offline;
  if (error instanceof ApiProblem) return error.detail || error.title;
  return error instanceof Error ? error.message : String(error);
}

export function isProblem(error: unknown, name: string): error is ApiProblem {
  return error instanceof ApiProblem && error.type.endsWith(`/${name}`);
}
