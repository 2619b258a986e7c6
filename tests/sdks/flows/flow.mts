// What an app does, by the TypeScript SDK, in the steps of openapi/sdks/STEPS.md: flow.mjs URL USERNAME PASSWORD prints what came of it as JSON.
import { type Account, ApiProblem, Casella, type Message, pages } from 'casella-client';

declare const process: { argv: string[] };
const [url, username, password] = process.argv.slice(2);
const account = 'me';
const inbox = { account, folder: 'inbox', limit: 2 };
const casella = new Casella(url);
const { messages } = casella;

const eml = (subject: string): Blob => new Blob([`Subject: ${subject}\r\n\r\ntext\r\n`]);

async function refused(call: Promise<unknown>): Promise<ApiProblem> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ApiProblem) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

async function listed(): Promise<(string | undefined)[][]> {
  const subjects = [];
  for await (const page of pages((cursor) => messages.listMessages({ ...inbox, cursor }))) {
    subjects.push(page.items.map((row) => row.subject));
  }
  return subjects;
}

async function lastMessage(): Promise<Message> {
  let id = '';
  for await (const page of pages((cursor) => messages.listMessages({ ...inbox, cursor }))) id = page.items.at(-1)!.id;
  return messages.getMessage({ account, message: id });
}

async function unchanged(): Promise<boolean[]> {
  const first = await casella.ifChanged(undefined, (apis) => apis.messages.listMessages(inbox));
  const second = await casella.ifChanged(first.etag, (apis) => apis.messages.listMessages(inbox));
  return [first.isUnchanged, second.isUnchanged];
}

async function part(message: Message): Promise<[string, number]> {
  const where = { account, message: message.id, part: message.attachments[0].id };
  const range = await messages.getPart({ ...where, range: 'bytes=10-19' });
  return [await range.text(), (await messages.getPart(where)).size];
}

async function found(): Promise<(string | undefined)[]> {
  const filter = { operator: 'OR', conditions: [{ subject: '会議' }, { hasAttachment: true }] };
  const page = await messages.searchMessages({ account, searchRequest: { filter } });
  return page.items.map((row) => row.subject).sort();
}

async function draft(me: Account): Promise<unknown> {
  const newDraft = { to: [{ email: 'bob@example.net' }], subject: 'Grüße 会議', text: 'Hello' };
  const { id } = await casella.drafts.createDraft({ account, newDraft });
  if (me.capabilities.includes('send')) {
    return ['sent', (await casella.sending.sendDraft({ account, message: id })).accepted];
  }
  const appended = await messages.appendMessage({ account, folder: 'drafts', body: eml('draft'), flags: ['$draft'] });
  return ['appended', await (await messages.getSource({ account, message: appended.id! })).text()];
}

async function missing(): Promise<unknown> {
  const { type, title, status, retryable, requestId, detail, what } = await refused(
    messages.getMessage({ account, message: 'm_nosuch' }),
  );
  return [type, title, status, retryable, requestId !== '' && detail !== '', what];
}

async function event(): Promise<string[]> {
  const seen = [];
  let appended: string | undefined;
  for await (const { type, data } of casella.events()) {
    if (!seen.length) {
      seen.push(type);
      appended = (await messages.appendMessage({ account, folder: 'inbox', body: eml('event') })).id;
    } else if (data.created?.includes(appended)) {
      return [...seen, type];
    }
  }
  throw new Error('the stream ended');
}

async function signedOut(): Promise<number> {
  await casella.signOut();
  return (await refused(casella.accounts.getAccount({ account }))).status;
}

await casella.signIn({ username, password });
const me = await casella.accounts.getAccount({ account });
const folders = (await casella.folders.listFolders({ account })).items;
const message = await lastMessage();
const told = {
  signedIn: [me.username, me.protocol],
  folders: folders.flatMap((folder) => folder.role ?? []).sort(),
  pages: await listed(),
  message: [
    message.from![0].email, message.body.text, message.receivedAt!.getTime() / 1000, message.attachments[0].name,
  ],
  unchanged: await unchanged(),
  part: await part(message),
  flags: (await messages.changeFlags({ account, message: message.id, flagPatch: { add: ['$flagged'] } })).flags.sort(),
  found: await found(),
  draft: await draft(me),
  missing: await missing(),
  event: await event(),
  signedOut: await signedOut(),
};
console.log(JSON.stringify(told));
