// follow.mjs URL AUTHORIZATION prints each event as a line of JSON, and the problem that ended it.
import { ApiProblem, readEvents, RETRIES } from 'casella-client';

declare const process: { argv: string[] };
const [url, Authorization] = process.argv.slice(2);
const retries = { ...RETRIES, firstWait: 0 };
const open = (headers: Record<string, string>, signal: AbortSignal): Promise<Response> =>
  fetch(url, { headers: { ...headers, Authorization }, signal });
try {
  for await (const event of readEvents(open, { retries })) console.log(JSON.stringify(event));
} catch (error) {
  if (!(error instanceof ApiProblem)) throw error;
  console.log(JSON.stringify(error.problem));
}
