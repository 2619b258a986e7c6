import type { IconNode } from 'lucide';
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { IconButton } from './Icon';

interface Props {
  of: IconNode;
  label: string;
  keys?: string;
  children: (close: () => void) => ComponentChildren;
}

/** A button with a panel below it, which closes by Escape and by a click elsewhere. */
export function Menu({ of, label, keys, children }: Props) {
  const [isOpen, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const close = (): void => setOpen(false);
  useEffect(() => {
    if (!isOpen) return;
    const leave = (event: Event): void => {
      if (!root.current?.contains(event.target as Node)) close();
    };
    const escape = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape') return;
      close();
      root.current?.querySelector('button')?.focus();
    };
    document.addEventListener('pointerdown', leave);
    document.addEventListener('keydown', escape);
    root.current?.querySelector<HTMLElement>('.panel button')?.focus();
    return () => {
      document.removeEventListener('pointerdown', leave);
      document.removeEventListener('keydown', escape);
    };
  }, [isOpen]);
  return (
    <div class="menu" ref={root}>
      <IconButton of={of} label={label} keys={keys} isPressed={isOpen} onClick={() => setOpen(!isOpen)} />
      {isOpen && <div class="panel">{children(close)}</div>}
    </div>
  );
}
