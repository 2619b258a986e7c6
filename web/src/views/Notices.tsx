import { X } from 'lucide';
import { t } from '../i18n';
import { dismiss, notices } from '../state/outbox';
import { IconButton } from './Icon';

/** What was done, with its undo; read out by screen readers. */
export function Notices() {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.value.map(({ id, text, isError, undo }) => (
        <div key={id} class={isError ? 'notice error' : 'notice'}>
          <span>{text}</span>
          {undo && (
            <button type="button" class="undo" aria-keyshortcuts="z" onClick={undo}>
              {t().undo}
            </button>
          )}
          {!undo && <IconButton of={X} label={t().dismiss} onClick={() => dismiss(id)} />}
        </div>
      ))}
    </div>
  );
}
