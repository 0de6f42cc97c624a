// The cockpit: joins wheel, link, view, strip and panel.
"use strict";

import { Link } from "./link.js";
import { account, addMoment, addRecording, options, problem, removeMoment } from "./panel.js";
import { Strip } from "./strip.js";
import { event, readings, show } from "./view.js";
import { Wheel, typing } from "./wheel.js";

const OF = (id) => document.getElementById(id);
const SEND_MS = 40, HERE_MS = 5000;
const LATENCY_SHARE = 0.15;  // of the newest in what is shown
const LATENCIES = 1000;  // kept, for who measures

const state = {
  driving: false, pilot: "you", last: "lane keeper", second: "as before", latencies: [], number: 0, latency: 0, stamp: -1,
  wish: null, branched: false, truth: false, recording: false, opened: false,
};

const wheel = new Wheel(() => {
  if (strip.at !== null || !state.opened) return;
  if (state.pilot !== "you") choosePilot("you");
  if (!state.driving) drive(true);
});
const strip = new Strip(OF("strip"), 8, {
  begin() { drive(false); scrubbing(true); },
  look(pictures) { show(pictures); OF("ago").textContent = strip.ago ? `${strip.ago.toFixed(1)} s ago` : "now"; },
});
const link = new Link({ frame, tell, lost });
window.cockpit = { state, strip, drive };  // for who looks under the bonnet

// --- what comes in -------------------------------------------------------------------------------------------------

let coming = null;
function frame(header, pictures) {
  if (coming) link.send("shown", { frame: coming.header.frame });  // two before one drawing: only the newer is seen
  coming = { header, pictures };
  strip.push(header.step, pictures);
  requestAnimationFrame(draw);
}

function draw() {
  if (!coming) return;
  const { header, pictures } = coming;
  coming = null;
  link.send("shown", { frame: header.frame });
  if (header.stamp > 0 && header.stamp !== state.stamp && header.driving) {
    const took = performance.now() - header.stamp;
    state.stamp = header.stamp;
    state.latencies.push(took);
    if (state.latencies.length > LATENCIES) state.latencies.shift();
    state.latency += (state.latency ? LATENCY_SHARE : 1) * (took - state.latency);
  }
  state.header = header;
  if (strip.at !== null) return;
  if (header.drives[1]) OF("second-pilot").value = header.drives[1].pilot;
  readings(header, show(pictures), header.driving && state.latency);
  OF("record").querySelector("span").textContent = state.recording ? `Stop, ${(header.recording ?? 0).toFixed(0)} s` : "Record";
}

const TOLD = {
  hello(told) {
    options(OF("world"), told.worlds, state.wish?.world ?? told.first);
    options(OF("pilot"), ["you", ...told.pilots], "you");
    options(OF("second-pilot"), ["as before", "your mirror image", ...told.pilots], "as before");
    problem("");
    state.number = 0;
    for (const item of [...OF("moments").children]) removeMoment(item.dataset.moment);
    begin(state.wish ?? { world: told.first, scenario: "highway", start: "auto" });
  },
  began(told) {
    if (told.goes_on) strip.leave();
    else strip.clear();
    state.opened = true;
    waiting("");
    scrubbing(false);
    event("");
    where(told);
    OF("go").hidden = state.driving;
    OF("world").value = told.world;
    options(OF("scenario"), told.scenarios, told.scenario ?? OF("scenario").value);
    OF("truth").disabled = Boolean(told.truth);
    OF("truth").title = told.truth || "T";
    branched(told.futures > 1);
    if (state.driving) link.send("drive", { on: true });
  },
  joined(told) { branched(told.futures > 1); },
  changed(told) {
    where(told);
    waiting("");
  },
  account,
  pilot({ name }) { state.pilot = OF("pilot").value = name; },
  saved(told) {
    addMoment(told, strip.thumbnail(told.step), {
      back: (moment) => link.send("return", { moment }),
      branch: (moment) => branch({ moment }),
      forget: (moment) => link.send("forget", { moment }),
    });
  },
  forgotten({ moment }) { removeMoment(moment); },
  truth({ on, why }) { state.truth = pressed("truth", on); if (why) problem(why); },
  recording({ on, why }) { state.recording = pressed("record", on); if (why) problem(why); },
  recorded: addRecording,
  problem({ text }) {
    problem(text);
    waiting(state.opened ? "" : text);
    OF("pilot").value = state.pilot;
  },
};

function tell(message) {
  TOLD[message.kind]?.(message);
}

function lost(reason, final) {
  coming = null;  // its number means nothing to the next connection
  const driven = state.driving;
  setDriving(false);
  state.driving = driven && !final;
  state.opened = false;
  pressed("truth", false);
  state.recording = pressed("record", false);
  branched(false);
  OF("go").hidden = true;
  waiting(final ? reason : `${reason} Trying again…`);
}

// --- what goes out -------------------------------------------------------------------------------------------------

let turnedAt = performance.now();
setInterval(() => {
  const now = performance.now();
  wheel.turn(Math.min((now - turnedAt) / 1000, 0.2));
  turnedAt = now;
  const { steering, pedal } = wheel;
  OF("pad").querySelector("i").style.left = `${50 - 40 * steering}%`;
  OF("pad").ariaValueNow = steering.toFixed(2);
  if (state.driving && state.opened && state.pilot === "you") {
    link.send("wheel", { number: ++state.number, steering, pedal, stamp: now });
  }
}, SEND_MS);
setInterval(() => link.send("here"), HERE_MS);

