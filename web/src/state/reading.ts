import { signal } from '@preact/signals';
import type { Message } from 'casella-client';
import type { Row } from './list';

/** The conversation that is read, the oldest message first. */
export interface Reading {
  id: string;
  rows: Row[];
  open: ReadonlySet<string>;
  bodies: ReadonlyMap<string, Message>;
  error?: unknown;
}

export const reading = signal<Reading>();

/** Change rows of what is read, in place. */
export function changeRead(ids: ReadonlySet<string>, by: (row: Row) => Row): void {
  const now = reading.value;
  if (now) reading.value = { ...now, rows: now.rows.map((row) => (ids.has(row.id) ? by(row) : row)) };
}
