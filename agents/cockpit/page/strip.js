// The last seconds, kept in the page: looked at by dragging, driven on from by the server.

const RATE_HZ = 10;
const THUMB_PX = 72;

export class Strip {
  #frames = [];  // { step, pictures }, oldest first
  #thumbs = document.createElement("canvas");

  // `on` has look(pictures) while scrubbing, begin() when it starts and now() when it ends.
  constructor(root, seconds, on) {
    this.most = Math.round(seconds * RATE_HZ) + 1;
    this.on = on;
    this.canvas = root.querySelector("canvas");
    this.range = root.querySelector("input");
    this.range.addEventListener("input", () => this.#look());
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.at = null;  // step that is looked at
  }

  push(step, pictures) {
    while (this.#frames.length && this.#frames.at(-1).step >= step) this.#frames.pop();
    this.#frames.push({ step, pictures });
    if (this.#frames.length > this.most) this.#frames.shift();
    if (this.at === null) this.draw();
  }

  clear() {
    this.#frames = [];
    this.leave();
  }

  leave() {
    this.at = null;
    this.range.blur();  // the arrow keys steer again
    this.draw();
  }

  // The step that is asked for, or the last before it.
  frame(step) {
    return this.#frames.findLast((each) => each.step <= step);
  }

  get newest() {
    return this.#frames.at(-1);
  }

  // A small picture of the step, or of the last before it.
  thumbnail(step) {
    const frame = this.frame(step) ?? this.newest;
    return frame ? this.#bitmap(frame.pictures.first).toDataURL() : "";
  }

  get ago() {
    return this.at === null ? 0 : (this.newest.step - this.at) / RATE_HZ;
  }

  draw() {
    const { canvas, range } = this;
    const width = Math.max(canvas.clientWidth, 1), scale = Math.min(devicePixelRatio, 2);
    canvas.width = width * scale;
    canvas.height = 40 * scale;
    const context = canvas.getContext("2d"), count = Math.max(Math.round(width / THUMB_PX), 1);
    const [oldest, newest] = [this.newest ? Math.max(this.newest.step - this.most + 1, 0) : 0, this.newest?.step ?? 0];
    range.min = Math.max(this.#frames[0]?.step ?? 0, oldest);
    range.max = newest;
    if (this.at === null) range.value = newest;
    for (let place = 0; place < count; place++) {
      const step = newest - (this.most - 1) * (1 - (place + 1) / count);
      const frame = this.frame(step);
      if (!frame || step < (this.#frames[0]?.step ?? 0)) continue;
      const picture = this.#bitmap(frame.pictures.first), w = canvas.width / count;
      const cut = Math.min(picture.width, picture.height * (w / canvas.height));
      context.drawImage(picture, (picture.width - cut) / 2, 0, cut, picture.height, place * w, 0, w - 2 * scale, canvas.height);
    }
    const span = (this.newest ? newest - (this.#frames[0].step) : 0) / (this.most - 1);
    range.style.width = `${Math.max(100 * span, 0)}%`;
  }

  #look() {
    const first = this.at === null;
    this.at = Number(this.range.value);
    if (first) this.on.begin();
    const frame = this.frame(this.at);
    if (frame) this.on.look(frame.pictures);
  }

  #bitmap(image) {
    this.#thumbs.width = image.width;
    this.#thumbs.height = image.height;
    this.#thumbs.getContext("2d").putImageData(image, 0, 0);
    return this.#thumbs;
  }
}
