// The space builder: values typed in become choices, choices are put in order, files go in and out.
"use strict";

(() => {
  const changed = (element) => element.dispatchEvent(new Event("input", { bubbles: true }));

  const optionOf = (name, value, number) => {
    const option = document.createElement("span");
    option.className = "option";
    option.dataset.option = "";
    const tick = Object.assign(document.createElement("input"), { type: "checkbox", className: "btn-check", name, value, id: `tick-${name}-own-${number}`, checked: true });
    const label = Object.assign(document.createElement("label"), { className: "btn btn-sm tick", htmlFor: tick.id, textContent: value });
    option.append(tick, label);
    return option;
  };

  let added = 0;
  const add = (card) => {
    const options = card.querySelector("[data-options]");
    const more = card.querySelector("[data-more]");
    const present = new Map([...options.querySelectorAll("input")].map((tick) => [Number(tick.value), tick]));
    const rest = [];
    more.value.split(/[\s,]+/).filter(Boolean).forEach((text) => {
      const value = Number(text);
      // What is no number stays in the field, where the server says what is wrong with it.
      if (!Number.isFinite(value)) rest.push(text);
      else if (present.has(value)) present.get(value).checked = true;
      else {
        const option = optionOf(options.dataset.name, text, (added += 1));
        const next = [...options.children].find((other) => Number(other.querySelector("input").value) > value);
        options.insertBefore(option, next || null);
        present.set(value, option.querySelector("input"));
      }
    });
    more.value = rest.join(", ");
    changed(more);
  };

  const mover = (step, words, symbol) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-sm btn-quiet move", textContent: symbol });
    button.dataset.move = step;
    button.setAttribute("aria-label", words);
    return button;
  };

  const order = (card, button) => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    card.classList.toggle("ordering", on);
    card.querySelectorAll(".move").forEach((move) => move.remove());
    if (!on) return;
    card.querySelectorAll("[data-option]").forEach((option) => {
      const label = option.querySelector("label").textContent.trim();
      option.prepend(mover("-1", gettext("Move %s earlier").replace("%s", label), "‹"));
      option.append(mover("1", gettext("Move %s later").replace("%s", label), "›"));
    });
  };

  const move = (button) => {
    const option = button.closest("[data-option]");
    const later = button.dataset.move === "1";
    // What is not ticked is out of sight, and passed over.
    let other = option;
    do other = later ? other.nextElementSibling : other.previousElementSibling;
    while (other && !other.querySelector("input").checked);
    if (!other) return;
    if (later) other.after(option);
    else other.before(option);
    button.focus();
    changed(option);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.matches("[data-add]")) add(button.closest("[data-card]"));
    else if (button.matches("[data-order]")) order(button.closest("[data-card]"), button);
    else if (button.matches("[data-move]")) move(button);
    else if (button.matches("[data-export]")) {
      const text = document.getElementById("id_document").value;
      const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(new Blob([text], { type: "application/json" })), download: button.dataset.export });
      link.click();
      URL.revokeObjectURL(link.href);
    } else if (button.matches("[data-line]")) {
      const area = document.getElementById("id_document");
      const lines = area.value.split("\n");
      const start = lines.slice(0, button.dataset.line - 1).reduce((sum, line) => sum + line.length + 1, 0);
      area.focus();
      area.setSelectionRange(start, start + lines[button.dataset.line - 1].length);
      area.scrollTop = (area.scrollHeight / lines.length) * (button.dataset.line - 3);
    }
  });

  document.addEventListener("keydown", (event) => {
    // Enter adds the values, where it would send the form.
    if (event.key !== "Enter" || !event.target.matches("[data-more]")) return;
    event.preventDefault();
    add(event.target.closest("[data-card]"));
  });

  document.addEventListener("change", async (event) => {
    if (!event.target.matches("[data-import]") || !event.target.files.length) return;
    const area = document.getElementById("id_document");
    area.value = await event.target.files[0].text();
    event.target.value = ""; // the same file may be chosen again once it is mended
    document.getElementById("source-text").checked = true;
    changed(area);
  });

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-add], [data-order]").forEach((button) => { button.hidden = false; });
  });
})();
