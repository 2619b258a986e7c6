import type { Address } from 'casella-client';
import { language, t } from './index';

const DAY = 86_400_000;
const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

/** A time as a list shows it: the hour today, the day this year, else the date. */
export function shortTime(date: Date | undefined, now = new Date()): string {
  if (!date) return '';
  const format = (options: Intl.DateTimeFormatOptions): string => formatter(options).format(date);
  if (date.toDateString() === now.toDateString()) return format({ hour: '2-digit', minute: '2-digit' });
  if (date.getFullYear() === now.getFullYear()) return format({ day: 'numeric', month: 'short' });
  return format({ day: 'numeric', month: 'short', year: 'numeric' });
}

export function longTime(date: Date | undefined, now = new Date()): string {
  if (!date) return '';
  const isNear = Math.abs(Number(now) - Number(date)) < 7 * DAY;
  const day = { weekday: isNear ? 'long' : 'short', day: 'numeric', month: 'long', year: 'numeric' } as const;
  return formatter({ ...day, hour: '2-digit', minute: '2-digit' }).format(date);
}

const formatters = new Map<string, Intl.DateTimeFormat>();

/** Making one takes long, and lists need many. */
function formatter(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = language.value + JSON.stringify(options);
  const known = formatters.get(key) ?? new Intl.DateTimeFormat(language.value, options);
  formatters.set(key, known);
  return known;
}

export function size(octets: number | undefined): string {
  if (octets === undefined) return '';
  const power = octets < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log(octets) / Math.log(1024)));
  const value = octets / 1024 ** power;
  return `${value.toLocaleString(language.value, { maximumFractionDigits: value < 10 && power ? 1 : 0 })} ${UNITS[power]}`;
}

export function nameOf(address: Address | undefined): string {
  const { name, email } = address ?? {};
  const isAnother = name?.includes('@') && name.toLowerCase() !== email?.toLowerCase();
  return (isAnother ? email : name) || email || t().noSender; // a name that is another address would pass for the sender
}

export function namesOf(addresses: Address[] | undefined, own?: string): string {
  return (addresses ?? []).map((one) => (one.email === own ? t().me : nameOf(one))).join(', ');
}

/** One or two letters. */
export function initialsOf(name: string): string {
  const words = name.replace(/["'(<].*|[^\p{L}\p{N}\s@.-]/gu, '').split(/[\s@.-]+/).filter(Boolean);
  const [first = '?', last] = [words[0], words.length > 1 ? words[1] : undefined];
  return [first, last].map((word) => [...(word ?? '')][0] ?? '').join('').toUpperCase() || '?';
}

/** A number from 0 to 11, the same for the same text. */
export function tintOf(text: string): number {
  let sum = 0;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)!) % 9973;
  return sum % 12;
}
