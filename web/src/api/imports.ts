import { ApiProblem, type Casella, type ImportResult, ImportResultFromJSON, type NewImport, ProblemFromJSON } from 'casella-client';

/** How far an import is: what its events say. */
export type Progress = Pick<ImportResult, 'copied' | 'skipped' | 'left' | 'octets'> & { folder?: string };

/** One request of an import: its progress as it goes, and its result. Throws ApiProblem, and TypeError if the link broke. */
export async function burst(
  casella: Casella,
  newImport: NewImport,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<ImportResult> {
  const { raw } = await casella.imports.importMailRaw({ account: 'me', newImport }, ({ init }) =>
    Promise.resolve({ headers: { ...(init.headers as Record<string, string>), Accept: 'text/event-stream' }, signal }),
  );
  for await (const { type, data } of eventsOf(raw.body!)) {
    if (type === 'progress') onProgress(data as Progress);
    else if (type === 'done') return ImportResultFromJSON(data);
    else if (type === 'error') throw new ApiProblem(ProblemFromJSON(data));
  }
  throw new TypeError('The stream ended early.');
}

interface StreamEvent {
  type: string;
  data: unknown;
}

/** The events of a stream of ours: each has one line of data. */
async function* eventsOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<StreamEvent> {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      const blocks = (text + piece.value).split('\n\n');
      text = blocks.pop()!;
      for (const block of blocks) {
        const [, type, data] = /^event: (.*)\ndata: (.*)$/.exec(block) ?? [];
        if (type && data) yield { type, data: JSON.parse(data) };
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
