import { effect, signal } from '@preact/signals';
import { ApiProblem, Casella, type Failure, type FolderProgress, type ImportResult, type NewImport } from 'casella-client';
import { burst, type Progress } from '../api/imports';
import { isOffline, isProblem, SERVICE } from '../api/service';
import { t } from '../i18n';
import { drop, keep, kept, nameFor } from '../storage/kept';
import { type Mailbox, mailboxes, renewSession } from './accounts';
import { loadFoldersSoon } from './folders';
import { notify } from './outbox';

/** The other mailbox. `isTemporary`: its session is only for the import, and is ended with it. */
export interface Source {
  id: string;
  username: string;
  casella: Casella;
  isTemporary: boolean;
}

/** What is wanted of it. */
export interface Wanted {
  folders?: string[];
  into?: string;
  since?: Date;
}

/** An import into an account. It goes on while the page is open, whatever the page shows. */
export interface Job {
  from: string;
  state: 'running' | 'waiting' | 'paused' | 'done';
  /** What is sent next: the import itself, or the token to go on with. */
  next: NewImport;
  copied: number;
  skipped: number;
  left?: number;
  octets: number;
  folder?: string;
  folders: FolderProgress[];
  failed: Failure[];
  error?: unknown;
  /** The id of a signed-in account that is the source. */
  account?: string;
  /** The session to end afterwards. */
  temporary?: string;
  /** How many of `copied` the token knows of. It counts the others as skipped: their requests were broken off. */
  counted: number;
}

const NAME = 'import';
const SECONDS = 20;
const AGAIN = 2000; // ms before a broken import goes on; up to a minute if that fails again
const LONGEST = 60_000;
const MOST_FAILED = 1000;
export const jobs = signal<Record<string, Job>>({});
const running = new Map<string, AbortController>();

/** The import that an earlier visit has begun. */
export async function restoreImport({ id }: Mailbox): Promise<void> {
  if (jobs.value[id]) return;
  const job = await kept<Job>(nameFor(id, NAME));
  if (!job || jobs.value[id]) return;
  jobs.value = { ...jobs.value, [id]: { ...job, state: job.state === 'done' ? 'done' : 'paused' } };
}

/** Count what would be copied. */
export async function dryRun(
  { casella }: Mailbox,
  source: Source,
  wanted: Wanted,
  onProgress: (seen: Progress) => void,
  stop: AbortSignal,
): Promise<ImportResult> {
  const failed: Failure[] = [];
  let next: NewImport = { ...requestOf(source, wanted), dryRun: true };
  for (;;) {
    const result = await burst(casella, { ...next, seconds: SECONDS }, onProgress, stop);
    failed.push(...result.failed);
    if (result.isDone) return { ...result, failed };
    next = { token: result.token };
    await wait(1000 * (result.retryAfter ?? 0), stop);
  }
}

function requestOf({ casella }: Source, wanted: Wanted): NewImport {
  return { from: { token: casella.token }, ...wanted };
}

export function startImport(box: Mailbox, source: Source, wanted: Wanted, total: number): void {
  const { id, username, casella, isTemporary } = source;
  const job: Job = {
    from: username,
    state: 'paused',
    next: requestOf(source, wanted),
    copied: 0,
    skipped: 0,
    left: total,
    octets: 0,
    folders: [],
    failed: [],
    counted: 0,
    ...(isTemporary ? { temporary: casella.token } : { account: id }),
  };
  jobs.value = { ...jobs.value, [box.id]: job };
  void store(box.id);
  resumeImport(box);
}

export function resumeImport(box: Mailbox): void {
  if (running.has(box.id) || !jobs.value[box.id]) return;
  const control = new AbortController();
  running.set(box.id, control);
  change(box.id, { state: 'running', error: undefined });
  void run(box, control.signal).finally(() => running.get(box.id) === control && running.delete(box.id));
}

/** Stop at once. What is copied so far is there. */
export function pauseImport({ id }: Mailbox): void {
  running.get(id)?.abort();
  running.delete(id);
  change(id, { state: 'paused' });
  void store(id);
}

