import { effect, untracked } from '@preact/signals';
import { render } from 'preact';
import { returned } from './api/oauth';
import { t } from './i18n';
import { can, current, ended, mailboxes, restore, signIn } from './state/accounts';
import { withRole } from './state/folders';
import { listen } from './state/live';
import { notify } from './state/outbox';
import { restorePreferences } from './state/preferences';
import { compose } from './state/writing/composing';
import { restoreWritings } from './state/writing/restoring';
import { App } from './views/App';
import { fromMailto } from './views/MailFrame';
import { signInError } from './views/SignIn';
import { registerWorker } from './worker/register';

async function start(): Promise<void> {
  await restore();
  await restorePreferences();
  const session = await returned();
  if (session) await signIn(session).catch((error: unknown) => (signInError.value = error));
  render(<App />, document.querySelector('#app')!);
  listenToAll();
  restoreWritings();
  composeFromLink();
  await registerWorker();
  await import('./state/waking').then(({ startWaking }) => startWaking());
}

/** One stream for all accounts: opened again if one comes, goes, or is known to have push. */
function listenToAll(): void {
  let before = '';
  effect(() => {
    const now = mailboxes.value.map(({ id, account }) => id + account?.capabilities.includes('push')).join();
    if (now === before) return;
    before = now;
    void listen();
  });
}

/** The browser opens links to addresses by this page, if the user said so. */
function composeFromLink(): void {
  const link = new URLSearchParams(location.search).get('mailto');
  if (!link || !can('send')) return;
  history.replaceState(null, '', location.pathname);
  compose(fromMailto(link));
}

effect(() => {
  const unread = withRole('inbox')?.unreadMessages ?? 0;
  document.title = unread ? `(${unread}) Casella` : 'Casella';
});

/** The sign-in says so if it is shown, else a notice. */
effect(() => {
  const username = ended.value;
  if (username && current.value) untracked(() => notify(t().sessionEnded(username), true));
});

void start();
