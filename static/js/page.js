// Small behaviours any page may ask for through data attributes.
"use strict";

// Texts of scripts, as Django's catalogue gives them; it is loaded first where the page is not in English.
window.gettext ??= (text) => text;

(() => {
  // In English the reader's own way to write a date stays.
  const language = document.documentElement.lang === "en" ? undefined : document.documentElement.lang;

  // Times arrive in UTC and are shown in the reader's zone.
  const localise = (root) => {
    root.querySelectorAll("time[datetime]:not([data-local])").forEach((element) => {
      const moment = new Date(element.getAttribute("datetime"));
      if (Number.isNaN(moment.getTime())) return;
      element.dataset.local = "true";
      element.title = moment.toLocaleString(language);
      element.textContent = moment.toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
    });
  };

  document.addEventListener("DOMContentLoaded", () => localise(document));
  document.addEventListener("htmx:afterSettle", (event) => localise(event.target));

  // <form data-confirm="Sure?"> asks first; <form data-once> refuses a second press while the first is under way.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    // Attributes, not form.dataset: a control that is named "dataset" hides that property.
    const question = form.getAttribute("data-confirm");
    if (question && !window.confirm(question)) {
      event.preventDefault();
      return;
    }
    if (!form.hasAttribute("data-once")) return;
    if (form.hasAttribute("data-sent")) {
      event.preventDefault();
      return;
    }
    form.setAttribute("data-sent", "");
    form.querySelectorAll("[type=submit]").forEach((button) => button.setAttribute("aria-busy", "true"));
  });
  // A page taken back from the browser's cache must be usable again.
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("form[data-sent]").forEach((form) => {
      form.removeAttribute("data-sent");
      form.querySelectorAll("[aria-busy]").forEach((button) => button.removeAttribute("aria-busy"));
    });
  });

  // "/" goes to the search box, as on most sites, unless something is being typed.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    const box = document.getElementById("find");
    if (!box || event.target.closest("input, textarea, select, [contenteditable]")) return;
    const menu = box.closest(".navbar-collapse");
    if (menu && box.offsetParent === null) bootstrap.Collapse.getOrCreateInstance(menu).show();
    event.preventDefault();
    box.focus();
    box.select();
  });

  // <select data-submit> sends its form as soon as the choice changes.
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  });
})();
