import type { Folder, ImportResult } from 'casella-client';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Progress } from '../../api/imports';
import { wordsOf } from '../../api/service';
import { t } from '../../i18n';
import { size } from '../../i18n/values';
import { mailbox } from '../../state/accounts';
import { ordered } from '../../state/folders';
import { dryRun, type Source, startImport, type Wanted } from '../../state/importing';
import { folderName } from '../Sidebar';
import { Rejects } from './Rejects';

interface Props {
  source: Source;
  onBack: () => void;
  onStarted: () => void;
}

/** What comes of the other mailbox. A dry run counts it before anything is copied. */
export function Choice({ source, onBack, onStarted }: Props) {
  const [folders, setFolders] = useState<Folder[]>();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [into, setInto] = useState('');
  const [since, setSince] = useState('');
  const [error, setError] = useState<unknown>();
  const [counted, setCounted] = useState<ImportResult>();
  const counting = useCount();
  useEffect(() => {
    source.casella.folders.listFolders({ account: 'me' }).then(({ items }) => {
      const own = items.filter((one) => one.isSelectable && !one.namespace);
      setFolders(own);
      setChosen(new Set(own.map(({ id }) => id)));
    }, setError);
  }, []);
  const wanted: Wanted = {
    folders: folders && chosen.size < folders.length ? [...chosen] : undefined,
    into: into || undefined,
    since: since ? new Date(`${since}T00:00`) : undefined,
  };
  const count = (event: Event): void => {
    event.preventDefault();
    setError(undefined);
    counting.start(source, wanted).then(setCounted, setError);
  };
  if (counted) {
    const start = (): void => {
      startImport(mailbox(), source, wanted, counted.copied + (counted.left ?? 0));
      onStarted();
    };
    return <Summary source={source} counted={counted} onStart={start} onBack={() => setCounted(undefined)} />;
  }
  const isCounting = counting.seen !== undefined;
  return (
    <form class="source" onSubmit={count}>
      <p class="lead">{t().importFrom(source.username)}</p>
      {!folders && !error && <p role="status">{t().loading}</p>}
      {folders && (
        <fieldset disabled={isCounting}>
          <legend>{t().folders}</legend>
          {folders.map((one) => (
            <label key={one.id} class="pick">
              <input type="checkbox" checked={chosen.has(one.id)} onChange={() => setChosen(toggled(chosen, one.id))} />
              <bdi class="grow">{folderName(one)}</bdi>
              {one.totalMessages !== undefined && <small>{one.totalMessages}</small>}
            </label>
          ))}
        </fieldset>
      )}
      {folders && (
        <>
          <label>
            {t().importInto}
            <select value={into} disabled={isCounting} onChange={(event) => setInto(event.currentTarget.value)}>
              <option value="">{t().importSameFolders}</option>
              {ordered.value.filter((one) => one.isSelectable && one.role !== 'flagged').map((one) => (
                <option key={one.id} value={one.id}>
                  {folderName(one)}
                </option>
              ))}
            </select>
          </label>
          <label>
            {t().importSince}
            <input type="date" value={since} disabled={isCounting} onInput={(event) => setSince(event.currentTarget.value)} />
          </label>
        </>
      )}
      <p class="failure" role="alert" hidden={!error}>
        {error ? wordsOf(error, t().offline) : ''}
      </p>
      <p role="status">{counting.seen ? t().importCounting((counting.seen.left ?? 0) + counting.seen.skipped) : ''}</p>
      <div class="buttons">
        <button class="primary" disabled={isCounting || !chosen.size}>
          {t().importCount}
        </button>
        <button type="button" class="text-button" onClick={isCounting ? counting.stop : onBack}>
          {isCounting ? t().importCancel : t().otherAddress}
        </button>
      </div>
    </form>
  );
}

/** A dry run: `seen` is there while it goes on. */
function useCount() {
  const [seen, setSeen] = useState<Progress>();
  const control = useRef<AbortController>(undefined);
  useEffect(() => () => control.current?.abort(), []);
  const start = async (source: Source, wanted: Wanted): Promise<ImportResult | undefined> => {
    const mine = (control.current = new AbortController());
    setSeen({ copied: 0, skipped: 0, octets: 0 });
    try {
      return await dryRun(mailbox(), source, wanted, setSeen, mine.signal);
    } catch (error) {
      if (mine.signal.aborted) return undefined;
      throw error;
    } finally {
      setSeen(undefined);
    }
  };
  return { seen, start, stop: () => control.current?.abort() };
}

function toggled(chosen: ReadonlySet<string>, id: string): ReadonlySet<string> {
  const next = new Set(chosen);
  if (!next.delete(id)) next.add(id);
  return next;
}

interface SummaryProps {
  source: Source;
  counted: ImportResult;
  onStart: () => void;
  onBack: () => void;
}

function Summary({ source, counted, onStart, onBack }: SummaryProps) {
  const total = counted.left ?? counted.copied;
  const folders = counted.folders.filter(({ left, skipped }) => left + skipped > 0);
  return (
    <>
      <p class="lead">{t().importFrom(source.username)}</p>
      <div role="status">
        <h2>{t().importWill(total, size(counted.octets))}</h2>
      </div>
      {counted.skipped > 0 && <p>{t().importThere(counted.skipped)}</p>}
      <table class="counts" hidden={!folders.length}>
        <thead>
          <tr>
            <th scope="col">{t().importFolder}</th>
            <th scope="col">{t().importNew}</th>
            <th scope="col">{t().importThereAlready}</th>
          </tr>
        </thead>
        <tbody>
          {folders.map(({ name, left, skipped }) => (
            <tr key={name}>
              <th scope="row">
                <bdi>{name}</bdi>
              </th>
              <td>{left}</td>
              <td>{skipped}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Rejects failed={counted.failed} />
      <div class="buttons">
        <button type="button" class="primary" disabled={!total} onClick={onStart}>
          {t().importStart}
        </button>
        <button type="button" class="text-button" onClick={onBack}>
          {t().importChange}
        </button>
      </div>
    </>
  );
}
