// Starts Swagger UI on our own contract. Its validator badge would call out to the internet: off.
"use strict";
window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#contract",
  deepLinking: true,
  validatorUrl: null,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false,
});
