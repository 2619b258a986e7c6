// What an app does, by the generated TypeScript SDK: flow.mjs URL USERNAME PASSWORD prints what came of it as JSON.
import {
  AccountsApi, BulkAction, Configuration, FolderFromJSON, FoldersApi, MessagesApi, ResponseError, SessionsApi, type Problem,
} from 'casella-client';

declare const process: { argv: string[] };
const [url, username, password] = process.argv.slice(2);

async function signedIn(protocol?: string): Promise<Configuration> {
  const sessions = new SessionsApi(new Configuration({ basePath: url }));
  const session = await sessions.createSession({ newSession: { username, password, protocol } });
  return new Configuration({ basePath: url, accessToken: session.token });
}

async function problem(call: Promise<unknown>): Promise<Problem> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ResponseError) return await error.response.json();
    throw error;
  }
  throw new Error('it was not refused');
}

const configuration = await signedIn();
const messages = new MessagesApi(configuration);
const me = { account: 'me' }, inbox = { ...me, folder: 'inbox' };
const account = await new AccountsApi(configuration).getAccount(me);
const folders = await new FoldersApi(configuration).listFolders(me);
const first = await messages.listMessages({ ...inbox, limit: 2 });
const second = await messages.listMessages({ ...inbox, limit: 2, cursor: first.nextCursor });
const message = await messages.getMessage({ ...me, message: second.items[0].id });
const [attachment] = message.attachments;
const part = { ...me, message: message.id, part: attachment.id };
const flags = await messages.changeFlags({ ...me, message: message.id, flagPatch: { add: ['$flagged'] } });
const flagged = await messages.listMessages({ ...inbox, flagged: true });
const either = [{ subject: '会議' }, { hasAttachment: true }];
const found = await messages.searchMessages({ ...me, searchRequest: { filter: { operator: 'OR', conditions: either } } });
const bulk = await messages.changeMessages({ ...me, bulkRequest: { ids: [message.id, 'm_nosuch'], action: BulkAction.Flags, add: ['$seen'] } });
const body = new Blob(['Subject: draft\r\n\r\ntext\r\n']);
const appended = await messages.appendMessage({ ...me, folder: 'drafts', body, flags: ['$draft', '$seen'] });
const missing = await problem(messages.getMessage({ ...me, message: 'm_nosuch' }));
const maildrop = new FoldersApi(await signedIn('pop3'));
const unsupported = await problem(maildrop.createFolder({ ...me, newFolder: { name: 'Work' } }));
const newer = FolderFromJSON({ id: 'f', name: 'n', path: [], isSubscribed: true, isSelectable: true, colour: 'blue' });

console.log(JSON.stringify({
  account: [account.username, account.protocol],
  roles: folders.items.flatMap((folder) => folder.role ?? []).sort(),
  first: first.items.map((row) => row.subject),
  second: second.items.map((row) => row.subject),
  total: first.total,
  last: second.nextCursor === undefined,
  from: message.from[0].email,
  text: message.body.text,
  received: message.receivedAt!.getTime() / 1000,
  attachment: attachment.name,
  range: await (await messages.getPart({ ...part, range: 'bytes=10-19' })).text(),
  octets: (await messages.getPart(part)).size,
  flags: flags.flags.sort(),
  flagged: flagged.items.map((row) => row.subject),
  found: found.items.map((row) => row.subject).sort(),
  bulk: bulk.results.map((result) => [result.status, result.problem?.what ?? null]),
  source: await (await messages.getSource({ ...me, message: appended.id! })).text(),
  missing: [missing.type, missing.status, missing.what],
  unsupported: [unsupported.type, unsupported.status, unsupported.capability],
  newer: newer.name,
}));
