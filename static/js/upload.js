// Sends the file of [data-upload] in chunks, with a progress bar. A broken connection is tried again and goes on where it
// stopped; when the page was left, even for a day, choosing the same file goes on too. Without this script the form works as any other.
"use strict";

(() => {
  const RETRY_MS = [1000, 2000, 4000, 8000, 15000];
  const GIVE_UP_MS = 10 * 60 * 1000;

  const megabytes = (bytes) => `${(bytes / 1e6).toLocaleString(undefined, { maximumFractionDigits: 1 })} MB`;
  const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  // Stops the upload with a message for the person; `kept` says that what arrived stays on the server.
  class Stop extends Error {
    constructor(message, kept = false) {
      super(message);
      this.kept = kept;
    }
  }
  // A request that may be made again: the connection broke, or the server answered that it has trouble of its own (`code`).
  class Broken extends Error {
    constructor(code = 0, message = "") {
      super(message);
      this.code = code;
    }
  }
  const CANCELLED = "Cancelled. Nothing was stored.";
  const SIGNED_OUT = "You are signed out. Sign in in another tab, come back and press Upload: what was sent is kept.";

  // The token changes with a sign-in in another tab, so the page's own copy may be old.
  const token = () => (document.cookie.match(/(?:^|; )csrftoken=([^;]+)/) ?? [])[1] ?? "";

  // Where the upload of a file for a purpose goes on; shared by all tabs, so that two of them send one file together.
  const remember = (key, url) => {
    try {
      if (url) localStorage.setItem(key, url);
      else localStorage.removeItem(key);
    } catch {
      // Storage can be switched off; then a reload starts over.
    }
  };
  const recall = (key) => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  };

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
    let job = null;

    const keyOf = (file) => {
      const purpose = ["target", "kind"].map((name) => form.elements[name]?.value ?? "");
      return ["recsmith-upload", ...purpose, file.size, file.lastModified, file.name].join(":");
    };

    const fail = (message) => {
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
      const seconds = (performance.now() - job.began) / 1000;
      const speed = sent > job.first && seconds > 2 ? `, ${megabytes((sent - job.first) / seconds)} a second` : "";
      status.textContent = sent < total ? `${percent} % of ${megabytes(total)} sent${speed}` : "Sent. The server is storing and examining the file.";
    };

    // One request; a network error or an error of the server rejects with Broken, everything else is an answer.
    const ask = (method, url, { body = null, headers = {}, onProgress = null } = {}) => new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      job.request = request;
      request.open(method, url);
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("X-CSRFToken", token());
      for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
      if (onProgress) request.upload.addEventListener("progress", (report) => onProgress(report.loaded));
      request.addEventListener("error", () => reject(new Broken()));
      request.addEventListener("abort", () => reject(new Stop(CANCELLED)));
      request.addEventListener("load", () => {
        if (request.responseURL.includes("/login/")) return reject(new Stop(SIGNED_OUT, true));
        if (request.status === 403) return reject(new Stop("The server did not accept this page any more. Load it again, then choose the same file: what was sent is kept.", true));
        let answer = {};
        try {
          answer = JSON.parse(request.responseText || "{}");
        } catch {
          // Not from the upload views, such as the page of a proxy.
        }
        if (request.status >= 500) return reject(new Broken(request.status, answer.error));
        resolve({ status: request.status, answer });
      });
      request.send(body);
    });

    // Repeats `attempt` until the server answers; between tries it says so.
    const persist = async (attempt) => {
      const since = performance.now();
      for (let tries = 0; ; tries += 1) {
        if (job.cancelled) throw new Stop(CANCELLED);
        try {
          return await attempt();
        } catch (problem) {
          if (!(problem instanceof Broken)) throw problem;
          if (performance.now() - since > GIVE_UP_MS) throw new Stop("The server does not answer. Choose the same file later: what was sent is kept.", true);
          const what = problem.code ? `The server answered with status ${problem.code}` : "The connection broke";
          status.textContent = `${what}. Trying again; what was sent is kept.`;
          await wait(RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]);
        }
      }
    };

    const refused = ({ status: code, answer }) => new Stop(answer.error ?? `The server answered with status ${code}. Nothing was stored; try again.`);

    const begin = async (file) => {
      const url = recall(job.key);
      if (url) {
        const found = await persist(() => ask("GET", url));
        if (found.status === 200) return { url, ...found.answer };
      }
      const body = new FormData(form);
      body.delete("file");
      body.set("filename", file.name);
      body.set("size", file.size);
      const made = await persist(() => ask("POST", form.dataset.upload, { body }));
      if (made.status !== 201) throw refused(made);
      remember(job.key, made.answer.url);
      return made.answer;
    };

    const piece = async (file, from, to) => {
      try {
        const data = await file.slice(from, to).arrayBuffer();
        if (data.byteLength === to - from) return data;
      } catch {
        // Browsers refuse to read on in a file that changed.
      }
      throw new Stop(`${file.name} changed while it was sent, or can no longer be read. Nothing was stored; upload it again.`);
    };

    const send = async (file) => {
      const upload = await begin(file);
      job.url = upload.url;
      let offset = job.first = upload.offset;
      show(offset, file.size);
      while (offset < file.size) {
        const data = await piece(file, offset, Math.min(file.size, offset + upload.chunk_bytes));
        const sent = await persist(async () => {
          const reply = await ask("PATCH", upload.url, {
            body: data,
            headers: { "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" },
            onProgress: (loaded) => show(offset + loaded * 0.999, file.size),
          });
          if (reply.status === 400) throw new Broken(); // arrived cut short
          return reply;
        });
        // 409: an earlier try arrived although its answer did not.
        if (sent.status !== 200 && sent.status !== 409) throw refused(sent);
        if (sent.status === 409 && sent.answer.offset === offset) throw refused(sent);
        offset = sent.answer.offset;
        show(offset, file.size);
      }
      show(file.size, file.size);
      cancel.hidden = true;
      const body = new FormData();
      body.set("name", form.elements.name?.value ?? "");
      const done = await persist(async () => {
        try {
          return await ask("POST", upload.finish, { body });
        } catch (problem) {
          // The whole file is there, so the server would most likely say the same again: a person decides.
          if (!(problem instanceof Broken) || !problem.code) throw problem;
          const why = problem.message || `The server could not take the file (status ${problem.code}).`;
          throw new Stop(`${why} What was sent is kept: press Upload to try again.`, true);
        }
      });
      if (done.status !== 201) throw refused(done);
      remember(job.key, null);
      window.location.assign(done.answer.url);
    };

    form.addEventListener("submit", async (event) => {
      const file = input.files[0];
      if (!file) return;
      event.preventDefault();
      if (job || tooLarge(file)) return;
      error.hidden = true;
      progress.hidden = cancel.hidden = false;
      submit.disabled = true;
      job = { key: keyOf(file), began: performance.now(), first: 0, url: null, request: null, cancelled: false };
      try {
        await send(file);
      } catch (problem) {
        if (!(problem instanceof Stop)) throw problem;
        const { key, url } = job;
        fail(problem.message);
        if (!problem.kept) {
          remember(key, null);
          if (url) fetch(url, { method: "DELETE", headers: { "X-CSRFToken": token() }, keepalive: true }).catch(() => {});
        }
      } finally {
        job = null;
      }
    });

    cancel.addEventListener("click", () => {
      if (!job) return;
      job.cancelled = true;
      job.request?.abort();
    });
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
      if (job || files.length === 0) return;
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
