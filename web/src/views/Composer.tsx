import { Paperclip, SendHorizontal, Trash2, X } from 'lucide';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { size } from '../i18n/values';
import { mailboxes } from '../state/accounts';
import { closedByBack } from '../state/backButton';
import { notify } from '../state/outbox';
import { close, discardWriting, edit } from '../state/writing/composing';
import { attach, detach } from '../state/writing/files';
import { type Attached, boxOf, keepsDrafts, type Writing, writing } from '../state/writing/model';
import { send } from '../state/writing/sending';
import { iconOf } from './Attachments';
import { Icon, IconButton } from './Icon';
import { addressesIn, PeopleField } from './PeopleField';

/** A message that is written: beside the mail on large screens, alone on small ones. */
export function Composer() {
  const now = writing.value!;
  const [isOver, setOver] = useState(false);
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    first(box.current!, now)?.focus();
    return () => before?.focus();
  }, []);
  useLayoutEffect(() => closedByBack(close), []); // before anybody can go back
  const canAttach = keepsDrafts(now);

  function onDrop(event: DragEvent): void {
    event.preventDefault();
    setOver(false);
    if (canAttach) attach(event.dataTransfer?.files ?? []);
  }
  function onKeyDown(event: KeyboardEvent): void {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) sendNow();
    else if (event.key === 'Escape') close();
    else return;
    event.preventDefault();
  }
  function onDragOver(event: DragEvent): void {
    event.preventDefault();
    setOver(canAttach);
  }
  return (
    <section
      ref={box}
      class={isOver ? 'composer over' : 'composer'}
      role="dialog"
      aria-label={now.subject || t().compose}
      onDragOver={onDragOver}
      onDragLeave={() => setOver(false)}
      onDrop={onDrop}
      onKeyDown={onKeyDown}
    >
      <div class="head">
        <h2>{now.subject || t().compose}</h2>
        <Saved state={now.state} />
        <IconButton of={X} label={canAttach ? t().saveAndClose : t().close} keys="Escape" onClick={close} />
      </div>
      {mailboxes.value.length > 1 && <p class="sender">{`${t().from}: `}<bdi>{boxOf(now).username}</bdi></p>}
      <Recipients />
      <input
        class="subject"
        type="text"
        dir="auto"
        aria-label={t().subject}
        placeholder={t().subject}
        value={now.subject}
        onInput={(event) => edit({ subject: event.currentTarget.value })}
      />
      <textarea
        dir="auto"
        aria-label={t().text}
        value={now.text}
        onInput={(event) => edit({ text: event.currentTarget.value })}
      />
      {now.attachments.length > 0 && <Files files={now.attachments} />}
      <div class="foot">
        <button type="button" class="primary" aria-keyshortcuts="Control+Enter" onClick={sendNow}>
          <Icon of={SendHorizontal} className="mirrored" />
          {t().send}
        </button>
        {canAttach && <AttachButton />}
        <span class="grow" />
        <IconButton of={Trash2} label={t().discard} onClick={discardWriting} />
      </div>
      {isOver && <p class="drop-here">{t().dropHere}</p>}
    </section>
  );
}

/** The field that a writer fills next. */
function first(box: HTMLElement, { to }: Writing): HTMLElement | null {
  const text = box.querySelector('textarea');
  if (!to.length) return box.querySelector('input');
  text?.setSelectionRange(0, 0);
  return text;
}

function sendNow(): void {
  const fields = [...document.querySelectorAll<HTMLInputElement>('.people-field input')];
  fields.find((one) => one === document.activeElement)?.blur(); // an address that is being typed is a recipient
  const { to, cc, bcc, attachments } = writing.value!;
  const unclear = fields.find(({ value }) => value.trim() && !addressesIn(value).length);
  if (unclear) {
    notify(t().noAddress(unclear.value.trim()), true);
    unclear.focus();
  } else if (!to.length && !cc.length && !bcc.length) notify(t().noRecipients, true);
  else if (attachments.some((one) => one.progress !== undefined)) notify(t().uploading, true);
  else send();
}

function Saved({ state }: { state: Writing['state'] }) {
  if (!keepsDrafts(writing.value!)) return null;
  const words = { clean: writing.value?.draft ? t().saved : '', dirty: '', saving: t().saving, failed: t().saveFailed };
  return (
    <small class="grow" role="status">
      {words[state]}
    </small>
  );
}

function Recipients() {
  const { to, cc, bcc } = writing.value!;
  const [isMore, setMore] = useState(cc.length > 0 || bcc.length > 0);
  return (
    <div class="recipient-fields">
      <PeopleField label={t().to} name="to" people={to} onChange={(next) => edit({ to: next })} />
      {!isMore && (
        <button type="button" class="text-button" onClick={() => setMore(true)}>
          {t().addCc}
        </button>
      )}
      {isMore && <PeopleField label={t().cc} name="cc" people={cc} onChange={(next) => edit({ cc: next })} />}
      {isMore && <PeopleField label={t().bcc} name="bcc" people={bcc} onChange={(next) => edit({ bcc: next })} />}
    </div>
  );
}

function Files({ files }: { files: Attached[] }) {
  return (
    <ul class="files" aria-label={t().attachments(files.length)}>
      {files.map((file) => (
        <li key={file.key}>
          <Icon of={iconOf(file.type)} />
          <bdi>{file.name}</bdi>
          {file.progress === undefined ? <small>{size(file.size)}</small> : <progress aria-label={t().uploading} />}
          {file.progress === undefined && <IconButton of={X} label={t().remove(file.name)} onClick={() => detach(file)} />}
        </li>
      ))}
    </ul>
  );
}

/** Phones offer the camera for it. */
function AttachButton() {
  const input = useRef<HTMLInputElement>(null);
  const onChange = (): void => {
    attach([...(input.current?.files ?? [])]);
    input.current!.value = '';
  };
  return (
    <>
      <IconButton of={Paperclip} label={t().attach} onClick={() => input.current?.click()} />
      <input ref={input} type="file" multiple hidden aria-label={t().attach} onChange={onChange} />
    </>
  );
}
