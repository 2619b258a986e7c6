import { Archive, CheckCheck, FolderInput, Mail, MailOpen, RefreshCw, Square, SquareCheckBig, Trash2, X } from 'lucide';
import { t } from '../i18n';
import { archive, canArchive, discard, markAllRead, markRead } from '../state/actions';
import { can } from '../state/accounts';
import { idsOf } from '../state/conversations';
import { folder } from '../state/folders';
import { act } from '../state/keys';
import { conversations, isUnread, list, reload } from '../state/list';
import { route } from '../state/route';
import { chosen, clearSelection, selectAll } from '../state/selection';
import { FolderPicker } from './FolderPicker';
import { IconButton } from './Icon';
import { folderName } from './Sidebar';

/** The name of the list, and what can be done with all of it. */
export function ListBar() {
  const shown = folder.value;
  const { query } = route.value;
  const total = query ? list.value.total : shown?.totalMessages;
  return (
    <header class="bar">
      <div class="title">
        <h1>{query ? <bdi>“{query}”</bdi> : shown ? <bdi>{folderName(shown)}</bdi> : t().messages}</h1>
        {total !== undefined && <small>{total}</small>}
      </div>
      {can('flags') && <IconButton of={Square} label={t().selectAll} keys="* a" onClick={selectAll} />}
      {can('flags') && !query && (shown?.unreadMessages ?? 0) > 0 && (
        <IconButton of={CheckCheck} label={t().markAllRead} onClick={markAllRead} />
      )}
      <IconButton of={RefreshCw} label={t().retry} onClick={() => void reload()} />
    </header>
  );
}

/** What can be done with what is ticked. */
export function SelectionBar() {
  const ids = idsOf(chosen.value);
  const isAnyUnread = chosen.value.some(({ rows }) => rows.some(isUnread));
  const done = (by: () => void) => () => {
    by();
    clearSelection();
  };
  return (
    <header class="bar selecting">
      <IconButton of={X} label={t().clear} onClick={clearSelection} />
      <h1 class="title">{t().selected(chosen.value.length)}</h1>
      {chosen.value.length < conversations.value.length && (
        <IconButton of={SquareCheckBig} label={t().selectAll} keys="* a" onClick={selectAll} />
      )}
      {canArchive() && <IconButton of={Archive} label={t().archive} keys="e" onClick={done(() => act(archive))} />}
      <IconButton of={Trash2} label={t().delete} keys="#" onClick={done(() => act(discard))} />
      {can('flags') && (
        <IconButton
          of={isAnyUnread ? MailOpen : Mail}
          label={isAnyUnread ? t().markRead : t().markUnread}
          onClick={done(() => markRead(ids, isAnyUnread))}
        />
      )}
      {can('move') && <FolderPicker of={FolderInput} />}
    </header>
  );
}
