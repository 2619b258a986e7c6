import { X } from 'lucide';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { isHelp } from '../state/keys';
import { IconButton } from './Icon';

export function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: ComponentChildren }) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => box.current?.showModal(), []);
  return (
    <dialog ref={box} aria-label={title} onClose={onClose} onClick={(event) => event.target === box.current && onClose()}>
      <header>
        <h2>{title}</h2>
        <IconButton of={X} label={t().close} onClick={onClose} />
      </header>
      {children}
    </dialog>
  );
}

/** The keys, as they are: see state/keys.ts. */
export function Help() {
  return (
    <Dialog title={t().help} onClose={() => (isHelp.value = false)}>
      <dl class="keys">
        {Object.entries(t().keys).map(([keys, meaning]) => (
          <div key={keys}>
            <dt dir="ltr">
              {keys.split(' ').map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
