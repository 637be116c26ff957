// <form data-passkey="get|create" data-options="{...}" hidden>: shown where the browser knows passkeys. Sending it asks
// the browser for one first (WebAuthn level 3), and what that gave goes along as `credential`.
"use strict";

const READ = {
  get: (options) => PublicKeyCredential.parseRequestOptionsFromJSON(options),
  create: (options) => PublicKeyCredential.parseCreationOptionsFromJSON(options),
};

async function bring(form, kind) {
  const failed = form.querySelector("[data-failed]");
  failed.hidden = true;
  try {
    const publicKey = READ[kind](JSON.parse(form.dataset.options));
    const made = await navigator.credentials[kind]({ publicKey });
    form.elements.credential.value = JSON.stringify(made.toJSON());
    form.submit();
  } catch {
    failed.hidden = false;
  }
}

if (window.PublicKeyCredential && PublicKeyCredential.parseCreationOptionsFromJSON) {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    document.querySelector("[data-without]")?.setAttribute("hidden", "");
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      bring(form, form.dataset.passkey);
    });
  }
}
