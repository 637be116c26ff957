// All that pages do by themselves; without it they are whole, only still.
"use strict";

const EVERY_MS = 15000;

// <... data-live="/path">: every element in it with data-count="name" shows what the answer's JSON says of `name`, and
// one with data-when="word" is there once `is` says that word. With `over` nothing more will come.
async function refresh(part) {
  if (document.hidden || !part.dataset.live) return;
  let answer;
  try {
    answer = await fetch(part.dataset.live, { headers: { Accept: "application/json" }, redirect: "error" });
  } catch {
    return; // The next one will do: what is shown was true a moment ago.
  }
  if (!answer.ok) return;
  const told = await answer.json();
  for (const place of part.querySelectorAll("[data-count]")) {
    const words = told[place.dataset.count];
    if (typeof words === "string" && place.textContent !== words) {
      place.textContent = words;
      place.classList.add("changed");
    }
  }
  for (const place of part.querySelectorAll("[data-when]")) place.hidden = place.dataset.when !== told.is;
  if (told.over) delete part.dataset.live;
}

for (const part of document.querySelectorAll("[data-live]")) {
  setInterval(refresh, Number(part.dataset.every) || EVERY_MS, part);
}

// <input type=checkbox data-all="ids">: ticks every box of that name.
for (const all of document.querySelectorAll("input[data-all]")) {
  all.closest("[hidden]")?.removeAttribute("hidden");
  all.addEventListener("change", () => {
    for (const each of document.querySelectorAll(`input[name="${all.dataset.all}"]`)) each.checked = all.checked;
  });
}

// <select data-submits>: choosing is sending.
for (const each of document.querySelectorAll("[data-submits]")) {
  each.addEventListener("change", () => each.form.requestSubmit());
}
