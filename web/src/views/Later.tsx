import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';

/** A view whose script is loaded when it is shown first. `Meanwhile` is shown before. */
export function later(load: () => Promise<ComponentType>, Meanwhile: ComponentType = Nothing): ComponentType {
  let known: ComponentType | undefined;
  return () => {
    const [View, setView] = useState<ComponentType | undefined>(() => known);
    useEffect(() => {
      if (!known) void load().then((loaded) => setView(() => (known = loaded)));
    }, []);
    return View ? <View /> : <Meanwhile />;
  };
}

function Nothing() {
  return null;
}
