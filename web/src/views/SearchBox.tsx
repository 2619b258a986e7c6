import { Search, X } from 'lucide';
import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { go, route } from '../state/route';
import { type Suggestion, suggestionsFor } from '../state/search';
import { Icon, IconButton } from './Icon';
import { useOptions } from './useOptions';

/** A search text with its grammar: the next words are suggested. */
export function SearchBox() {
  const { query = '', folder } = route.value;
  const [text, setText] = useState(query);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => setText(query), [query, folder]);
  const suggested = useOptions<Suggestion>('search', take);

  function change(next: string): void {
    setText(next);
    suggested.ask(() => suggestionsFor(next));
  }
  function take(one: Suggestion): void {
    change(one.query);
    input.current?.focus();
  }
  function submit(event: Event): void {
    event.preventDefault();
    suggested.close();
    input.current?.blur();
    go({ folder, query: text.trim() || undefined });
  }
  function clear(): void {
    setText('');
    suggested.close();
    go({ folder });
  }
  return (
    <form class="search" role="search" onSubmit={submit}>
      <Icon of={Search} />
      <input
        id="search"
        ref={input}
        type="text"
        enterkeyhint="search"
        autocomplete="off"
        spellcheck={false}
        dir="auto"
        placeholder={t().search}
        aria-label={t().search}
        value={text}
        onFocus={() => change(text)}
        onInput={(event) => change(event.currentTarget.value)}
        {...suggested.field}
      />
      {text && <IconButton of={X} label={t().clearSearch} onClick={clear} />}
      {suggested.options.length > 0 && (
        <ul class="options" {...suggested.list} aria-label={t().search}>
          {suggested.options.map((one, at) => (
            <li key={one.label} {...suggested.option(at)}>
              <b dir="ltr">{one.label}</b>
              <span>{one.meaning}</span>
            </li>
          ))}
        </ul>
      )}
    </form>
  );
}
