import { Check, CircleHelp, FolderDown, LogOut, Plus, Settings as Gear, UserRound } from 'lucide';
import { size } from '../i18n/values';
import { t } from '../i18n';
import { can, currentId, mailbox, mailboxes, use } from '../state/accounts';
import { isHelp } from '../state/keys';
import { go } from '../state/route';
import { leaveAccount } from '../state/signingOut';
import { Avatar } from './Avatar';
import { isAdding } from './adding';
import { Icon } from './Icon';
import { Menu } from './Menu';

export function AccountMenu() {
  return (
    <Menu of={UserRound} label={`${t().account}: ${mailbox().username}`}>
      {(close) => (
        <>
          {mailboxes.value.map(({ id, username }) => (
            <button
              key={id}
              type="button"
              class="item"
              aria-current={id === currentId.value || undefined}
              onClick={() => switchTo(id, close)}
            >
              <Avatar name={username} />
              <bdi class="grow">{username}</bdi>
              {id === currentId.value && <Icon of={Check} />}
            </button>
          ))}
          <Storage />
          <hr />
          <Item of={Plus} text={t().addAccount} onClick={() => (isAdding.value = true)} />
          {can('import') && (
            <Item of={FolderDown} text={t().importTitle} onClick={() => (close(), go({ folder: 'inbox', panel: 'import' }))} />
          )}
          <Item of={Gear} text={t().settings} onClick={() => (close(), go({ folder: 'inbox', panel: 'settings' }))} />
          <Item of={CircleHelp} text={t().help} onClick={() => (close(), (isHelp.value = true))} />
          <hr />
          <Item of={LogOut} text={t().signOut} onClick={() => (close(), void leaveAccount(mailbox().id))} />
        </>
      )}
    </Menu>
  );
}

function Item({ of, text, onClick }: { of: typeof Plus; text: string; onClick: () => void }) {
  return (
    <button type="button" class="item" onClick={onClick}>
      <Icon of={of} />
      {text}
    </button>
  );
}

/** How full the mailbox is, if its server says so. */
function Storage() {
  const quota = mailbox().account?.quota;
  if (!quota?.limit) return null;
  return (
    <div class="storage">
      <progress value={quota.used} max={quota.limit} aria-label={t().storage(size(quota.used), size(quota.limit))} />
      <small>{t().storage(size(quota.used), size(quota.limit))}</small>
    </div>
  );
}

function switchTo(id: string, close: () => void): void {
  close();
  if (id === currentId.value) return;
  go({ folder: 'inbox' });
  use(id);
}
