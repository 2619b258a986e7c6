// follow.mjs URL AUTHORIZATION prints each event as a line of JSON, and the problem that ended it.
import { events, ResponseError } from 'casella-client';

declare const process: { argv: string[] };
const [url, Authorization] = process.argv.slice(2);
try {
  for await (const event of events(url, { Authorization }, { wait: 0 })) console.log(JSON.stringify(event));
} catch (error) {
  if (!(error instanceof ResponseError)) throw error;
  console.log(JSON.stringify(await error.response.json()));
}