/** Forget the import, done or not. */
export async function endImport({ id }: Mailbox): Promise<void> {
  running.get(id)?.abort();
  running.delete(id);
  const temporary = jobs.value[id]?.temporary;
  const { [id]: _, ...others } = jobs.value;
  jobs.value = others;
  await drop(nameFor(id, NAME));
  if (temporary) await endSession(new Casella(SERVICE, { token: temporary }));
}

/** End the session of a source, if nobody else has it. */
export async function endSession(casella: Casella): Promise<void> {
  await casella.signOut().catch(() => undefined);
}

async function run({ id }: Mailbox, stop: AbortSignal): Promise<void> {
  for (let failures = 0; !stop.aborted; ) {
    try {
      const result = await oneBurst(id, stop, () => (failures = 0));
      failures = 0;
      if (stop.aborted) return;
      if (result.isDone) return await finish(id);
      await wait(1000 * (result.retryAfter ?? 0), stop);
    } catch (error) {
      if (stop.aborted) return;
      const token = isProblem(error, 'over-quota') ? error.token : undefined;
      change(id, { error, state: mayPass(error) ? 'waiting' : 'paused', ...(token && { next: { token } }) });
      void store(id);
      if (!mayPass(error)) return;
      await wait(Math.min(LONGEST, AGAIN * 2 ** failures++), stop).catch(() => undefined);
    }
  }
}

async function oneBurst(id: string, stop: AbortSignal, onWord: () => void): Promise<ImportResult> {
  const box = mailboxes.value.find((one) => one.id === id);
  const job = jobs.value[id];
  if (!box || !job) throw new DOMException('It has signed out.', 'AbortError');
  const uncounted = job.copied - job.counted;
  const note = (seen: Progress): void => {
    if (stop.aborted) return;
    onWord();
    const [copied, skipped] = [seen.copied + uncounted, Math.max(0, seen.skipped - uncounted)];
    change(id, { state: 'running', error: undefined, copied, skipped, left: seen.left, octets: seen.octets });
  };
  const result = await burst(box.casella, { ...job.next, seconds: SECONDS }, (seen) => {
    note(seen);
    if (!stop.aborted) change(id, { folder: seen.folder });
  }, stop);
  note(result);
  const { token, folders, sourceToken } = result;
  const failed = [...job.failed, ...result.failed].slice(0, MOST_FAILED);
  change(id, { next: { token }, counted: result.copied, folders, failed, ...(job.temporary && sourceToken && { temporary: sourceToken }) });
  if (job.account && sourceToken) await renewSession(job.account, sourceToken);
  await store(id);
  return result;
}

async function finish(id: string): Promise<void> {
  const job = jobs.value[id]!;
  change(id, { state: 'done', left: 0, folder: undefined, temporary: undefined });
  await store(id);
  loadFoldersSoon();
  notify(t().imported(job.copied));
  if (job.temporary) await endSession(new Casella(SERVICE, { token: job.temporary }));
}

/** Whether the same request may succeed later. */
function mayPass(error: unknown): boolean {
  return isOffline(error) || (error instanceof ApiProblem && (error.retryable || error.status === 409));
}

function change(id: string, news: Partial<Job>): void {
  const job = jobs.value[id];
  if (job) jobs.value = { ...jobs.value, [id]: { ...job, ...news } };
}

async function store(id: string): Promise<void> {
  const job = jobs.value[id];
  if (job && mailboxes.value.some((one) => one.id === id)) await keep(nameFor(id, NAME), { ...job, error: undefined });
}

function wait(milliseconds: number, stop: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    const timer = setTimeout(done, milliseconds);
    stop.addEventListener('abort', () => (clearTimeout(timer), fail(stop.reason)), { once: true });
  });
}

/** An account that has signed out imports no more. */
effect(() => {
  const known = new Set(mailboxes.value.map(({ id }) => id));
  for (const [id, control] of running) {
    if (known.has(id)) continue;
    control.abort();
    running.delete(id);
  }
});
