// Keeps an open page up to date: asks [data-live-url] what changed after a cursor, and applies the answer.
// Numbers are written in place, points appended to charts, and fragments fetched again only when `version`
// changes and the reader is not using them. It slows down in a hidden tab and stops when `retry_ms` is null.
"use strict";

(() => {
  const HIDDEN_MS = 20000;
  const LONGEST_MS = 30000;
  const FRAGMENT_GAP_MS = 2500;

  const start = (root) => {
    const charts = () => [...root.querySelectorAll("[data-live-chart]")].filter((element) => element.dataset.drawn);
    const status = root.querySelector("[data-live-status]");
    let cursor = root.dataset.liveCursor;
    let shown = root.dataset.liveVersion;
    let wanted = shown;
    let retry = Number(root.dataset.liveRetry);
    let failures = 0;
    let timer = 0;
    let asking = false;
    let fetched = 0;

    const say = (text) => {
      if (status && status.textContent !== text) status.textContent = text;
    };

    const inUse = (element) => {
      const selection = window.getSelection();
      if (selection && !selection.isCollapsed && element.contains(selection.anchorNode)) return true;
      const focused = document.activeElement;
      // A list that is open is lost with its element; other controls find their focus again by their id.
      return element.contains(focused) && (focused.matches("select") || (focused.matches(":focus-visible") && !focused.id));
    };

    const refreshFragments = (force) => {
      if (wanted === shown || (!force && Date.now() - fetched < FRAGMENT_GAP_MS)) return;
      let all = true;
      root.querySelectorAll("[data-live-refresh]").forEach((element) => {
        if (inUse(element)) all = false;
        else htmx.trigger(element, "refresh");
      });
      fetched = Date.now();
      // What the reader is using is tried again with the next answer.
      if (all) shown = wanted;
    };

    const rowsOf = (list, rows) => {
      const template = document.getElementById("in-flight-row");
      while (list.children.length > rows.length) list.lastElementChild.remove();
      while (list.children.length < rows.length) list.append(template.content.cloneNode(true));
      rows.forEach((row, index) => {
        list.children[index].querySelectorAll("[data-cell]").forEach((cell) => {
          const text = String(row[cell.dataset.cell] ?? "");
          if (cell.textContent !== text) cell.textContent = text;
          if (cell.tagName === "A") cell.href = row.url;
        });
        list.children[index].querySelectorAll("[data-cell-width]").forEach((cell) => {
          cell.style.width = `${row[cell.dataset.cellWidth]}%`;
        });
      });
    };

    const apply = (answer) => {
      for (const [name, text] of Object.entries(answer.fields)) {
        root.querySelectorAll(`[data-live="${name}"]`).forEach((element) => {
          if (element.textContent !== text) element.textContent = text;
        });
      }
      if (answer.percent !== undefined) {
        root.querySelectorAll("[data-live-percent]").forEach((element) => {
          element.style.width = `${answer.percent}%`;
          element.parentElement.setAttribute("aria-valuenow", String(Math.round(answer.percent)));
        });
      }
      charts().forEach((element) => {
        if (answer.traces) recsmithCharts.addMissing(element, answer.traces);
        recsmithCharts.extend(element, answer.series);
      });
      root.querySelectorAll("[data-live-rows]").forEach((list) => rowsOf(list, answer.rows ?? []));
      cursor = String(answer.cursor);
      wanted = answer.version;
      retry = answer.retry_ms;
      refreshFragments(retry === null);
    };

    const ask = async () => {
      if (asking) return;
      asking = true;
      clearTimeout(timer);
      try {
        const response = await fetch(`${root.dataset.liveUrl}?after=${encodeURIComponent(cursor)}`, {
          headers: { Accept: "application/json" },
          redirect: "error",
        });
        if (response.status === 404) {
          say("This no longer exists.");
          retry = null;
          return;
        }
        if (!response.ok) throw new Error(String(response.status));
        apply(await response.json());
        failures = 0;
        say("");
      } catch {
        failures += 1;
        say("No answer from the server; trying again.");
      } finally {
        asking = false;
        plan();
      }
    };

    const plan = () => {
      clearTimeout(timer);
      // A fragment that was in use while the search ended is still to be fetched.
      if (retry === null) {
        if (wanted !== shown) timer = setTimeout(() => { refreshFragments(true); plan(); }, FRAGMENT_GAP_MS);
        return;
      }
      const slowed = Math.min(LONGEST_MS, retry * 2 ** failures);
      timer = setTimeout(ask, document.hidden ? Math.max(HIDDEN_MS, slowed) : slowed);
    };

    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && retry !== null) ask();
    });
    if (retry > 0) ask();
  };

  // When a fragment is fetched again, <div id="…" data-keep-scroll> is where it was, and <details id="…"> as open as it was.
  const places = new Map();
  const opened = new Set();
  document.addEventListener("htmx:beforeSwap", (event) => {
    event.detail.target.querySelectorAll("[data-keep-scroll]").forEach((element) => places.set(element.id, [element.scrollLeft, element.scrollTop]));
    event.detail.target.querySelectorAll("details[id][open]").forEach((element) => opened.add(element.id));
  });
  document.addEventListener("htmx:afterSwap", () => {
    places.forEach(([left, top], id) => document.getElementById(id)?.scrollTo({ left, top, behavior: "instant" }));
    places.clear();
    opened.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
    opened.clear();
  });

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-live-url]").forEach(start));
})();
