import type { Address, Person } from 'casella-client';
import { X } from 'lucide';
import { useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { nameOf } from '../i18n/values';
import { peopleLike } from '../state/search';
import { Avatar } from './Avatar';
import { IconButton } from './Icon';
import { useOptions } from './useOptions';

interface Props {
  label: string;
  name: string;
  people: Address[];
  onChange: (people: Address[]) => void;
}

/** Recipients, with those that the mailbox knows as suggestions. */
export function PeopleField({ label, name, people, onChange }: Props) {
  const [text, setText] = useState('');
  const input = useRef<HTMLInputElement>(null);
  const suggested = useOptions<Person>(name, (person) => add([{ name: person.name, email: person.email }]));

  function add(more: Address[]): void {
    const known = new Set(people.map((one) => one.email.toLowerCase()));
    onChange([...people, ...more.filter((one) => !known.has(one.email.toLowerCase()))]);
    setText('');
    suggested.close();
  }
  function change(next: string): void {
    const found = /[,;\n]\s*$/.test(next) ? addressesIn(next) : [];
    if (found.length) return add(found);
    setText(next);
    if (next.trim()) suggested.ask(() => peopleLike(next.trim()));
    else suggested.close();
  }
  function finish(): void {
    suggested.close();
    const found = addressesIn(text);
    if (found.length) add(found);
  }
  function onKeyDown(event: KeyboardEvent): void {
    suggested.field.onKeyDown(event);
    if (event.defaultPrevented || event.isComposing) return;
    if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey && text) {
      event.preventDefault();
      if (addressesIn(text).length || !suggested.choose(0)) finish(); // an address that was typed is meant as it is
    } else if (event.key === 'Backspace' && !text && people.length) {
      onChange(people.slice(0, -1));
    }
  }
  return (
    <div class="people-field" onClick={() => input.current?.focus()}>
      <label for={`field-${name}`}>{label}</label>
      <ul class="chips">
        {people.map((one) => (
          <li key={one.email} class="chip" title={one.email}>
            <bdi>{nameOf(one)}</bdi>
            <IconButton of={X} label={t().remove(nameOf(one))} onClick={() => onChange(people.filter((other) => other !== one))} />
          </li>
        ))}
        <li class="grow">
          <input
            id={`field-${name}`}
            ref={input}
            type="text"
            inputMode="email"
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            value={text}
            onInput={(event) => change(event.currentTarget.value)}
            {...suggested.field}
            onKeyDown={onKeyDown}
            onBlur={finish}
          />
        </li>
      </ul>
      {suggested.options.length > 0 && (
        <ul class="options" {...suggested.list} aria-label={label}>
          {suggested.options.map((one, at) => (
            <li key={one.email} {...suggested.option(at)}>
              <Avatar name={one.name ?? one.email} seed={one.email} />
              <span>
                <bdi>{one.name ?? one.email}</bdi>
                {one.name && <small>{one.email}</small>}
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Addresses in what was typed or pasted: `Ada <ada@example.org>, bob@example.org`. */
export function addressesIn(text: string): Address[] {
  const found = text.matchAll(/(?:"?([^"<>,;@\n]*?)"?\s*<)?([^\s<>,;"@]+@[^\s<>,;"]+)>?/g);
  return [...found].map(([, name, email]) => ({ ...(name?.trim() && { name: name.trim() }), email: email! }));
}
