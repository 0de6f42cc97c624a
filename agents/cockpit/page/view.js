// Pictures and readings: what the driver sees.

const OF = (id) => document.getElementById(id);
const HAZARDS = { offroad: "Off the road in 1 s", collision: "Collision in 1 s" };
const GAIN = 2;  // of differences, which are small
const EVENT_MS = 3000;
const HEAT = [255, 168, 96], COLD = [15, 18, 24];

const screens = Object.fromEntries([...document.querySelectorAll(".screen")].map((figure) => [
  figure.dataset.picture,
  { figure, context: figure.querySelector("canvas").getContext("2d"), who: figure.querySelector(".who"), brief: figure.querySelector(".brief") },
]));

// Draw pictures by name; screens without one are put away.
export function show(pictures) {
  const shown = { ...pictures };
  if (shown.truth && shown.first.width === shown.truth.width) shown.difference = difference(shown.first, shown.truth);
  for (const [name, { figure, context }] of Object.entries(screens)) {
    const picture = shown[name];
    figure.hidden = !picture && name !== "first";
    if (!picture) continue;
    const canvas = context.canvas;
    if (canvas.width !== picture.width || canvas.height !== picture.height) {
      canvas.width = picture.width;
      canvas.height = picture.height;
    }
    context.putImageData(picture, 0, 0);
  }
  OF("screens").dataset.count = Object.keys(shown).length;
  return shown.difference?.mean;
}

function difference(one, other) {
  const image = new ImageData(one.width, one.height);
  let sum = 0;
  for (let at = 0; at < image.data.length; at += 4) {
    let apart = 0;
    for (let c = 0; c < 3; c++) apart += Math.abs(one.data[at + c] - other.data[at + c]) / 3;
    sum += apart;
    const share = Math.min(GAIN * apart / 255, 1);
    for (let c = 0; c < 3; c++) image.data[at + c] = COLD[c] + share * (HEAT[c] - COLD[c]);
    image.data[at + 3] = 255;
  }
  image.mean = sum / (0.25 * image.data.length) / 255;
  return image;
}

export function readings(header, apart, latency) {
  const [first, second] = header.drives;
  number("speed", 3.6 * first.speed_mps, 0);
  fill("speed-bar", first.speed_mps / 40);
  number("steering", Math.abs(100 * first.steering), 0, first.steering > 0.005 ? "← " : first.steering < -0.005 ? "→ " : "");
  mark("steering-gauge", -first.steering);
  OF("lane").textContent = signed(first.lane_offset_m);
  mark("lane-gauge", -first.lane_offset_m / 2.5);
  const [what, chance] = first.hazard;
  OF("hazard-name").textContent = HAZARDS[what] ?? what;
  number("hazard", 100 * chance, 0);
  fill("hazard-bar", chance);
  number("trust", first.trust, 2);
  fill("trust-bar", first.trust);
  OF("trust-bar").className = `bar ${first.trust >= 0.7 ? "good" : first.trust >= 0.4 ? "fair" : "bad"}`;
  const { pace } = header;
  OF("rate").textContent = header.driving ? pace.frames_per_s.toFixed(1) : "–";
  OF("passes").textContent = `${pace.passes} pass${pace.passes > 1 ? "es" : ""}`;
  OF("latency").textContent = latency ? ` · ${Math.round(latency)} ms` : "";
  OF("notice").hidden = !pace.notice;
  OF("notice").textContent = pace.notice;
  label("first", first.pilot, second ? brief(first) : "");
  if (second) label("second", second.pilot, brief(second));
  if (header.truth) {
    label("truth", header.truth.behind ? `catching up, ${header.truth.behind} steps behind` : "the same actions", happened(header.truth));
    label("difference", "", apart === undefined ? "" : `${(100 * apart).toFixed(1)} % apart`);
  }
  if (first.ended) event(`${first.ended}, says the learned world`);
}

let hideEvent = 0;
export function event(text) {
  OF("event").textContent = text;
  OF("event").hidden = !text;
  clearTimeout(hideEvent);
  if (text) hideEvent = setTimeout(() => event(""), EVENT_MS);
}

function brief(drive) {
  return `${Math.round(3.6 * drive.speed_mps)} km/h · ${signed(drive.lane_offset_m)} m`
    + (drive.ended ? ` · ${drive.ended}` : "");
}

function signed(metres) {
  const text = Math.abs(metres).toFixed(1);
  return metres === null ? "–" : text === "0.0" ? text : (metres > 0 ? "+" : "−") + text;
}

function happened(truth) {
  return truth.collision ? "a collision" : truth.offroad ? "off the road" : "";
}

function label(name, who, brief) {
  screens[name].who.textContent = who;
  screens[name].brief.textContent = brief;
}

function number(id, value, digits, sign = "") {
  OF(id).textContent = value === null || Number.isNaN(value) ? "–" : sign + value.toFixed(digits);
}

function fill(id, share) {
  OF(id).firstElementChild.style.width = `${100 * Math.min(Math.max(share, 0), 1)}%`;
}

function mark(id, place) {
  OF(id).firstElementChild.style.left = `${50 + 50 * Math.min(Math.max(place, -1), 1)}%`;
}
