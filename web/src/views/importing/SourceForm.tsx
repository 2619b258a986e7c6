import { Casella, type DiscoveryResult, type NewSession } from 'casella-client';
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { SERVICE, visitor, wordsOf } from '../../api/service';
import { t } from '../../i18n';
import { mailbox, mailboxes } from '../../state/accounts';
import { endSession, type Source } from '../../state/importing';
import { isAdding } from '../adding';

interface Found {
  address: string;
  result: DiscoveryResult;
  servers: string[];
}

/** Which mailbox the mail comes from: another signed-in account, or one of which the password is asked. */
export function SourceForm({ onOpened }: { onOpened: (source: Source) => void }) {
  const box = mailbox();
  const others = mailboxes.value.filter(({ id }) => id !== box.id);
  const [found, setFound] = useState<Found>();
  return (
    <>
      <p class="lead">{t().importLead(box.username)}</p>
      {others.length > 0 && (
        <div class="sources">
          <h2>{t().importFromAccount}</h2>
          {others.map(({ id, username, casella }) => (
            <button
              key={id}
              type="button"
              class="secondary"
              onClick={() => onOpened({ id, username, casella, isTemporary: false })}
            >
              <bdi>{username}</bdi>
            </button>
          ))}
          <h2>{t().importFromOther}</h2>
        </div>
      )}
      {found ? (
        <Password found={found} onBack={() => setFound(undefined)} onOpened={onOpened} />
      ) : (
        <Address onFound={setFound} />
      )}
    </>
  );
}

/** Do something, and show why if it fails. */
function useAttempt() {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const attempt = (act: () => Promise<void>) => (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    act().catch(setError).finally(() => setBusy(false));
  };
  const failure = (
    <p class="failure" role="alert" hidden={!error}>
      {error ? wordsOf(error, t().offline) : ''}
    </p>
  );
  return { isBusy, attempt, failure };
}

function Address({ onFound }: { onFound: (found: Found) => void }) {
  const [address, setAddress] = useState('');
  const { isBusy, attempt, failure } = useAttempt();
  const look = async (): Promise<void> => {
    const email = address.trim();
    const result = email.includes('@') ? await visitor.sessions.getDiscovery({ email }) : { candidates: [] };
    const isKnown = result.candidates.some((one) => one.server);
    const servers = isKnown ? [] : (await visitor.sessions.listServers()).items.map((one) => one.name);
    if (!isKnown && !servers.length) throw new Error(t().unreachable);
    onFound({ address: email, result, servers });
  };
  return (
    <form class="source" onSubmit={attempt(look)}>
      <label>
        {t().importAddress}
        <input
          type="text"
          inputMode="email"
          name="old-address"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          required
          value={address}
          onInput={(event) => setAddress(event.currentTarget.value)}
        />
      </label>
      {failure}
      <button class="primary" disabled={isBusy}>
        {t().next}
      </button>
    </form>
  );
}

function Password({ found, onBack, onOpened }: { found: Found; onBack: () => void; onOpened: (source: Source) => void }) {
  const { address, result, servers } = found;
  const candidate = result.candidates.find((one) => one.server);
  const [password, setPassword] = useState('');
  const [server, setServer] = useState(servers[0]);
  const { isBusy, attempt, failure } = useAttempt();
  const username = candidate?.login === 'localpart' ? address.split('@')[0]! : address;
  const back = (
    <button type="button" class="text-button" onClick={onBack}>
      {t().otherAddress}
    </button>
  );
  if (candidate && !candidate.auth.includes('password')) return <Provider back={back} />;
  return (
    <form class="source" onSubmit={attempt(async () => onOpened(await opened({ username, password, server: candidate?.server ?? server })))}>
      {candidate?.isUnconfirmed && <p class="warning">{t().unconfirmed(candidate.imap?.host ?? '')}</p>}
      {servers.length > 1 && (
        <label>
          {t().chooseServer}
          <select value={server} onChange={(event) => setServer(event.currentTarget.value)}>
            {servers.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      )}
      <label>
        {t().passwordOf(address)}
        <input
          type="password"
          autocomplete="off"
          required
          value={password}
          onInput={(event) => setPassword(event.currentTarget.value)}
        />
      </label>
      {failure}
      <div class="buttons">
        <button class="primary" disabled={isBusy}>
          {t().next}
        </button>
        {back}
      </div>
    </form>
  );
}

/** Some mailboxes are opened at their provider's page, as an account of this page. */
function Provider({ back }: { back: ComponentChildren }) {
  return (
    <>
      <p>{t().importSignInFirst}</p>
      <div class="buttons">
        <button type="button" class="primary" onClick={() => (isAdding.value = true)}>
          {t().addAccount}
        </button>
        {back}
      </div>
    </>
  );
}

async function opened(newSession: NewSession): Promise<Source> {
  const { token, account } = await visitor.sessions.createSession({ newSession });
  const casella = new Casella(SERVICE, { token });
  if (account.id !== mailbox().id) return { id: account.id, username: account.username, casella, isTemporary: true };
  await endSession(casella);
  throw new Error(t().importSame);
}
