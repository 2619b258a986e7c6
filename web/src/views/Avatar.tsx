import { initialsOf, tintOf } from '../i18n/values';

export function Avatar({ name, seed = name }: { name: string; seed?: string }) {
  return (
    <span class={`avatar tint-${tintOf(seed.toLowerCase())}`} aria-hidden="true">
      {initialsOf(name)}
    </span>
  );
}
