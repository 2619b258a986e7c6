import { useEffect, useState } from 'preact/hooks';
import { wordsOf } from '../api/service';
import { t } from '../i18n';
import { mailbox } from '../state/accounts';
import { notify } from '../state/outbox';
import { canWake, stopWaking, wake, wakingOf } from '../state/waking';
import { Switch } from './Settings';

/** Notifications of new mail, if the service can send them for this mailbox. */
export function Notifications() {
  const box = mailbox();
  const { state, alert } = wakingOf(box);
  const [isPossible, setPossible] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [isBlocked, setBlocked] = useState(() => 'Notification' in window && Notification.permission === 'denied');
  useEffect(() => void canWake(box).then(setPossible), [box.id]);
  if (!isPossible) return null;
  const change = (isOn: boolean, withAlert: boolean): void => {
    setBusy(true);
    const done = isOn ? wake(box, withAlert).then((isAllowed) => setBlocked(!isAllowed)) : stopWaking(box);
    done.catch((error: unknown) => notify(wordsOf(error, t().offline), true)).finally(() => setBusy(false));
  };
  const isOn = state !== 'off';
  return (
    <>
      <Switch label={t().notifications} isOn={isOn} isDisabled={isBusy || isBlocked} onChange={(wanted) => change(wanted, alert)} />
      {isOn && <Switch label={t().notificationsNamed} isOn={alert} isDisabled={isBusy} onChange={(wanted) => change(true, wanted)} />}
      <p class="hint" role="status">
        {isBlocked ? t().notificationsBlocked : state === 'waiting' ? t().notificationsWaiting : ''}
      </p>
    </>
  );
}
