// Hands and feet: keys, gamepad and touch become steering (left is positive) and pedal, each in [-1, 1].

const TURN_PER_S = 1.5, RETURN_PER_S = 3.5, PEDAL_PER_S = 4;
const DEAD_ZONE = 0.09;
const KEYS = {
  ArrowLeft: "left", KeyA: "left", ArrowRight: "right", KeyD: "right",
  ArrowUp: "gas", KeyW: "gas", ArrowDown: "brake", KeyS: "brake",
};

export class Wheel {
  steering = 0;
  pedal = 0;
  #held = new Set();
  #touch = null;  // steering that a finger holds

  constructor(onTouched) {
    this.onTouched = onTouched;  // the user took the wheel
    addEventListener("keydown", (event) => this.#key(event, true));
    addEventListener("keyup", (event) => this.#key(event, false));
    addEventListener("blur", () => this.#held.clear());
  }

  pad(element) {
    const turn = (event) => {
      const box = element.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      this.#touch = clamp((0.5 - share) * 2.4);
      this.onTouched();
    };
    element.addEventListener("pointerdown", (event) => { element.setPointerCapture(event.pointerId); turn(event); });
    element.addEventListener("pointermove", (event) => { if (this.#touch !== null) turn(event); });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      element.addEventListener(end, () => { this.#touch = null; });
    }
  }

  pedalButton(element, name) {
    element.addEventListener("pointerdown", (event) => {
      element.setPointerCapture(event.pointerId);
      this.#held.add(name);
      this.onTouched();
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      element.addEventListener(end, () => this.#held.delete(name));
    }
    element.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  // Let `seconds` pass.
  turn(seconds) {
    const stick = this.#gamepad();
    const side = this.#held.has("left") - this.#held.has("right");
    if (this.#touch !== null) this.steering = approach(this.steering, this.#touch, 6 * seconds);
    else if (stick && stick.steering) this.steering = stick.steering;
    else if (side) {
      const back = side * this.steering < 0;  // through the middle it comes back faster
      this.steering = clamp(this.steering + side * (back ? RETURN_PER_S : TURN_PER_S) * seconds);
    } else this.steering = approach(this.steering, 0, RETURN_PER_S * seconds);
    const wanted = 0.8 * this.#held.has("gas") - 0.8 * this.#held.has("brake");
    this.pedal = stick && stick.pedal ? stick.pedal : approach(this.pedal, wanted, PEDAL_PER_S * seconds);
  }

  #key(event, down) {
    const name = KEYS[event.code];
    if (!name || typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (!down) return void this.#held.delete(name);
    this.#held.add(name);
    if (!event.repeat) this.onTouched();
  }

  #gamepad() {
    const pad = [...(navigator.getGamepads?.() ?? [])].find((each) => each?.connected);
    if (!pad) return null;
    const axis = pad.axes[0] ?? 0;
    const steering = Math.abs(axis) < DEAD_ZONE ? 0 : -Math.sign(axis) * ((Math.abs(axis) - DEAD_ZONE) / (1 - DEAD_ZONE)) ** 1.5;
    const pedal = (pad.buttons[7]?.value ?? 0) - (pad.buttons[6]?.value ?? 0);
    if (steering || Math.abs(pedal) > 0.05) this.onTouched();
    return { steering: clamp(steering), pedal: clamp(pedal) };
  }
}

export function typing(event) {
  return event.target.matches?.("input, textarea, select") ?? false;
}

function clamp(value) {
  return Math.min(Math.max(value, -1), 1);
}

function approach(value, goal, most) {
  return value + Math.min(Math.max(goal - value, -most), most);
}
