import type { Folder } from 'casella-client';
import type { IconNode } from 'lucide';
import { useState } from 'preact/hooks';
import { wordsOf } from '../api/service';
import { t } from '../i18n';
import { move, moveAway } from '../state/actions';
import { can, type Mailbox, mailbox, mailboxes } from '../state/accounts';
import { folder, ordered } from '../state/folders';
import { act } from '../state/keys';
import { notify } from '../state/outbox';
import { clearSelection, targets } from '../state/selection';
import { Menu } from './Menu';
import { folderName } from './Sidebar';

/** Moves the targets to the folder that is picked, of this account or of another one. */
export function FolderPicker({ of }: { of: IconNode }) {
  return (
    <Menu of={of} label={t().move} keys="v">
      {(close) => (
        <>
          {ordered.value.filter((one) => isTarget(one) && one.id !== folder.value?.id).map((one) => (
            <Item key={one.id} folder={one} onClick={() => (close(), moveTo(one.id, folderName(one)))} />
          ))}
          {can('move') && others().map((box) => <Other key={box.id} box={box} close={close} />)}
        </>
      )}
    </Menu>
  );
}

function isTarget({ isSelectable, role }: Folder): boolean {
  return isSelectable && role !== 'flagged';
}

function others(): Mailbox[] {
  return mailboxes.value.filter(({ id, account }) => id !== mailbox().id && account?.capabilities.includes('append'));
}

function Item({ folder: one, onClick }: { folder: Folder; onClick: () => void }) {
  return (
    <button type="button" class="item" onClick={onClick}>
      <bdi>{folderName(one)}</bdi>
    </button>
  );
}

/** Another account: its folders are read if they are wanted. */
function Other({ box, close }: { box: Mailbox; close: () => void }) {
  const [folders, setFolders] = useState<Folder[]>();
  const show = (): void => {
    box.casella.folders.listFolders({ account: 'me' }).then(
      ({ items }) => setFolders(items.filter(isTarget)),
      (error: unknown) => notify(wordsOf(error, t().offline), true),
    );
  };
  return (
    <>
      <hr />
      <button type="button" class="item" aria-expanded={folders !== undefined} onClick={show}>
        <bdi>{t().otherAccount(box.username)}</bdi>
      </button>
      {folders?.map((one) => (
        <Item key={one.id} folder={one} onClick={() => (close(), moveToOther(box, one))} />
      ))}
    </>
  );
}

function moveTo(id: string, name: string): void {
  const count = targets().length;
  act((ids) => move(ids, id, t().moved(count, name)));
  clearSelection();
}

function moveToOther(box: Mailbox, to: Folder): void {
  const count = targets().length;
  act((ids) => moveAway(ids, box, to.id, t().moved(count, `${folderName(to)} (${box.username})`)));
  clearSelection();
}
