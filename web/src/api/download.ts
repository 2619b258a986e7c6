import { ApiProblem, type Casella } from 'casella-client';

const ATTEMPTS = 6;
const WAIT = 600; // ms before a broken download goes on; longer each time

export interface Wanted {
  account: string;
  message: string;
  part: string;
  signal?: AbortSignal;
  onProgress: (octets: number) => void;
}

/** The octets of a part. A connection that breaks is continued where it broke, by Range. */
export async function download(casella: Casella, wanted: Wanted): Promise<Blob> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  const state = { octets: 0, etag: undefined as string | undefined, type: '' };
  for (let attempt = 1; ; attempt++) {
    try {
      await read(casella, wanted, pieces, state);
      return new Blob(pieces, { type: state.type });
    } catch (error) {
      if (error instanceof ApiProblem || wanted.signal?.aborted || attempt >= ATTEMPTS) throw error;
      await new Promise((done) => setTimeout(done, WAIT * attempt));
    }
  }
}

async function read(
  casella: Casella,
  { account, message, part, signal, onProgress }: Wanted,
  pieces: Uint8Array<ArrayBuffer>[],
  state: { octets: number; etag?: string; type: string },
): Promise<void> {
  const range = state.octets ? { range: `bytes=${state.octets}-`, ifRange: state.etag } : {};
  const { raw } = await casella.messages.getPartRaw({ account, message, part, ...range }, { signal });
  if (raw.status !== 206) {
    pieces.length = 0;
    state.octets = 0;
  }
  state.etag = raw.headers.get('ETag') ?? undefined;
  state.type = raw.headers.get('Content-Type') ?? '';
  const reader = raw.body!.getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    pieces.push(piece.value as Uint8Array<ArrayBuffer>);
    state.octets += piece.value.length;
    onProgress(state.octets);
  }
}

/** Hand a blob to the browser's downloads. */
export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
