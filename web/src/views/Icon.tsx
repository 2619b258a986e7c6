import type { IconNode } from 'lucide';
import { h } from 'preact';

/** A picture beside words, or on a button that has a label: nothing for screen readers. */
export function Icon({ of, className = '' }: { of: IconNode; className?: string }) {
  return (
    <svg class={`icon ${className}`} viewBox="0 0 24 24" aria-hidden="true">
      {of.map(([tag, attributes]) => h(tag, attributes as object))}
    </svg>
  );
}

interface ButtonProps {
  of: IconNode;
  label: string;
  onClick: (event: MouseEvent) => void;
  keys?: string;
  className?: string;
  isPressed?: boolean;
  isDisabled?: boolean;
}

/** A button that is a picture. Its label is its tooltip too. */
export function IconButton({ of, label, onClick, keys, className = '', isPressed, isDisabled }: ButtonProps) {
  return (
    <button
      type="button"
      class={`icon-button ${className}`}
      aria-label={label}
      aria-keyshortcuts={keys}
      aria-pressed={isPressed}
      title={keys ? `${label} (${keys})` : label}
      disabled={isDisabled}
      onClick={onClick}
    >
      <Icon of={of} />
    </button>
  );
}
