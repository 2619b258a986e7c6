import { Menu as MenuIcon } from 'lucide';
import { useEffect } from 'preact/hooks';
import { t } from '../i18n';
import { can, mailbox, refresh } from '../state/accounts';
import { loadFolders } from '../state/folders';
import { isHelp, listenToKeys } from '../state/keys';
import { openList } from '../state/list';
import { isOnline } from '../state/live';
import { loadPreferences } from '../state/preferences';
import { closeMessage, openMessage } from '../state/reader';
import { route } from '../state/route';
import { writing } from '../state/writing/model';
import { AccountMenu } from './AccountMenu';
import { Composer } from './Composer';
import { Help } from './Help';
import { IconButton } from './Icon';
import { ListPane } from './ListPane';
import { later } from './Later';
import { isMenuOpen } from './menuOpen';
import { Notices } from './Notices';
import { Reader } from './Reader';
import { SearchBox } from './SearchBox';
import { Settings } from './Settings';
import { Sidebar } from './Sidebar';

const Import = later(() => import('./importing/Import').then((file) => file.Import));

/** The page of one account. */
export function Shell() {
  useEffect(start, []);
  const { folder, query, message, panel } = route.value;
  useEffect(() => {
    if (!panel) void openList();
  }, [folder, query, panel]);
  useEffect(() => {
    if (message) void openMessage(message);
    else closeMessage();
  }, [message]);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') isMenuOpen.value = false;
  };
  return (
    <div class={isMenuOpen.value ? 'shell with-menu' : 'shell'} onKeyDown={onKeyDown}>
      {!panel && (
        <a class="skip" href="#list" onClick={focusList}>
          {t().skip}
        </a>
      )}
      <Top />
      <Sidebar />
      <main class="panes">
        {panel === 'settings' ? <Settings /> : panel === 'import' ? <Import /> : <Panes />}
      </main>
      {writing.value && <Composer key={writing.value.key} />}
      {isHelp.value && <Help />}
      <Notices />
    </div>
  );
}

function Panes() {
  return (
    <>
      <ListPane />
      <Reader />
    </>
  );
}

function Top() {
  return (
    <header class="top">
      <IconButton
        of={MenuIcon}
        label={isMenuOpen.value ? t().closeMenu : t().menu}
        className="menu-button"
        isPressed={isMenuOpen.value}
        onClick={() => (isMenuOpen.value = !isMenuOpen.value)}
      />
      <img class="brand" src="icon.svg" alt="Casella" width="32" height="32" />
      {can('search') ? <SearchBox /> : <span class="grow" />}
      {!isOnline.value && <span class="offline">{t().offline}</span>}
      <AccountMenu />
    </header>
  );
}

function focusList(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>('#list')?.focus();
}

function start(): () => void {
  const box = mailbox();
  void loadFolders().catch(() => undefined);
  void refresh(box).then(() => loadPreferences().catch(() => undefined));
  return listenToKeys();
}
