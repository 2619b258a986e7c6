// steady.mjs URL calls a service that fails in turn (tests/sdks/flaky.py), and prints what came of it as JSON.
import { ApiProblem, Casella } from 'casella-client';

declare const process: { argv: string[] };
const [url] = process.argv.slice(2);
const account = 'me';
const tokens: string[] = [];
const casella = new Casella(url, { token: 'one', onToken: (token) => tokens.push(token), retries: { firstWait: 10 } });

async function refused(): Promise<ApiProblem> {
  try {
    await casella.accounts.getAccount({ account });
  } catch (error) {
    if (error instanceof ApiProblem) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

const created = await casella.folders.createFolder({ account, newFolder: { name: 'Work' } });
const { username } = await casella.accounts.getAccount({ account });
const { status } = await refused();
const proxy = await refused();
console.log(
  JSON.stringify({ created: created.id, account: username, tokens, refused: status, proxy: [proxy.type, proxy.status] }),
);
