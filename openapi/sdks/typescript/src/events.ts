import { ApiProblem, problemOf } from './problem.js';
import { pause, RETRIES, type Retries, waitAfter } from './retries.js';

/** A change, as the stream reports it. */
export interface AccountEvent {
  /** `change`, `resync` or `ping`; later versions may have more. */
  type: string;
  /** With `change`: `folderId`, `created`, `updated` and `destroyed`. */
  data: any;
  /** The account's token at this event. */
  id: string;
}

export interface StreamOptions {
  /** The id of the last event that was seen: the stream continues after it. */
  lastEventId?: string;
  retries?: Retries;
  signal?: AbortSignal;
}

const SILENCE = 90_000; // ms; the service pings more often

/** The events of the streams that `open` opens, without end: a stream that breaks is opened again. Throws ApiProblem if
 * waiting does not help. */
export async function* readEvents(
  open: (headers: Record<string, string>, signal: AbortSignal) => Promise<Response>,
  { lastEventId = '', retries = RETRIES, signal }: StreamOptions = {},
): AsyncGenerator<AccountEvent> {
  for (let failures = 0; ; ) {
    const silence = new Silence(signal);
    let problem: ApiProblem | undefined;
    try {
      const resume = lastEventId ? { 'Last-Event-ID': lastEventId } : undefined;
      const response = await open({ Accept: 'text/event-stream', ...resume }, silence.signal);
      if (!response.ok || !response.body) throw await problemOf(response);
      for await (const event of parse(response.body, () => silence.restart())) {
        lastEventId = event.id || lastEventId;
        failures = 0;
        yield event;
      }
    } catch (error) {
      signal?.throwIfAborted();
      problem = lasting(error, silence);
    } finally {
      silence.end();
    }
    failures += 1;
    await pause(waitAfter(failures, retries, problem), signal);
  }
}

/** The problem if it may pass; undefined if a connection broke or was silent. Throws everything else. */
function lasting(error: unknown, silence: Silence): ApiProblem | undefined {
  if (error instanceof ApiProblem && error.retryable) return error;
  const isBroken = error instanceof TypeError; // fetch has no other name for it
  if (isBroken || silence.signal.aborted) return undefined;
  throw error;
}

/** Aborts its signal when the given one is aborted, and after a long silence. */
class Silence {
  private readonly controller = new AbortController();
  readonly signal = this.controller.signal;
  private timer = this.started();

  constructor(private readonly given?: AbortSignal) {
    given?.addEventListener('abort', this.abort, { once: true });
    if (given?.aborted) this.abort();
  }

  restart(): void {
    clearTimeout(this.timer);
    this.timer = this.started();
  }

  end(): void {
    clearTimeout(this.timer);
    this.given?.removeEventListener('abort', this.abort);
    this.abort();
  }

  private started() {
    return setTimeout(() => this.abort(), SILENCE);
  }

  private readonly abort = (): void => this.controller.abort(this.given?.reason);
}

/** What a stream says (WHATWG HTML, 9.2.6). An event that is cut off is left out. */
async function* parse(stream: ReadableStream<Uint8Array>, onData: () => void): AsyncGenerator<AccountEvent> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = '', type = 'message', id = '', data: string[] = [];
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      onData();
      const lines = (text + decoder.decode(part.value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
      text = lines.pop()!;
      for (const line of lines) {
        const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line)!;
        if (name === 'event') type = value;
        else if (name === 'data') data.push(value);
        else if (name === 'id') id = value;
        else if (line === '') {
          if (data.join('\n')) yield { type, data: JSON.parse(data.join('\n')), id };
          [type, data] = ['message', []];
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
