import { effect, signal, untracked } from '@preact/signals';
import { isProblem } from '../api/service';
import { keep, kept } from '../storage/kept';
import { can, currentId, mailbox } from './accounts';

/** What the user chose. It follows them in the settings of their mailbox. */
export interface Preferences {
  theme: 'system' | 'light' | 'dark';
  language: 'system' | 'en' | 'it' | 'de';
  direction: 'ltr' | 'rtl';
  density: 'comfortable' | 'compact';
  conversations: boolean;
  pictures: 'ask' | 'always';
}

const DEFAULT: Preferences = {
  theme: 'system',
  language: 'system',
  direction: 'ltr',
  density: 'comfortable',
  conversations: true,
  pictures: 'ask',
};
const MEMBER = 'page';
export const preferences = signal<Preferences>(DEFAULT);

/** Those of the last visit, at once, once the accounts are known. */
export async function restorePreferences(): Promise<void> {
  const stored = (await kept<{ account?: string }>(MEMBER)) ?? {};
  const isOwn = currentId.value !== undefined && stored.account === currentId.value;
  preferences.value = { ...DEFAULT, ...known(stored), ...(!isOwn && { pictures: DEFAULT.pictures }) };
}

/** Those of the mailbox. */
export async function loadPreferences(): Promise<void> {
  if (!can('settings')) return;
  const { settings } = await mailbox().casella.settings.getSettings({ account: 'me' });
  const stored = settings[MEMBER];
  if (stored && typeof stored === 'object') apply({ ...DEFAULT, ...known(stored) });
}

const VALUES: { [Name in keyof Preferences]: readonly Preferences[Name][] } = {
  theme: ['system', 'light', 'dark'],
  language: ['system', 'en', 'it', 'de'],
  direction: ['ltr', 'rtl'],
  density: ['comfortable', 'compact'],
  conversations: [true, false],
  pictures: ['ask', 'always'],
};

/** What this page knows of stored settings: another app, or a newer page, may have written them. */
function known(stored: object): Partial<Preferences> {
  const isKnown = ([name, value]: [string, unknown]): boolean =>
    Object.hasOwn(VALUES, name) && (VALUES[name as keyof Preferences] as readonly unknown[]).includes(value);
  return Object.fromEntries(Object.entries(stored).filter(isKnown));
}

let storing: Promise<void> = Promise.resolve();

/** Change something here, and in the mailbox: one change after the other. */
export async function prefer(change: Partial<Preferences>): Promise<void> {
  apply({ ...preferences.value, ...change });
  if (can('settings')) await (storing = storing.then(() => store(change, 3), () => store(change, 3)));
}

function apply(next: Preferences): void {
  preferences.value = next;
  void keep(MEMBER, { ...next, account: currentId.value });
}

/** Change what is stored, and nothing that another device has changed meanwhile. */
async function store(change: Partial<Preferences>, attempts: number): Promise<void> {
  const { casella } = mailbox();
  const read = await casella.ifChanged(undefined, (apis) => apis.settings.getSettings({ account: 'me' }));
  const settings = { ...read.value?.settings };
  settings[MEMBER] = { ...DEFAULT, ...(settings[MEMBER] as object), ...change };
  try {
    await casella.settings.setSettings({ account: 'me', accountSettings: { settings }, ifMatch: read.etag });
  } catch (error) {
    if (!isProblem(error, 'changed') || attempts <= 1) throw error;
    await store(change, attempts - 1);
  }
}

let owner: string | undefined;
/** Who loads pictures of others without being asked is one account's choice, and not that of the next one. */
effect(() => {
  const id = currentId.value;
  if (owner && owner !== id) untracked(() => (preferences.value = { ...preferences.value, pictures: DEFAULT.pictures }));
  owner = id ?? owner;
});

const dark = matchMedia('(prefers-color-scheme: dark)');
const isSystemDark = signal(dark.matches);
dark.addEventListener('change', () => (isSystemDark.value = dark.matches));

effect(() => {
  const { theme, direction, density } = preferences.value;
  const root = document.documentElement;
  const system = isSystemDark.value ? 'dark' : 'light';
  root.dataset.theme = theme === 'system' ? system : theme;
  root.dataset.density = density;
  root.dir = direction;
});
