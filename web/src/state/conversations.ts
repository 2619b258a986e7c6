import type { MessageSummary } from 'casella-client';

/** Messages that belong together, the newest first. */
export interface Conversation {
  key: string;
  rows: MessageSummary[];
}

/** Group rows by their conversation, each where its newest message is. */
export function conversationsOf(rows: MessageSummary[], isGrouped: boolean): Conversation[] {
  const found = new Map<string, Conversation>();
  for (const row of rows) {
    const key = (isGrouped && row.threadId) || row.id;
    const known = found.get(key);
    if (known) known.rows.push(row);
    else found.set(key, { key, rows: [row] });
  }
  return [...found.values()];
}

export function idsOf(conversations: Conversation[]): string[] {
  return conversations.flatMap(({ rows }) => rows.map((row) => row.id));
}