function begin(wish) {
  state.wish = wish;
  account(null);
  problem("");
  waiting("Opening the world…");
  link.send(wish.text ? "words" : "begin", wish);
}

function where({ name, caption, imagined }) {
  OF("where").textContent = [name, caption, imagined ? "imagined" : ""].filter(Boolean).join(" · ");
}

// What the box says, for the drive under way or for another.
function say(kind) {
  const text = OF("text").value.trim();
  if (!text) return;
  OF("text").blur();
  if (kind === "begin") return begin({ world: OF("world").value, text });
  if (strip.at !== null) backToNow();
  problem("");
  waiting("Changing the scene…");
  link.send("change", { text });
}

function waiting(text) {
  OF("waiting").textContent = text;
  OF("waiting").hidden = !text;
  OF("go").hidden = Boolean(text) || state.driving || !state.opened || strip.at !== null;
}

function again() {
  if (state.wish) begin(state.wish);
}

function drive(on) {
  if (on && strip.at !== null) backToNow();
  setDriving(on);
  link.send("drive", { on });
}

function setDriving(on) {
  state.driving = on;
  OF("drive").textContent = on ? "Stand still" : "Drive";
  OF("go").hidden = on || !state.opened || strip.at !== null;
}

function choosePilot(name) {
  if (name !== "you") state.last = name;
  state.pilot = OF("pilot").value = name;
  link.send("pilot", { name });
}

function branch(from = {}) {
  link.send("branch", { pilot: state.second, ...from });
  choosePilot("you");
}

function branched(on) {
  state.branched = pressed("branch", on);
  OF("join").hidden = !on;
}

function pressed(id, on) {
  OF(id).setAttribute("aria-pressed", on);
  return on;
}

// --- looking back --------------------------------------------------------------------------------------------------

function scrubbing(on) {
  document.querySelector(".scrubbing").hidden = !on;
  OF("go").hidden = on || state.driving || !state.opened;
  if (!on) OF("ago").textContent = "the last seconds: drag to look back";
}

function backToNow() {
  strip.leave();
  scrubbing(false);
  if (strip.newest) show(strip.newest.pictures);
}

// --- buttons and keys ----------------------------------------------------------------------------------------------

const ACTS = {
  drive: () => drive(!state.driving),
  again,
  save: () => link.send("save"),
  branch: () => (state.branched ? link.send("join", { keep: "first" }) : branch()),
  truth: () => !OF("truth").disabled && link.send("truth", { on: !state.truth }),
  record: () => link.send("record", { on: !state.recording }),
  "keep-first": () => link.send("join", { keep: "first" }),
  "keep-second": () => link.send("join", { keep: "second" }),
  "from-here": () => { link.send("return", { step: strip.at }); backToNow(); drive(true); },
  "branch-here": () => { branch({ step: strip.at }); backToNow(); drive(true); },
  "save-here": () => link.send("save", { step: strip.at }),
  "back-now": backToNow,
  go: () => drive(true),
  there: () => say("begin"),
  begin: () => begin({ world: OF("world").value, scenario: OF("scenario").value, start: OF("start").value }),
  theme() {
    const root = document.documentElement;
    const dark = getComputedStyle(root).colorScheme === "dark" || (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* private windows may refuse */ }
  },
};
for (const [id, act] of Object.entries(ACTS)) OF(id).addEventListener("click", act);

const KEYS = {
  Space: ACTS.drive, KeyR: again, KeyM: ACTS.save, KeyB: ACTS.branch, KeyT: ACTS.truth, KeyV: ACTS.record,
  KeyL: () => choosePilot(state.pilot === "you" ? state.last : "you"),
};
addEventListener("keydown", (event) => {
  const act = KEYS[event.code];
  if (!act || event.repeat || typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.code === "Space" && event.target.matches?.("button, summary, a")) event.target.blur();
  event.preventDefault();
  act();
});

OF("pilot").addEventListener("change", () => choosePilot(OF("pilot").value));
for (const id of ["world", "scenario", "start", "pilot", "second-pilot"]) {
  OF(id).addEventListener("change", () => OF(id).blur());  // so that the arrow keys steer again
}
OF("second-pilot").addEventListener("change", () => { state.second = OF("second-pilot").value; branch(); });
OF("words").addEventListener("submit", (event) => {
  event.preventDefault();
  say("change");
});
OF("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    OF("words").requestSubmit();
  }
});
OF("image").addEventListener("change", async () => {
  const [file] = OF("image").files;
  OF("image").value = "";
  if (!file) return;
  problem("");
  link.sendImage({ world: OF("world").value, speed_mps: 10 }, await smaller(file).catch(() => file));
});

// What the server would shrink anyway is shrunk here.
async function smaller(file, widest = 1024) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, widest / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
}

wheel.pad(OF("pad"));
wheel.pedalButton(OF("gas"), "gas");
wheel.pedalButton(OF("brake"), "brake");
try { document.documentElement.dataset.theme = localStorage.getItem("theme") ?? ""; } catch { /* as above */ }
