// The connection to the server: objects out, objects and frames in, and again after it broke.

const AGAIN_MS = [500, 1000, 2000, 4000, 8000];
const FINAL = new Set([1008, 1013]);  // the server said no, and why

export class Link {
  #socket = null;
  #failed = 0;

  // `on` has frame(header, pictures), tell(message), lost(reason, final) and open().
  constructor(on) {
    this.on = on;
    this.connect();
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = this.#socket = new WebSocket(`${scheme}://${location.host}/drive`);
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") return this.on.frame(...unpack(data));
      this.#failed = 0;
      this.on.tell(JSON.parse(data));
    };
    socket.onclose = ({ code, reason }) => {
      if (socket !== this.#socket) return;
      const final = FINAL.has(code);
      this.on.lost(reason || (this.#failed ? "The server cannot be reached." : "The connection was lost."), final);
      if (!final) setTimeout(() => this.connect(), AGAIN_MS[Math.min(this.#failed++, AGAIN_MS.length - 1)]);
    };
  }

  get open() {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(kind, values = {}) {
    if (this.open) this.#socket.send(JSON.stringify({ kind, ...values }));
  }

  sendImage(values, bytes) {
    if (!this.open) return;
    const header = new TextEncoder().encode(JSON.stringify({ kind: "picture", ...values }));
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, header.length, true);
    this.#socket.send(new Blob([length, header, bytes]));
  }
}

// A packet: header length, header, then RGB pictures one after the other. Canvases want RGBA.
function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const pictures = {};
  let at = 4 + length;
  for (const [name, width, height] of header.pictures) {
    const rgb = new Uint8Array(buffer, at, 3 * width * height);
    const image = new ImageData(width, height);
    for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
      image.data[to] = rgb[from];
      image.data[to + 1] = rgb[from + 1];
      image.data[to + 2] = rgb[from + 2];
      image.data[to + 3] = 255;
    }
    pictures[name] = image;
    at += rgb.length;
  }
  return [header, pictures];
}
