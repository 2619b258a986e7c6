import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n';

/** A view whose script is loaded when it is shown first. `Meanwhile` is shown before. A page that is older than the service
 * does not find it any more: then it has to be loaded again. */
export function later(load: () => Promise<ComponentType>, Meanwhile: ComponentType = Nothing): ComponentType {
  let known: ComponentType | undefined;
  return () => {
    const [View, setView] = useState<ComponentType | undefined>(() => known);
    useEffect(() => {
      if (!known) load().then((loaded) => setView(() => (known = loaded)), () => setView(() => Reload));
    }, []);
    return View ? <View /> : <Meanwhile />;
  };
}

function Nothing() {
  return null;
}

function Reload() {
  return (
    <p class="nothing" role="alert">
      <button type="button" class="secondary" onClick={() => location.reload()}>
        {t().reload}
      </button>
    </p>
  );
}
