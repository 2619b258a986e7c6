import type { Message } from 'casella-client';
import { ImageOff } from 'lucide';
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import { preferences } from '../state/preferences';
import { Icon } from './Icon';
import { MailFrame } from './MailFrame';
import { PlainText } from './PlainText';

/** The text of a message. Pictures of other servers are loaded only if the reader wants them. */
export function Body({ message: { id, body } }: { message: Message }) {
  const [wanted, setWanted] = useState(preferences.value.pictures === 'always');
  const hasPictures = wanted && body.remoteContent.length > 0;
  return (
    <div class="body">
      {body.remoteContent.length > 0 && !wanted && (
        <p class="pictures">
          <Icon of={ImageOff} />
          <span class="grow">{t().picturesHidden(body.remoteContent.length)}</span>
          <button type="button" class="text-button" onClick={() => setWanted(true)}>
            {t().showPictures}
          </button>
        </p>
      )}
      {body.html ? (
        <MailFrame key={`${id}${hasPictures}`} html={body.html} remote={hasPictures ? body.remoteContent : []} />
      ) : (
        <PlainText text={body.text ?? ''} />
      )}
      {body.isTruncated && <p class="warning">{t().truncated}</p>}
    </div>
  );
}
