import { wordsOf } from '../../api/service';
import { t } from '../../i18n';
import { size } from '../../i18n/values';
import { mailbox } from '../../state/accounts';
import { endImport, type Job, pauseImport, resumeImport } from '../../state/importing';
import { Rejects } from './Rejects';

/** How far an import is, and what came of it. */
export function Running({ job }: { job: Job }) {
  const box = mailbox();
  const { state, error } = job;
  const isPaused = state === 'paused';
  return (
    <>
      <p class="lead">{t().importFrom(job.from)}</p>
      <Headline job={job} />
      <Bar job={job} />
      <p class="counted">
        {[
          t().importCopied(job.copied, size(job.octets)),
          job.skipped ? t().importThere(job.skipped) : '',
          job.left ? t().importLeft(job.left) : '',
        ]
          .filter(Boolean)
          .join(' · ')}
      </p>
      <p class="failure" role="alert" hidden={!error}>
        {error ? wordsOf(error, t().offline) : ''}
      </p>
      <Rejects failed={job.failed} />
      <div class="buttons">
        {state !== 'done' && (
          <button type="button" class="primary" onClick={() => (isPaused ? resumeImport(box) : pauseImport(box))}>
            {isPaused ? t().importResume : t().importPause}
          </button>
        )}
        <button type="button" class={state === 'done' ? 'primary' : 'text-button'} onClick={() => void endImport(box)}>
          {state === 'done' ? t().importClose : t().importCancel}
        </button>
      </div>
      {state !== 'done' && <p class="lead">{t().importMeanwhile}</p>}
    </>
  );
}

function Headline({ job: { state, folder, failed } }: { job: Job }) {
  const words = {
    running: t().importRunning,
    waiting: t().importWaiting,
    paused: t().importPaused,
    done: failed.length ? t().importDoneBut : t().importDone,
  }[state];
  return (
    <div role="status">
      <h2>{words}</h2>
      {state === 'running' && folder && <bdi class="where">{folder}</bdi>}
    </div>
  );
}

/** Without a value as long as nobody knows how much there is. */
function Bar({ job: { copied, skipped, left, state } }: { job: Job }) {
  const label = t().importProgress;
  const done = copied + skipped;
  if (state === 'done') return <progress aria-label={label} max={1} value={1} />;
  if (left === undefined) return <progress key="unknown" aria-label={label} />;
  return <progress aria-label={label} max={Math.max(1, done + left)} value={done} />;
}
