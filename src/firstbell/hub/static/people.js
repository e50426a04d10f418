// The wall, and the board of an assignment: rows come as HTML from the hub as soon as they change; finding and sorting
// need no request.
"use strict";
{
  const wall = one("[data-wall]");
  const form = one("[data-find-form]");
  const states = [...form.elements.state.options].map((option) => option.value).filter(Boolean);
  const rows = new Map();
  const wish = (name) => (form.elements[name] ? form.elements[name].value : "");
  let isDue = false;

  // Finding and sorting

  const isWanted = ({ dataset: row }) =>
    wish("q").toLowerCase().split(/\s+/).every((word) => row.find.includes(word)) &&
    (!wish("section") || row.section === wish("section")) &&
    (!wish("state") || row.state === wish("state"));
  const keys = {
    name: (row) => [one(".whom a", row).textContent.toLowerCase()],
    memory: (row) => [-Number(row.dataset.memory)],
    seen: (row) => [row.dataset.seen === "" ? 1 : 0, Number(row.dataset.seen)],
  };
  const key = (row) => [...(keys[wish("sort")] || (() => []))(row), states.indexOf(row.dataset.state), row.dataset.user];
  const compare = (a, b) => {
    for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return a[at] < b[at] ? -1 : 1;
    return 0;
  };
  const arrange = () => {
    isDue = false;
    const ordered = [...rows.values()].map((row) => ({ row, key: key(row) })).sort((a, b) => compare(a.key, b.key));
    let found = 0;
    let at = wall.firstElementChild;
    for (const { row } of ordered) {
      row.hidden = !isWanted(row);
      found += row.hidden ? 0 : 1;
      if (row === at) at = at.nextElementSibling;
      else wall.insertBefore(row, at);
    }
    one("[data-nobody]").hidden = found > 0;
    for (const link of all("[data-pick]")) {
      if (link.dataset.pick === wish("state")) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  // Nothing moves away under a finger: rows keep their places while one of them is pointed at.
  const isHeld = () => wall.matches(":hover") || wall.contains(document.activeElement);
  const arrangeSoon = () => {
    if (isHeld()) isDue = true;
    else arrange();
  };
  const letGo = () => setTimeout(() => isDue && !isHeld() && arrange());
  wall.addEventListener("pointerleave", letGo);
  wall.addEventListener("focusout", letGo);

  const wished = () => {
    const wishes = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    history.replaceState(null, "", location.pathname + (wishes.size ? `?${wishes}` : ""));
    for (const input of all("[data-back] [type=hidden]")) if (input.name in form.elements) input.value = wish(input.name);
    arrange();
  };
  form.addEventListener("input", wished);
  form.addEventListener("submit", (event) => event.preventDefault());
  one("[data-find-button]").hidden = true;
  for (const link of all("[data-pick]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      form.elements.state.value = wish("state") === link.dataset.pick ? "" : link.dataset.pick;
      wished();
    });
  }

  // Times

  const ago = (seconds) => {
    const minutes = Math.floor((Date.now() / 1000 - seconds) / 60);
    if (minutes < 2) return "just now";
    if (minutes < 120) return `${minutes} min ago`;
    return minutes < 2880 ? `${Math.floor(minutes / 60)} h ago` : `${Math.floor(minutes / 1440)} days ago`;
  };
  const tellTime = (within) => {
    for (const time of within.querySelectorAll("[data-ago]")) {
      if (!time.title) time.title = time.textContent;
      time.textContent = ago(Number(time.dataset.ago));
    }
  };
  setInterval(() => tellTime(wall), 30_000);

  // What changes

  const parser = document.createElement("template");
  const put = (user, html) => {
    parser.innerHTML = html;
    const row = one("li", parser.content);
    tellTime(row);
    const old = rows.get(user);
    rows.set(user, row);
    if (!old) return wall.append(row);
    row.hidden = old.hidden;
    const tick = one("input[name=to]", row);
    if (tick) tick.checked = one("input[name=to]", old).checked;
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    old.replaceWith(row);
    if (!focused) return;
    const same = focused.value ? one(`[value="${CSS.escape(focused.value)}"]`, row) : null;
    (same || one("a", row)).focus();
  };
  // How far the orders are that are under way; who listens is told of their beginning and their end.
  const orders = one("[data-orders]");
  const tellOrders = ({ asked, ended, failed }) => {
    if (!orders) return;
    const bar = one("progress", orders);
    bar.max = asked || 1;
    bar.value = ended;
    if (orders.hidden !== !asked) orders.hidden = !asked;
    const over = one("[data-orders-over]");
    one("[data-some-failed]").hidden = !failed;
    if (asked) over.hidden = true;
    else if (orders.dataset.asked > 0) over.hidden = false;
    orders.dataset.asked = asked;
  };
  const ticks = one("[data-ticks]");
  if (ticks) {
    ticks.hidden = false;
    ticks.addEventListener("click", () => {
      const shown = [...rows.values()].filter((row) => !row.hidden).map((row) => one("input[name=to]", row));
      const isOn = shown.some((tick) => !tick.checked);
      for (const tick of shown) tick.checked = isOn;
      one("[name=whom]").value = "ticked";
    });
    wall.addEventListener("change", () => (one("[name=whom]").value = "ticked"));
    one("[name=whom]").addEventListener("change", ({ target }) => {
      if (target.value !== "ticked") for (const row of rows.values()) one("input[name=to]", row).checked = false;
    });
  }
  const live = one("[data-live]");
  const tell = (words) => {
    live.textContent = words;
    live.hidden = !words;
  };
  const follow = () => {
    const events = new EventSource(`${wall.dataset.news}?since=${wall.dataset.wall}&_xsrf=${encodeURIComponent(xsrf)}`);
    events.onopen = () => tell("");
    events.onmessage = ({ data }) => {
      const news = JSON.parse(data);
      if (news.reload) {
        events.close();
        return location.reload();
      }
      for (const [user, html] of Object.entries(news.rows)) put(user, html);
      for (const user of news.gone) {
        rows.get(user)?.remove();
        rows.delete(user);
      }
      for (const [state, count] of Object.entries(news.counts)) {
        for (const place of all(`[data-count="${state}"]`)) place.textContent = count;
      }
      tellOrders(news.counts);
      arrangeSoon();
    };
    events.onerror = () => {
      tell("The hub does not answer: what you see may be old.");
      if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
    };
    window.addEventListener("pagehide", () => events.close());
  };
  window.addEventListener("pageshow", (event) => event.persisted && location.reload());

  wall.append(one("[data-others]").content);
  for (const row of wall.children) rows.set(row.dataset.user, row);
  tellTime(wall);
  wished();
  follow();
}
