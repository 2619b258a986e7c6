import { computed, effect, signal } from '@preact/signals';
import { preferences } from '../state/preferences';
import { en, type Words } from './en';

export const LANGUAGES = { en: 'English', it: 'Italiano', de: 'Deutsch' };
type Language = keyof typeof LANGUAGES;

const words = signal<Words>(en);

export const language = computed<Language>(() => {
  const { language: chosen } = preferences.value;
  if (chosen !== 'system') return chosen;
  const spoken = navigator.languages.map((each) => each.slice(0, 2));
  return (spoken.find((each) => each in LANGUAGES) as Language | undefined) ?? 'en';
});

/** The words of the language in use. */
export function t(): Words {
  return words.value;
}

/** Languages other than English are loaded if they are wanted. */
const LOADERS: Record<Language, () => Promise<Words>> = {
  en: () => Promise.resolve(en),
  it: () => import('./it').then((file) => file.it),
  de: () => import('./de').then((file) => file.de),
};

effect(() => {
  const wanted = language.value;
  void LOADERS[wanted]().then((loaded) => {
    if (language.value !== wanted) return;
    words.value = loaded;
    document.documentElement.lang = wanted;
  });
});
