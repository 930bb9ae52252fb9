// Keeps what is ticked for a form while its table is paged, sorted and refreshed:
// <form id="F" data-selection data-least="2" data-most="5"> and, anywhere, <input type="checkbox" form="F" name="trial" value="7">.
// The selection is forgotten with the tab. Without scripts the form sends what is ticked on the page.
"use strict";

(() => {
  const start = (form) => {
    const key = `selection:${location.pathname}:${form.id}`;
    const selected = new Map(JSON.parse(sessionStorage.getItem(key) ?? "[]"));
    const button = form.querySelector("[type=submit]");
    const clear = form.querySelector("[data-clear]");
    const least = Number(form.dataset.least);
    const most = Number(form.dataset.most);
    const boxes = () => [...document.querySelectorAll(`input[type=checkbox][form="${form.id}"]`)];

    const show = () => {
      sessionStorage.setItem(key, JSON.stringify([...selected]));
      form.querySelectorAll("input[type=hidden][data-elsewhere]").forEach((input) => input.remove());
      const here = new Set(boxes().map((box) => box.value));
      boxes().forEach((box) => {
        box.checked = selected.has(box.value);
      });
      selected.forEach((name, value) => {
        if (here.has(value)) return;
        const input = Object.assign(document.createElement("input"), { type: "hidden", name, value });
        input.dataset.elsewhere = "";
        form.append(input);
      });
      form.querySelector("[data-selected]").textContent = String(selected.size);
      button.disabled = selected.size < least || selected.size > most;
      clear.hidden = selected.size === 0;
    };

    document.addEventListener("change", (event) => {
      const box = event.target;
      if (box.type !== "checkbox" || box.getAttribute("form") !== form.id) return;
      if (box.checked) selected.set(box.value, box.name);
      else selected.delete(box.value);
      show();
    });
    clear.addEventListener("click", () => {
      selected.clear();
      show();
    });
    document.addEventListener("htmx:afterSwap", show);
    // A page taken back from the browser's cache has ticks of its own.
    window.addEventListener("pageshow", show);
    show();
  };

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("form[data-selection]").forEach(start));
})();
