// Shows the contract in the page at /docs, by Redoc. The guides' column moves into Redoc's menu, so that a phone has it too.
'use strict';

const EXAMPLE_HOST = 'https://casella.example.org';
// Redoc colours code by the languages that its own build knows.
const COLOURED_AS = { TypeScript: 'javascript', Kotlin: 'scala' };
const MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace';
const SANS = 'system-ui, sans-serif';
// Redoc has a light theme only: the page's style has the same colours.
const COLOUR = { text: '#1c2328', soft: '#56616a', line: '#d9dfe4', box: '#f4f6f8', link: '#0b57a4', code: '#8a1f4d' };

function themeFor(width, colour) {
  return {
    spacing: { unit: 4, sectionVertical: 28, sectionHorizontal: width < 600 ? 20 : 36 },
    breakpoints: { medium: '50rem', large: '80rem' },
    colors: {
      primary: { main: colour.link },
      text: { primary: colour.text, secondary: colour.soft },
      border: { dark: colour.line, light: colour.line },
      gray: { 50: colour.box, 100: colour.line },
    },
    schema: { nestedBackground: colour.box, linesColor: colour.line, typeNameColor: colour.soft, typeTitleColor: colour.soft, arrow: { color: colour.soft } },
    typography: {
      fontSize: '15px',
      lineHeight: '1.6em',
      fontFamily: SANS,
      headings: { fontFamily: SANS, fontWeight: '600', lineHeight: '1.3em' },
      code: { fontFamily: MONO, fontSize: '13px', color: colour.code, backgroundColor: colour.box, wrap: false },
      links: { color: colour.link, visited: colour.link, hover: colour.link },
    },
    sidebar: { width: '17rem', backgroundColor: colour.box, textColor: colour.text, activeTextColor: colour.link },
    rightPanel: { width: '42%', backgroundColor: '#1b232b' },
    codeBlock: { backgroundColor: '#11171c' },
  };
}

function options() {
  return {
    theme: themeFor(innerWidth, COLOUR),
    scrollYOffset: 'body > header',
    hideDownloadButtons: true,
    hideRequestPayloadSample: true,
    hideSchemaTitles: true,
    nativeScrollbars: true,
    sortRequiredPropsFirst: true,
    jsonSamplesExpandLevel: 3,
    maxDisplayedEnumValues: 8,
  };
}

function* operationsOf(contract) {
  for (const methods of Object.values(contract.paths)) yield* Object.values(methods);
}

// The samples name this host, so that they run when they are pasted.
function prepared(text, root) {
  const contract = JSON.parse(text.replaceAll(EXAMPLE_HOST, root.replace(/\/$/, '')));
  for (const operation of operationsOf(contract))
    for (const sample of operation['x-codeSamples']) sample.lang = COLOURED_AS[sample.lang] ?? sample.lang;
  return contract;
}

function moveGuides(reference) {
  reference.querySelector('.menu-content [role=search]').after(document.querySelector('#guides'));
  document.body.classList.add('shown');
}

async function show() {
  const reference = document.querySelector('#reference');
  const address = new URL(reference.dataset.contract, location.href);
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`The contract could not be loaded: ${answer.status}`);
  const contract = prepared(await answer.text(), new URL('.', address).href);
  Redoc.init(contract, options(), reference, () => moveGuides(reference));
}

show().catch((error) => {
  document.querySelector('#reference').textContent = String(error.message ?? error);
});
