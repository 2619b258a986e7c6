import type { IconNode } from 'lucide';
import { t } from '../i18n';
import { move } from '../state/actions';
import { folder, ordered } from '../state/folders';
import { act } from '../state/keys';
import { clearSelection, targets } from '../state/selection';
import { Menu } from './Menu';
import { folderName } from './Sidebar';

/** Moves the targets to the folder that is picked. */
export function FolderPicker({ of }: { of: IconNode }) {
  return (
    <Menu of={of} label={t().move} keys="v">
      {(close) =>
        ordered.value
          .filter((one) => one.isSelectable && one.id !== folder.value?.id && one.role !== 'flagged')
          .map((one) => (
            <button key={one.id} type="button" class="item" onClick={() => (close(), moveTo(one.id, folderName(one)))}>
              <bdi>{folderName(one)}</bdi>
            </button>
          ))
      }
    </Menu>
  );
}

function moveTo(id: string, name: string): void {
  const count = targets().length;
  act((ids) => move(ids, id, t().moved(count, name)));
  clearSelection();
}
