// Puts the generated SDK where an npm package would be. SDK names its folder; `make web` generates it into build/web.
import { cp, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const sdk = process.env.SDK ?? `${here}../build/web/sdks/typescript`;
const place = `${here}node_modules/casella-client`;
await rm(place, { recursive: true, force: true });
await cp(`${sdk}/dist`, `${place}/dist`, { recursive: true });
await cp(`${sdk}/package.json`, `${place}/package.json`);
