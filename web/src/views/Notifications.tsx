import { useEffect, useState } from 'preact/hooks';
import { wordsOf } from '../api/service';
import { t } from '../i18n';
import { mailbox } from '../state/accounts';
import { notify } from '../state/outbox';
import { canWake, stopWaking, wake, wakingOf } from '../state/waking';
import { Switch } from './Switch';

/** Notifications of new mail, if the service can send them for this mailbox. */
export function Notifications() {
  const box = mailbox();
  const now = wakingOf(box);
  const [isPossible, setPossible] = useState(false);
  const [wanted, setWanted] = useState<{ isOn: boolean; alert: boolean }>(); // while it is being done
  const [isBlocked, setBlocked] = useState(isDenied);
  useEffect(() => void canWake(box).then(setPossible), [box.id]);
  if (!isPossible) return null;
  const { isOn, alert } = wanted ?? { isOn: now.state !== 'off', alert: now.alert };
  const change = (next: { isOn: boolean; alert: boolean }): void => {
    setWanted(next);
    const done = next.isOn ? wake(box, next.alert) : stopWaking(box);
    const end = (): void => {
      setWanted(undefined);
      setBlocked(isDenied());
    };
    done.catch((error: unknown) => notify(wordsOf(error, t().offline), true)).finally(end);
  };
  return (
    <>
      <Switch
        label={t().notifications}
        isOn={isOn}
        isDisabled={wanted !== undefined || isBlocked}
        onChange={(next) => change({ isOn: next, alert })}
      />
      {isOn && (
        <Switch
          label={t().notificationsNamed}
          isOn={alert}
          isDisabled={wanted !== undefined}
          onChange={(next) => change({ isOn, alert: next })}
        />
      )}
      <p class="hint" role="status">
        {isBlocked ? t().notificationsBlocked : now.state === 'waiting' ? t().notificationsWaiting : ''}
      </p>
    </>
  );
}

function isDenied(): boolean {
  return 'Notification' in window && Notification.permission === 'denied';
}
