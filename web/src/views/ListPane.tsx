import { Inbox, RefreshCw, SearchX, WifiOff } from 'lucide';
import { isOffline, wordsOf } from '../api/service';
import { t } from '../i18n';
import { can } from '../state/accounts';
import { folder } from '../state/folders';
import { conversations, list, reload, rows } from '../state/list';
import { route } from '../state/route';
import { chosen } from '../state/selection';
import { Icon } from './Icon';
import { ListBar, SelectionBar } from './ListBar';
import { ComposeButton } from './Sidebar';
import { VirtualList } from './VirtualList';

export function ListPane() {
  const shown = folder.value;
  return (
    <section class="list-pane" aria-label={t().messages}>
      {chosen.value.length ? <SelectionBar /> : <ListBar />}
      {list.value.error && rows.value.length ? <Stale /> : null}
      <Content key={list.value.name} />
      {can('send') && shown && (
        <div class="floating">
          <ComposeButton />
        </div>
      )}
    </section>
  );
}

function Content() {
  const { state, error } = list.value;
  if (conversations.value.length) return <VirtualList />;
  if (error) return <Failed error={error} />;
  if (state === 'loading') return <Skeleton />;
  return <Empty />;
}

function Empty() {
  const isSearch = Boolean(route.value.query);
  return (
    <div class="nothing" id="list" tabIndex={-1}>
      <Icon of={isSearch ? SearchX : Inbox} />
      <h2>{isSearch ? t().nothingFound : t().empty}</h2>
      <p>{isSearch ? t().nothingFoundLead : t().emptyLead}</p>
    </div>
  );
}

function Failed({ error }: { error: unknown }) {
  return (
    <div class="nothing" role="alert" id="list" tabIndex={-1}>
      <Icon of={WifiOff} />
      <h2>{wordsOf(error, t().offline)}</h2>
      {isOffline(error) && <p>{t().offlineLead}</p>}
      <button type="button" class="secondary" onClick={() => void reload()}>
        <Icon of={RefreshCw} />
        {t().retry}
      </button>
    </div>
  );
}

/** The list is as it was seen last. */
function Stale() {
  return (
    <p class="stale">
      <Icon of={WifiOff} />
      <span class="grow">{wordsOf(list.value.error, t().offline)}</span>
      <button type="button" class="text-button" onClick={() => void reload()}>
        {t().retry}
      </button>
    </p>
  );
}

function Skeleton() {
  return (
    <div class="skeleton" aria-busy="true" role="status" aria-label={t().loading}>
      {Array.from({ length: 9 }, (_, at) => (
        <div key={at} class="bone" />
      ))}
    </div>
  );
}
