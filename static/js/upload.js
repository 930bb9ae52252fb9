// Sends the upload form with a progress bar and takes dropped files. Without this script the form works as any other.
"use strict";

(() => {
  const megabytes = (bytes) => `${(bytes / 1e6).toLocaleString(undefined, { maximumFractionDigits: 1 })} MB`;

  const start = (form) => {
    const input = form.querySelector("input[type=file]");
    const zone = form.querySelector("[data-drop-zone]");
    const error = form.querySelector("[data-upload-error]");
    const progress = form.querySelector("[data-upload-progress]");
    const bar = progress.querySelector("[role=progressbar]");
    const status = form.querySelector("[data-upload-status]");
    const submit = form.querySelector("[type=submit]");
    const cancel = form.querySelector("[data-upload-cancel]");
    const limit = Number(form.dataset.limitMb) * 1e6;
    let request = null;

    const fail = (message) => {
      request = null;
      error.textContent = message;
      error.hidden = false;
      progress.hidden = cancel.hidden = true;
      submit.disabled = false;
    };

    const tooLarge = (file) => {
      if (file.size <= limit) return false;
      fail(`${file.name} has ${megabytes(file.size)}; at most ${megabytes(limit)} can be uploaded. Compress it with gzip or leave out columns.`);
      return true;
    };

    const show = (sent, total) => {
      const percent = total ? Math.floor((100 * sent) / total) : 0;
      bar.setAttribute("aria-valuenow", percent);
      bar.firstElementChild.style.width = `${percent}%`;
      status.textContent = sent < total ? `${percent} % of ${megabytes(total)} sent` : "Sent. The server is storing and examining the file.";
    };

    const finished = () => {
      let answer = null;
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        // Not from the upload view, such as the page of a proxy.
      }
      if (request.status === 201 && answer) window.location.assign(answer.url);
      else if (answer && answer.errors) fail(Object.values(answer.errors).flat().join(" "));
      else if (request.status === 413) fail("The server refused the file because it is too large.");
      else if (request.status === 403) fail("You are no longer signed in, or this page is too old. Load it again.");
      else fail(`The server answered with status ${request.status}. Nothing was stored; try again.`);
    };

    form.addEventListener("submit", (event) => {
      const file = input.files[0];
      if (!file) return;
      event.preventDefault();
      if (request || tooLarge(file)) return;
      error.hidden = true;
      progress.hidden = cancel.hidden = false;
      submit.disabled = true;
      show(0, file.size);
      request = new XMLHttpRequest();
      request.upload.addEventListener("progress", (report) => show(report.loaded, report.total));
      request.addEventListener("load", finished);
      request.addEventListener("error", () => fail("The connection broke before the file was sent. Nothing was stored; try again."));
      request.addEventListener("abort", () => fail("Cancelled. Nothing was stored."));
      request.open("POST", form.action);
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("X-CSRFToken", form.elements.csrfmiddlewaretoken.value);
      request.send(new FormData(form));
    });

    cancel.addEventListener("click", () => request && request.abort());
    input.addEventListener("change", () => {
      error.hidden = true;
      if (input.files[0]) tooLarge(input.files[0]);
    });

    form.querySelector("[data-drop-hint]").hidden = false;
    for (const name of ["dragenter", "dragover"]) {
      zone.addEventListener(name, (event) => {
        event.preventDefault();
        zone.classList.add("over");
      });
    }
    for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      const files = event.dataTransfer.files;
      if (request || files.length === 0) return;
      if (files.length > 1) {
        fail("Drop one file at a time.");
        return;
      }
      input.files = files;
      input.dispatchEvent(new Event("change"));
    });
  };

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("form[data-upload]").forEach(start));
})();
