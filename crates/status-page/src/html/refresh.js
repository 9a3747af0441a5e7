// Puts the content of a newer page in the place of this one's. What is open or selected stays so.
"use strict";
const EVERY = 5000;
async function refresh() {
  try {
    if (document.hidden || String(getSelection())) return;
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(EVERY) });
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const [now, next] = [document, page].map((of) => of.getElementById("status"));
    const open = now.querySelector("details").open;
    next.querySelector("details").open = open;
    now.replaceWith(next);
    document.title = page.title;
  } catch {
    document.getElementById("stale").hidden = false;
  } finally {
    setTimeout(refresh, EVERY);
  }
}
setTimeout(refresh, EVERY);
