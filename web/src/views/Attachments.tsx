import type { Message, Part } from 'casella-client';
import { Check, Download, FileArchive, FileText, type IconNode, Image, Mail, Music, Paperclip, Video, X } from 'lucide';
import { useEffect, useRef, useState } from 'preact/hooks';
import { download, save } from '../api/download';
import { t } from '../i18n';
import { size } from '../i18n/values';
import { mailbox } from '../state/accounts';
import { notify } from '../state/outbox';
import { Icon, IconButton } from './Icon';

const ICONS: [RegExp, IconNode][] = [
  [/^image\//, Image],
  [/^audio\//, Music],
  [/^video\//, Video],
  [/^message\//, Mail],
  [/zip|compressed|tar/, FileArchive],
  [/^text\/|pdf|word|document|sheet|calendar/, FileText],
];

export function iconOf(type = ''): IconNode {
  return ICONS.find(([pattern]) => pattern.test(type))?.[1] ?? Paperclip;
}

export function Attachments({ message }: { message: Message }) {
  const count = message.attachments.length;
  return (
    <section class="attachments" aria-label={t().attachments(count)}>
      <h2>{t().attachments(count)}</h2>
      <ul>
        {message.attachments.map((part) => (
          <Attachment key={part.id} message={message.id} part={part} />
        ))}
      </ul>
    </section>
  );
}

type State = { octets: number; abort: AbortController } | 'done' | undefined;

function Attachment({ message, part }: { message: string; part: Part }) {
  const [state, setState] = useState<State>();
  const running = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => running.current?.abort(), []);
  const name = part.name || t().unnamed;

  async function start(): Promise<void> {
    const abort = (running.current = new AbortController());
    const onProgress = (octets: number): void => setState({ octets, abort });
    onProgress(0);
    try {
      const wanted = { account: 'me', message, part: part.id, signal: abort.signal, onProgress };
      save(await download(mailbox().casella, wanted), name);
      setState('done');
    } catch {
      setState(undefined);
      if (!abort.signal.aborted) notify(t().downloadFailed, true);
    }
  }
  const isRunning = typeof state === 'object';
  return (
    <li class="attachment">
      <Icon of={iconOf(part.type)} className="kind" />
      <span class="about">
        <bdi class="name">{name}</bdi>
        {isRunning ? <Progress part={part} octets={state.octets} /> : <small>{state ? t().downloaded : size(sizeOf(part))}</small>}
      </span>
      {isRunning ? (
        <IconButton of={X} label={t().cancelDownload(name)} onClick={() => state.abort.abort()} />
      ) : (
        <IconButton of={state ? Check : Download} label={t().download(name)} onClick={() => void start()} />
      )}
    </li>
  );
}

/** What is downloaded, decoded: base64 takes a third more on the wire. */
function sizeOf({ decodedSize, size: octets, encoding }: Part): number | undefined {
  if (decodedSize !== undefined || octets === undefined) return decodedSize;
  return encoding?.toLowerCase() === 'base64' ? Math.round(octets * 0.73) : octets;
}

function Progress({ part, octets }: { part: Part; octets: number }) {
  const all = sizeOf(part);
  return <progress value={all ? Math.min(octets, all) : undefined} max={all || 1} aria-label={t().download(part.name ?? '')} />;
}
