// What the pages do beyond plain HTML. Each part looks for its own mark in the page and is idle where there is none.
"use strict";

const hub = document.body.dataset.hub;
const xsrf = document.body.dataset.xsrf;
const one = (selector, within = document) => within.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];

// A form is sent once: a second click must not take a second seat.
for (const form of all("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
    event.submitter?.setAttribute("aria-disabled", "true");
  });
}
window.addEventListener("pageshow", (event) => {
  if (event.persisted) for (const form of all("form[data-once]")) delete form.dataset.sent;
});

// The open door: enter at once. Not twice within ten seconds, should a browser lose its cookies on the way.
const door = one("form[data-submit-at-once]");
if (door) {
  const last = Number(sessionStorage.getItem("entered") || 0);
  if (Date.now() - last > 10_000) {
    sessionStorage.setItem("entered", String(Date.now()));
    one("[data-while-entering]").hidden = false;
    door.requestSubmit();
  }
}

// A link to re-join carries the code after the hash, which never leaves the browser by itself.
const rejoin = one("form[data-code-from-link]");
if (rejoin && /^#[0-9A-Za-z-]{8,12}$/.test(location.hash)) {
  one("[name=code]", rejoin).value = location.hash.slice(1);
  history.replaceState(null, "", location.pathname + location.search);
  rejoin.requestSubmit();
}

for (const button of all("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(one(button.dataset.copy).textContent.trim());
    button.textContent = "Copied";
  });
}

const stop = one("[data-stop-server]");
if (stop) {
  stop.hidden = false;
  stop.addEventListener("click", async () => {
    stop.disabled = true;
    stop.textContent = "Stopping …";
    const answer = await fetch(stop.dataset.stopServer, { method: "DELETE", headers: { "X-XSRFToken": xsrf } }).catch(() => null);
    if (answer && answer.ok) return location.reload();
    stop.disabled = false;
    stop.textContent = "Stop it";
    const problem = one("[data-stop-problem]");
    problem.textContent = "It could not be stopped. Please try again in a moment.";
    problem.hidden = false;
  });
}

// What is under way ends without anybody's doing: the page is asked again until it tells of something else.
const passing = one("[data-ask-again]");
if (passing) setTimeout(() => location.reload(), passing.dataset.askAgain * 1000);

// The full room: ask every few seconds, more slowly far back in the queue and when the hub does not answer.
const room = one("[data-room]");
if (room) {
  let failures = 0;
  const ask = async () => {
    try {
      const answer = await fetch(hub + "room/standing", { cache: "no-store" });
      if (answer.status === 403) return location.reload();
      const { place, waiting } = await answer.json();
      if (place === 0) return location.replace(room.dataset.onwards);
      one("[data-place]").textContent = place;
      one("[data-waiting]").textContent = waiting;
      failures = 0;
      again(place <= 5 ? 3 : 8);
    } catch {
      failures += 1;
      again(Math.min(3 * 2 ** failures, 30));
    }
  };
  const again = (seconds) => setTimeout(ask, seconds * 1000 * (0.8 + 0.4 * Math.random()));
  again(3);
  window.addEventListener("pagehide", () => {
    navigator.sendBeacon(hub + "room/leave", new URLSearchParams({ _xsrf: xsrf }));
  });
}

// The machine of a server is away: look whether this address is served again.
if (one("[data-away]")) {
  const look = async () => {
    const answer = await fetch(location.href, { cache: "no-store", redirect: "manual" }).catch(() => null);
    if (answer && (answer.ok || answer.type === "opaqueredirect" || answer.status < 500)) return location.reload();
    setTimeout(look, 3000 * (0.8 + 0.4 * Math.random()));
  };
  setTimeout(look, 3000);
}

// Once in a minute, should what it leads to end here again.
const onwards = one("[data-follow-at-once]");
if (onwards && Date.now() - Number(sessionStorage.getItem("followed") || 0) > 60_000) {
  sessionStorage.setItem("followed", String(Date.now()));
  location.replace(onwards.href);
}

// A starting server: show each stage as the hub tells it. A ready one is opened straight away, at the address that the
// hub gives; where this page has a "next" of its own, or something went wrong, the page itself is asked again.
const start = one("[data-progress]");
if (start) {
  const bar = one(".bar", start);
  const fill = one(".fill", start);
  const stage = one("[data-stage]", start);
  const stages = one("[data-stages]", start);
  const begun = Date.now();
  let told = "";
  let failures = 0;
  const queue = all("[data-queue]");
  const show = ({ message, doing, progress, place, wait }) => {
    if (typeof progress === "number") {
      fill.style.width = `${Math.max(8, Math.min(100, progress))}%`;
      bar.setAttribute("aria-valuenow", String(progress));
    }
    for (const part of queue) part.hidden = !place;
    if (place) {
      one("[data-place]", start).textContent = place;
      one("[data-wait]", start).textContent = wait;
    }
    message = doing || message;
    if (!message || message === told) return;
    if (told) stages.append(Object.assign(document.createElement("li"), { textContent: told }));
    while (stages.children.length > 8) stages.firstChild.remove();
    stage.textContent = told = message;
  };
  const events = new EventSource(start.dataset.progress);
  events.onmessage = (event) => {
    failures = 0;
    const data = JSON.parse(event.data);
    if (data.ready || data.failed) {
      events.close();
      if (data.ready) show({ message: "Ready. Here you go …", progress: 100 });
      if (data.ready && data.url && !location.search) location.replace(data.url);
      else location.reload();
      return;
    }
    show(data);
  };
  events.onerror = () => {
    failures += 1;
    if (events.readyState === EventSource.CLOSED || failures > 5) {
      events.close();
      setTimeout(() => location.reload(), 3000);
    }
  };
  // The hub gives the place in the queue to the next if the page is closed; a page that comes back asks anew.
  window.addEventListener("pagehide", () => {
    navigator.sendBeacon(hub + "firstbell/leave", new URLSearchParams({ _xsrf: xsrf }));
  });
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
  setInterval(() => {
    const seconds = Math.round((Date.now() - begun) / 1000);
    one("[data-elapsed]", start).textContent = seconds < 2 ? "" : `${seconds} seconds so far.`;
    one("[data-slow]", start).hidden = seconds < 30;
  }, 1000);
}
