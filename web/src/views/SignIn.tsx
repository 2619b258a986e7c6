import { signal } from '@preact/signals';
import type { DiscoveryResult, FoundServer, NewSession } from 'casella-client';
import { ArrowLeft, Eye, EyeOff } from 'lucide';
import { useEffect, useRef, useState } from 'preact/hooks';
import { visitProvider } from '../api/oauth';
import { visitor, wordsOf } from '../api/service';
import { t } from '../i18n';
import { ended, signIn } from '../state/accounts';
import { Icon, IconButton } from './Icon';
import { Logo } from './Logo';

/** Why a sign-in failed. Set also by what happens before this view is shown. */
export const signInError = signal<unknown>();

interface Found {
  address: string;
  result: DiscoveryResult;
  servers: string[];
}

/** From an address to a session: what the address needs is found out, and only that is asked. */
export function SignIn({ onCancel }: { onCancel?: () => void }) {
  const [found, setFound] = useState<Found>();
  return (
    <main class="sign-in">
      <div class="sign-in-card">
        <Logo />
        <h1>{t().signInTitle}</h1>
        <p class="lead">{ended.value ? t().sessionEnded(ended.value) : t().signInLead}</p>
        {found ? <Second found={found} onBack={() => setFound(undefined)} /> : <First onFound={setFound} />}
        {onCancel && (
          <button type="button" class="text-button" onClick={onCancel}>
            {t().close}
          </button>
        )}
      </div>
    </main>
  );
}

function Failure() {
  const error = signInError.value;
  return (
    <p class="failure" role="alert" hidden={!error}>
      {error ? wordsOf(error, t().offline) : ''}
    </p>
  );
}

/** Do something, and show why if it fails. */
function useAttempt(): [boolean, (act: () => Promise<void>) => (event: Event) => void] {
  const [isBusy, setBusy] = useState(false);
  const attempt = (act: () => Promise<void>) => (event: Event) => {
    event.preventDefault();
    setBusy(true);
    signInError.value = undefined;
    act().catch((error: unknown) => (signInError.value = error)).finally(() => setBusy(false));
  };
  return [isBusy, attempt];
}

function First({ onFound }: { onFound: (found: Found) => void }) {
  const [address, setAddress] = useState(ended.value ?? '');
  const [isBusy, attempt] = useAttempt();
  const look = async (): Promise<void> => {
    const email = address.trim();
    const result = email.includes('@') ? await visitor.sessions.getDiscovery({ email }) : { candidates: [] };
    const isKnown = result.candidates.some((one) => one.server);
    const servers = isKnown ? [] : (await visitor.sessions.listServers()).items.map((one) => one.name);
    onFound({ address: email, result, servers });
  };
  return (
    <form onSubmit={attempt(look)}>
      <label>
        {t().address}
        <input
          type="text"
          inputMode="email"
          name="username"
          autocomplete="username"
          autocapitalize="none"
          spellcheck={false}
          required
          autofocus
          value={address}
          onInput={(event) => setAddress(event.currentTarget.value)}
        />
      </label>
      <Failure />
      <button class="primary" disabled={isBusy}>
        {t().next}
      </button>
    </form>
  );
}

function Second({ found, onBack }: { found: Found; onBack: () => void }) {
  const { result, servers, address } = found;
  const candidate = result.candidates.find((one) => one.server);
  if (!candidate && !servers.length) return <Dead onBack={onBack} />;
  const isOAuth = candidate?.auth[0] === 'oauth2' && result.oauth;
  return (
    <>
      <button type="button" class="who" onClick={onBack} title={t().otherAddress}>
        <Icon of={ArrowLeft} />
        <bdi>{address}</bdi>
      </button>
      {candidate?.isUnconfirmed && <p class="warning">{t().unconfirmed(candidate.imap?.host ?? '')}</p>}
      {isOAuth ? <Provider found={found} candidate={candidate} /> : <Password found={found} candidate={candidate} />}
    </>
  );
}

function Dead({ onBack }: { onBack: () => void }) {
  return (
    <>
      <p class="failure" role="alert">
        {t().unreachable}
      </p>
      <button type="button" class="primary" onClick={onBack}>
        {t().otherAddress}
      </button>
    </>
  );
}

function Provider({ found, candidate }: { found: Found; candidate: FoundServer }) {
  const [isBusy, attempt] = useAttempt();
  const oauth = found.result.oauth!;
  return (
    <form onSubmit={attempt(() => visitProvider(found.address, candidate, oauth))}>
      <Failure />
      <button class="primary" disabled={isBusy}>
        {t().signInWith(oauth.provider)}
      </button>
    </form>
  );
}

function Password({ found: { address, servers }, candidate }: { found: Found; candidate?: FoundServer }) {
  const [password, setPassword] = useState('');
  const [server, setServer] = useState(servers[0]);
  const [isBusy, attempt] = useAttempt();
  const username = candidate?.login === 'localpart' ? address.split('@')[0]! : address;
  const session: NewSession = { username, password, server: candidate?.server ?? server };
  return (
    <form onSubmit={attempt(() => signIn(session))}>
      <input type="hidden" name="username" autocomplete="username" value={username} />
      {servers.length > 1 && <ServerChoice servers={servers} value={server} onChange={setServer} />}
      <PasswordField value={password} onInput={setPassword} />
      <Failure />
      <button class="primary" disabled={isBusy}>
        {t().signIn}
      </button>
    </form>
  );
}

function ServerChoice(props: { servers: string[]; value?: string; onChange: (server: string) => void }) {
  return (
    <label>
      {t().chooseServer}
      <select value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
        {props.servers.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </label>
  );
}

function PasswordField({ value, onInput }: { value: string; onInput: (value: string) => void }) {
  const [isShown, setShown] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  return (
    <div class="field">
      <label for="password">{t().password}</label>
      <div class="with-button">
        <input
          id="password"
          ref={field}
          type={(isShown ? 'text' : 'password') as 'password'}
          autocomplete="current-password"
          required
          value={value}
          onInput={(event) => onInput(event.currentTarget.value)}
        />
        <IconButton
          of={isShown ? EyeOff : Eye}
          label={isShown ? t().hidePassword : t().showPassword}
          onClick={() => setShown(!isShown)}
        />
      </div>
    </div>
  );
}
