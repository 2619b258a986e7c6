/** On a phone the composer covers the page: the browser's Back button closes it, and leaves what is below as it is. */
const PHONE = '(max-width: 740px)';
let isOurs = false;

interface Covered {
  isCovered?: boolean;
}

function isCovered(): boolean {
  return Boolean((history.state as Covered | null)?.isCovered);
}

/** Close something by the Back button. Returns what is called when it was closed. */
export function closedByBack(close: () => void): () => void {
  if (!matchMedia(PHONE).matches) return () => undefined;
  if (!isCovered()) history.pushState({ isCovered: true } satisfies Covered, '');
  const onBack = (): void => close();
  addEventListener('popstate', onBack);
  return () => {
    removeEventListener('popstate', onBack);
    if (!isCovered()) return;
    isOurs = true;
    history.back();
  };
}

/** Whether the page itself went back, so that nothing else is to be shown. */
export function isUncovering(): boolean {
  const was = isOurs;
  isOurs = false;
  return was;
}
