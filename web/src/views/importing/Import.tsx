import { ArrowLeft } from 'lucide';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../../i18n';
import { mailbox } from '../../state/accounts';
import { endSession, jobs, restoreImport, type Source } from '../../state/importing';
import { go } from '../../state/route';
import { IconButton } from '../Icon';
import { Choice } from './Choice';
import { Running } from './Running';
import { SourceForm } from './SourceForm';

/** Bring the mail of another mailbox into this one: which one, what of it, and how far it is. */
export function Import() {
  const box = mailbox();
  const [isRestored, setRestored] = useState(false);
  const [source, setSource] = useState<Source>();
  useEffect(() => void restoreImport(box).finally(() => setRestored(true)), []);
  const job = jobs.value[box.id];
  const another = (): void => {
    if (source?.isTemporary) void endSession(source.casella);
    setSource(undefined);
  };
  return (
    <section class="settings import" aria-label={t().importTitle}>
      <header class="bar">
        <IconButton of={ArrowLeft} label={t().back} onClick={() => go({ folder: 'inbox' })} className="mirrored" />
        <h1 class="title">{t().importTitle}</h1>
      </header>
      <div class="form">
        {job ? (
          <Running job={job} />
        ) : source ? (
          <Choice source={source} onBack={another} onStarted={() => setSource(undefined)} />
        ) : (
          isRestored && <SourceForm onOpened={setSource} />
        )}
      </div>
    </section>
  );
}
