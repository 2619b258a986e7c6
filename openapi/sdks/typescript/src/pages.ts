/** A page of a list: `items`, and the cursor of the next page if there is one. */
export interface PageOf<T> {
  items: T[];
  nextCursor?: string;
}

/** The pages of a list, one by one: `pages((cursor) => casella.messages.listMessages({ account, folder, cursor }))`. */
export async function* pages<P extends PageOf<unknown>>(call: (cursor?: string) => Promise<P>): AsyncGenerator<P> {
  let cursor: string | undefined;
  do {
    const page: P = await call(cursor);
    yield page;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

/** The items of all pages. */
export async function* items<T>(call: (cursor?: string) => Promise<PageOf<T>>): AsyncGenerator<T> {
  for await (const page of pages(call)) yield* page.items;
}
