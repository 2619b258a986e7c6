import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { can } from '../state/accounts';
import { onKey } from '../state/keys';
import { decoded } from '../state/route';
import { compose } from '../state/writing/composing';

interface Props {
  html: string;
  /** Addresses of pictures that are loaded. */
  remote: string[];
}

const LOWEST = 40;

/**
 * Safe HTML in a frame that runs nothing: its sandbox allows no scripts, and the policy of its file neither, nor requests to
 * other servers unless `remote` has some. `allow-same-origin` lets this page fill and measure it.
 */
export function MailFrame({ html, remote }: Props) {
  const frame = useRef<HTMLIFrameElement>(null);
  useEffect(() => {
    const element = frame.current!;
    const watch = new ResizeObserver(() => fit(element));
    let isShown = false;
    const show = (): void => {
      const page = element.contentDocument!;
      if (isShown || page.URL === 'about:blank') return;
      isShown = true;
      page.body.innerHTML = html;
      load(page, remote);
      page.addEventListener('click', onClick);
      page.addEventListener('keydown', onKey);
      watch.observe(page.body);
      fit(element);
    };
    element.addEventListener('load', show);
    if (element.contentDocument?.readyState === 'complete') show();
    return () => {
      watch.disconnect();
      element.removeEventListener('load', show);
    };
  }, [html]);
  return (
    <iframe
      ref={frame}
      class="mail"
      title={t().originalHtml}
      src={remote.length ? 'pictures.html' : 'frame.html'}
      sandbox="allow-same-origin allow-popups allow-popups-to-escape-sandbox"
      referrerpolicy="no-referrer"
    />
  );
}

/** As high as its content; wide mail is scrolled within. */
function fit(frame: HTMLIFrameElement): void {
  const page = frame.contentDocument;
  if (!page?.body) return;
  const bar = page.documentElement.scrollWidth > frame.clientWidth ? 16 : 0;
  frame.style.height = `${Math.max(LOWEST, Math.ceil(page.body.getBoundingClientRect().height) + bar)}px`;
}

/** Put back what the service took out: it marked each element with the number of its address. */
function load(page: Document, remote: string[]): void {
  for (const image of page.querySelectorAll<HTMLImageElement>('img[data-remote]')) {
    const url = remote[Number(image.dataset.remote)];
    if (!url) continue;
    image.referrerPolicy = 'no-referrer';
    image.loading = 'lazy';
    image.src = url;
  }
  for (const element of page.querySelectorAll<HTMLElement>('[data-remote-background]')) {
    const url = remote[Number(element.dataset.remoteBackground)];
    if (url) element.style.backgroundImage = `url(${JSON.stringify(url)})`;
  }
}

/** Links to addresses open the composer, if the mailbox can send; all others open a window of their own. */
function onClick(event: MouseEvent): void {
  const link = (event.target as Element).closest?.('a[href^="mailto:" i]');
  if (!link || !can('send')) return;
  event.preventDefault();
  compose(fromMailto(link.getAttribute('href')!));
}

/** What RFC 6068 allows that we take: recipients, subject and text. */
export function fromMailto(href: string): { to: { email: string }[]; subject: string; text: string } {
  const [addresses = '', query = ''] = href.slice('mailto:'.length).split('?');
  const fields = new URLSearchParams(query.replace(/\+/g, '%2B'));
  const to = addresses.split(',').map(decoded).filter(Boolean);
  return { to: to.map((email) => ({ email })), subject: fields.get('subject') ?? '', text: fields.get('body') ?? '' };
}
