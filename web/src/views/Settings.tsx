import { ArrowLeft } from 'lucide';
import { wordsOf } from '../api/service';
import { LANGUAGES, t } from '../i18n';
import { can } from '../state/accounts';
import { notify } from '../state/outbox';
import { prefer, type Preferences, preferences } from '../state/preferences';
import { go } from '../state/route';
import { IconButton } from './Icon';
import { later } from './Later';
import { Switch } from './Switch';

const Notifications = later(() => import('./Notifications').then((file) => file.Notifications));

export function Settings() {
  const words = t();
  return (
    <section class="settings" aria-label={words.settings}>
      <header class="bar">
        <IconButton of={ArrowLeft} label={words.back} onClick={() => go({ folder: 'inbox' })} className="mirrored" />
        <h1 class="title">{words.settings}</h1>
      </header>
      <div class="form">
        <Choice label={words.theme} name="theme" options={words.themes} />
        <Choice label={words.language} name="language" options={{ system: words.asSystem, ...LANGUAGES }} />
        <Choice label={words.density} name="density" options={words.densities} />
        <Choice label={words.direction} name="direction" options={words.directions} />
        {can('threads') && (
          <Switch
            label={words.conversations}
            isOn={preferences.value.conversations}
            onChange={(conversations) => change({ conversations })}
          />
        )}
        <Switch
          label={words.alwaysPictures}
          isOn={preferences.value.pictures === 'always'}
          onChange={(isOn) => change({ pictures: isOn ? 'always' : 'ask' })}
        />
        <Notifications />
        <p class="lead">{can('settings') ? words.followsYou : words.staysHere}</p>
      </div>
    </section>
  );
}

type ChoiceName = 'theme' | 'language' | 'density' | 'direction';

function Choice({ label, name, options }: { label: string; name: ChoiceName; options: Record<string, string> }) {
  return (
    <label class="choice">
      <span>{label}</span>
      <select value={preferences.value[name]} onChange={(event) => change({ [name]: event.currentTarget.value })}>
        {Object.entries(options).map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

function change(wanted: Partial<Preferences>): void {
  prefer(wanted).catch((error: unknown) => notify(wordsOf(error, t().offline), true));
}
