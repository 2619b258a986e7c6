import type { Folder } from 'casella-client';
import { Archive, File, FolderClosed, type IconNode, Inbox, Mails, OctagonAlert, Pencil, SendHorizontal, Star, Trash2 } from 'lucide';
import { t } from '../i18n';
import { can } from '../state/accounts';
import { folder, ordered } from '../state/folders';
import { route } from '../state/route';
import { compose } from '../state/writing/composing';
import { Icon } from './Icon';
import { isMenuOpen } from './menuOpen';

const ICONS: Record<string, IconNode> = {
  inbox: Inbox,
  flagged: Star,
  drafts: File,
  sent: SendHorizontal,
  archive: Archive,
  all: Mails,
  junk: OctagonAlert,
  trash: Trash2,
};
/** Roles whose total counts, for nothing in them is ever unread. */
const TOTALS = ['drafts'];

export function Sidebar() {
  return (
    <>
      <div class="scrim" onClick={() => (isMenuOpen.value = false)} />
      <nav class="sidebar" aria-label={t().folders}>
        {can('send') && <ComposeButton />}
        <ul>
          {ordered.value.map((one) => (
            <li key={one.id}>
              <Entry folder={one} />
            </li>
          ))}
        </ul>
      </nav>
    </>
  );
}

export function ComposeButton() {
  return (
    <button type="button" class="compose-button" aria-keyshortcuts="c" onClick={() => compose()}>
      <Icon of={Pencil} />
      <span>{t().compose}</span>
    </button>
  );
}

export function folderName({ role, name }: Folder): string {
  return (role && t().roles[role]) || name;
}

function Entry({ folder: one }: { folder: Folder }) {
  const role = one.role ?? '';
  const depth = role ? 0 : Math.min(4, one.path.length - 1);
  const count = TOTALS.includes(role) ? one.totalMessages : one.unreadMessages;
  const isHere = folder.value?.id === one.id && !route.value.panel;
  const content = (
    <>
      <Icon of={ICONS[role] ?? FolderClosed} />
      <bdi class="grow">{folderName(one)}</bdi>
      {count ? <Count count={count} isUnread={!TOTALS.includes(role)} /> : null}
    </>
  );
  if (!one.isSelectable) return <span class={`entry depth-${depth}`}>{content}</span>;
  return (
    <a class={`entry depth-${depth}`} href={`#/${encodeURIComponent(role || one.id)}`} aria-current={isHere ? 'page' : undefined}>
      {content}
    </a>
  );
}

function Count({ count, isUnread }: { count: number; isUnread: boolean }) {
  return (
    <span class={isUnread ? 'count unread' : 'count'} aria-label={isUnread ? t().unreadCount(count) : String(count)} role="img">
      {count > 9999 ? '9999+' : count}
    </span>
  );
}
