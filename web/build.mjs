// Builds the page into OUT (default: service/web/files). The same source gives the same octets; built-from names the source.
import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const out = process.env.OUT ?? join(here, '../service/web/files');
const common = {
  absWorkingDir: here, // names of files with a hash depend on the paths of their sources
  bundle: true,
  minify: true,
  target: ['chrome111', 'firefox115', 'safari16.4'],
  legalComments: 'none',
  logLevel: 'warning',
};

await rm(out, { recursive: true, force: true });
await mkdir(join(out, 'assets'), { recursive: true });
await cp(join(here, 'src/public'), out, { recursive: true });

const page = await build({
  ...common,
  entryPoints: { app: join(here, 'src/main.tsx'), style: join(here, 'src/styles/index.css'), frame: join(here, 'src/styles/frame.css') },
  outdir: join(out, 'assets'),
  format: 'esm',
  splitting: true,
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  metafile: true,
});
const made = Object.entries(page.metafile.outputs);
const assetOf = (name) => `assets/${basename(made.find(([path]) => basename(path).startsWith(`${name}-`))[0])}`;
// What the page's script imports is loaded beside it, not after it.
const importsOf = (path, found = new Set()) => {
  for (const { path: next, kind } of page.metafile.outputs[path].imports) {
    if (kind === 'import-statement' && !found.has(next)) importsOf(next, found.add(next));
  }
  return found;
};
const app = made.find(([path]) => basename(path).startsWith('app-'))[0];
const preloads = [...importsOf(app)].map((path) => `<link rel="modulepreload" href="assets/${basename(path)}">`).sort();
const fill = (text) => text.replace('@preloads@', preloads.join('\n')).replace(/@(\w+)@/g, (_, name) => assetOf(name));
for (const name of ['index.html', 'frame.html']) {
  await writeFile(join(out, name), fill(await readFile(join(here, 'src', name), 'utf8')));
}
// The service also serves frame.html as pictures.html, under a policy that lets pictures of others in.
const shell = ['./', 'frame.html', 'pictures.html', 'icon.svg', 'manifest.webmanifest', ...made.map(([path]) => `assets/${basename(path)}`)].sort();
const version = createHash('sha256');
for (const file of (await readdir(out, { recursive: true })).sort()) {
  version.update(file).update(await readFile(join(out, file)).catch(() => ''));
}
await build({
  ...common,
  entryPoints: [join(here, 'src/worker/worker.ts')],
  outfile: join(out, 'worker.js'),
  format: 'iife',
  define: { SHELL: JSON.stringify(shell), VERSION: JSON.stringify(version.digest('hex').slice(0, 16)) },
});

const source = createHash('sha256');
for (const file of ['build.mjs', 'package-lock.json', ...(await readdir(join(here, 'src'), { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile())
  .map((entry) => relative(here, join(entry.parentPath, entry.name)))
  .sort()]) {
  source.update(`${file}\0`).update(await readFile(join(here, file)));
}
if (!process.env.OUT) await writeFile(join(here, 'built-from'), `${source.digest('hex')}\n`);
