import type { Person } from 'casella-client';
import { t } from '../i18n';
import { mailbox } from './accounts';
import { folders } from './folders';

export interface Suggestion {
  /** The whole query if it is taken. */
  query: string;
  label: string;
  meaning: string;
}

const PEOPLE = /^-?(from|to|cc|bcc):(\S*)$/;
const FOLDERS = /^in:(\S*)$/;
const MOST = 7;

/** What the last word of a query may go on to be: fields, people, folders. */
export async function suggestionsFor(query: string): Promise<Suggestion[]> {
  const [, before = '', word = ''] = /^(.*\s|)(\S*)$/s.exec(query) ?? [];
  const person = PEOPLE.exec(word);
  if (person) return people(before, person[1]!, person[2]!);
  const folder = FOLDERS.exec(word);
  if (folder) return folderNames(before, folder[1]!);
  return fields(before, word);
}

function fields(before: string, word: string): Suggestion[] {
  const wanted = word.toLowerCase();
  return Object.entries(t().suggestions)
    .filter(([field]) => field.startsWith(wanted) && field !== wanted)
    .map(([field, meaning]) => ({ query: before + field + (field.endsWith(':') ? '' : ' '), label: field, meaning }))
    .slice(0, MOST);
}

async function people(before: string, field: string, text: string): Promise<Suggestion[]> {
  const found = await peopleLike(text);
  return found.map(({ name, email }) => ({ query: `${before}${field}:${email} `, label: `${field}:${email}`, meaning: name ?? '' }));
}

function folderNames(before: string, text: string): Suggestion[] {
  return folders.value
    .filter(({ role }) => role?.startsWith(text))
    .map(({ role }) => ({ query: `${before}in:${role} `, label: `in:${role}`, meaning: t().roles[role!] ?? '' }));
}

/** People the mailbox knows. None if the mailbox knows nobody, or cannot say. */
export async function peopleLike(q: string): Promise<Person[]> {
  const found = mailbox().casella.people.listPeople({ account: 'me', q, limit: MOST });
  return found.then(({ items }) => items, () => []);
}
