// Shows the contract in the page at /docs/try by Swagger UI, which sends requests.
'use strict';

async function show() {
  const answer = await fetch(document.querySelector('#reference').dataset.contract);
  if (!answer.ok) throw new Error(`The contract could not be loaded: ${answer.status}`);
  const spec = await answer.json();
  spec.info.description = spec.info.description.replaceAll('](guides', '](../guides'); // from here
  SwaggerUIBundle({ spec, dom_id: '#reference', docExpansion: 'none', filter: true, validatorUrl: null });
}

show().catch((error) => {
  document.querySelector('#reference').textContent = String(error.message ?? error);
});
