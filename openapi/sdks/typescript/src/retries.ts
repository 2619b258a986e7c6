import type { ApiProblem } from './problem.js';

/** How often, and after how many milliseconds, a call is repeated that may succeed later. */
export interface Retries {
  attempts: number;
  firstWait: number;
  longestWait: number;
}

export const RETRIES: Retries = { attempts: 4, firstWait: 500, longestWait: 30_000 };

/** A random wait in milliseconds after the attempt of this number, from 1. Never shorter than the service demands. */
export function waitAfter(attempt: number, { firstWait, longestWait }: Retries, problem?: ApiProblem): number {
  const most = Math.min(longestWait, firstWait * 2 ** Math.min(attempt - 1, 30));
  return Math.max(Math.random() * most, (problem?.retryAfter ?? 0) * 1000);
}

/** Rejects as soon as `signal` is aborted. */
export function pause(milliseconds: number, signal?: AbortSignal | null): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const end = (): void => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', end);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', end, { once: true });
  });
}

/** A new Idempotency-Key. Not `randomUUID`: pages without TLS do not have it. */
export function newKey(): string {
  const octets = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, '0')).join('');
}
