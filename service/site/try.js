// Shows the contract in the page at /docs/try, by Swagger UI, which sends requests.
'use strict';

SwaggerUIBundle({
  url: document.querySelector('#reference').dataset.contract,
  dom_id: '#reference',
  docExpansion: 'none',
  filter: true,
  persistAuthorization: false,
  validatorUrl: null,
});
