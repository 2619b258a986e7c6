import { Ellipsis } from 'lucide';
import { t } from '../i18n';
import { Icon } from './Icon';

const LINK = /\bhttps?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g;

const MOST = 2000; // links of a text: more would hold the page up

/** Text as it was written. What is quoted at its end is folded. */
export function PlainText({ text }: { text: string }) {
  const [own, quoted] = parts(text);
  return (
    <div class="plain" dir="auto">
      <Linked text={own} />
      {quoted && (
        <details>
          <summary aria-label={t().quoted}>
            <Icon of={Ellipsis} />
          </summary>
          <div>
            <Linked text={quoted} />
          </div>
        </details>
      )}
    </div>
  );
}

/** A text, and the quotation that it ends with. */
function parts(text: string): [string, string] {
  const lines = text.split('\n');
  let at = lines.length;
  while (at > 0 && /^\s*(>.*)?$/.test(lines[at - 1]!)) at--;
  const isQuoted = lines.slice(at).some((line) => line.trimStart().startsWith('>'));
  return isQuoted && at > 0 ? [lines.slice(0, at).join('\n'), lines.slice(at).join('\n')] : [text, ''];
}

function Linked({ text }: { text: string }) {
  const links = [...text.matchAll(LINK)].slice(0, MOST);
  let end = 0;
  return (
    <>
      {links.map((found) => {
        const before = text.slice(end, found.index);
        end = found.index + found[0].length;
        return [
          before,
          <a key={found.index} href={found[0]} target="_blank" rel="noopener noreferrer">
            {found[0]}
          </a>,
        ];
      })}
      {text.slice(end)}
    </>
  );
}
