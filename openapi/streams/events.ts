// The stream of changes, written by hand because generators read none: for await (const event of events(url, headers)).
import { ResponseError } from './runtime.js';

export interface Event {
  type: string; // change, resync or ping
  data: any;
  id: string; // the account's token at this event
}

/** Without end: what breaks off is taken up after `wait` milliseconds, behind the last event. ResponseError, whose body is a
 * Problem, where waiting would not help. */
export async function* events(
  url: string,
  headers: Record<string, string>,
  { lastId = '', wait = 1000, signal }: { lastId?: string; wait?: number; signal?: AbortSignal } = {},
): AsyncGenerator<Event> {
  for (;; await new Promise((done) => setTimeout(done, wait))) {
    try {
      const resume = lastId ? { 'Last-Event-ID': lastId } : undefined;
      const response = await fetch(url, { headers: { ...headers, Accept: 'text/event-stream', ...resume }, signal });
      if ([429, 502, 503, 504].includes(response.status)) continue;
      if (!response.ok || !response.body) throw new ResponseError(response);
      for await (const event of read(response.body)) {
        lastId = event.id || lastId;
        yield event;
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // fetch has no other name for a connection that broke
    }
  }
}

/** What a stream says (WHATWG HTML, 9.2.6); an event that is cut off is left out. */
export async function* read(stream: ReadableStream<Uint8Array>): AsyncGenerator<Event> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = '', type = 'message', id = '', data: string[] = [];
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
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
