// Follows one run: a line for each step, moved by the events of the stream. What comes from pages that were analyzed
// is only ever set as text, or was escaped by the server's templates.
"use strict";

const page = document.getElementById("run");
const badge = document.getElementById("status");
const connection = document.getElementById("connection");
const retries = document.getElementById("retries");
const steps = new Map(Array.from(document.querySelectorAll(".step"), (line) => [line.dataset.step, line]));

/** How much this clock is ahead of the server's, in milliseconds. */
const skew = Date.now() - Date.parse(page.dataset.now);
const RETRY_MS = 2000;
const LABELS = { started: "Running", completed: "Completed", failed: "Failed" };

let over = false;

function connect() {
  const source = new EventSource(page.dataset.events);
  const on = (name, handle) => source.addEventListener(name, (event) => handle(JSON.parse(event.data)));

  source.addEventListener("open", () => say(connection, "live", "Live"));
  on("run:started", (run) => {
    page.dataset.startedAt = run.started_at;
    show("started");
  });
  on("step:started", (step) => move(step, "started", step.started_at));
  on("step:progress", (step) => count(steps.get(step.step_slug), step.initial_tasks, step.remaining_tasks));
  on("step:completed", (step) => {
    const line = move(step, "completed", step.completed_at);
    if (line.dataset.fanout) count(line, step.output.length, 0);
  });
  on("step:failed", (step) => {
    move(step, "failed", step.failed_at).querySelector(".detail").textContent = step.error_message;
  });
  on("run:completed", (run) => finish("completed", run.completed_at));
  on("run:failed", (run) => {
    for (const line of steps.values()) {
      if (line.dataset.status === "created" || line.dataset.status === "started") {
        line.dataset.endedAt = run.failed_at;
        mark(line, "cancelled");
      }
    }
    finish("failed", run.failed_at);
  });
  // Without this, EventSource would connect again, for ever.
  source.addEventListener("end", () => {
    source.close();
    say(connection, "ended", "Ended");
  });
  // The server's word that it cannot go on, and the browser's that the connection is lost, have the same name.
  source.addEventListener("error", () => {
    if (over) {
      source.close();
      say(connection, "ended", "Ended");
      return;
    }
    say(connection, "reconnecting", "Reconnecting…");
    // The browser tries again by itself, except after an answer that is no stream.
    if (source.readyState === EventSource.CLOSED) setTimeout(reconnect, RETRY_MS);
  });
}

async function reconnect() {
  const response = await fetch(page.dataset.retries).catch(() => null);
  if (response !== null && response.status === 404) {
    over = true;
    clearInterval(clock);
    say(connection, "ended", "The run was deleted");
  } else {
    connect();
  }
}

function say(element, state, text) {
  if (element.dataset.state === state) return;
  element.dataset.state = state;
  element.textContent = text;
}

function show(state) {
  say(badge, state, LABELS[state]);
  document.title = `${LABELS[state]} · ${page.dataset.title}`;
}

function move(step, status, moment) {
  const line = steps.get(step.step_slug);
  line.dataset[status === "started" ? "startedAt" : "endedAt"] = moment;
  mark(line, status);
  return line;
}

function mark(line, status) {
  line.dataset.status = status;
  const detail = line.querySelector(".detail");
  if (!line.dataset.fanout || status === "cancelled") detail.textContent = status;
}

function count(line, tasks, remaining) {
  const bar = line.querySelector("progress");
  bar.max = tasks || 1;
  bar.value = tasks ? tasks - remaining : 1;
  line.querySelector(".detail").textContent = `${tasks - remaining} of ${tasks} tasks`;
}

/** Write how long the run and its steps have taken, or took. */
function tick() {
  const now = Date.now() - skew;
  for (const line of [page, ...steps.values()]) {
    const { startedAt, endedAt } = line.dataset;
    if (!startedAt) continue;
    const seconds = Math.max(0, (endedAt ? Date.parse(endedAt) : now) - Date.parse(startedAt)) / 1000;
    line.querySelector(".elapsed").textContent = `${seconds.toFixed(1)} s`;
  }
}

/** Put what the server has made of something into an element of the page. */
async function fill(element, url) {
  const response = await fetch(url, { headers: { Accept: "text/html" } });
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}`);
  const made = new DOMParser().parseFromString(await response.text(), "text/html").getElementById(element.id);
  if (made.innerHTML !== element.innerHTML) element.replaceChildren(...made.childNodes);
  element.hidden = element.childElementCount === 0;
}

/** Retries are no events of a run: they are asked for while tasks are at work. */
async function watchRetries() {
  if (over) return;
  await fill(retries, page.dataset.retries).catch(() => {});
  setTimeout(watchRetries, 1000);
}

async function finish(state, moment) {
  if (over) return;
  over = true;
  page.dataset.endedAt = moment;
  show(state);
  clearInterval(clock);
  tick();
  for (;;) {
    try {
      await fill(retries, page.dataset.retries);
      await fill(document.getElementById("result"), page.dataset.result);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

const clock = setInterval(tick, 100);
connect();
watchRetries();
