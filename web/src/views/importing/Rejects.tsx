import type { Failure } from 'casella-client';
import { t } from '../../i18n';

/** What stays in the other mailbox, and why. */
export function Rejects({ failed }: { failed: Failure[] }) {
  if (!failed.length) return null;
  return (
    <details class="rejects" open={failed.length < 10}>
      <summary>{t().importRejected(failed.length)}</summary>
      <ul>
        {failed.map(({ folder, id, reason, detail }) => (
          <li key={`${folder}/${id}`}>
            <bdi>{folder}</bdi>
            <span>{t().importReasons[reason] ?? detail}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}
