// Pictures and sounds, loaded ahead of time and kept while they may be needed.

import { el, fill } from "./dom.js";
import { blob } from "./net.js";
import { number, t } from "./words.js";

const KEPT = 48;
const held = new Map(); // digest → promise of { url, blob }

export function load(key, field, digest) {
  let found = held.get(digest);
  if (!found) {
    found = blob(`/api/media/${key}/${encodeURIComponent(field)}`).then((content) => ({
      content,
      url: URL.createObjectURL(content),
    }));
    found.catch(() => held.delete(digest)); // it is asked for again when it is shown
    held.set(digest, found);
    for (const old of [...held.keys()].slice(0, Math.max(0, held.size - KEPT))) {
      held.get(old).then(
        ({ url }) => setTimeout(() => URL.revokeObjectURL(url), 60000),
        () => {},
      );
      held.delete(old);
    }
  }
  return found;
}

export function ahead(records) {
  for (const record of records)
    for (const input of record.inputs)
      if (input.kind === "picture" || input.kind === "sound")
        for (const field of input.fields)
          load(record.key, field.name, field.digest).catch(() => {});
}

function failed(place, again) {
  fill(
    place,
    el(
      "p.missing",
      {},
      t("media.failed"),
      " ",
      el("button.plain", { type: "button", onclick: again }, t("again")),
    ),
  );
}

// ------------------------------------------------------------------ pictures

const CLOSEST = 8;

export class PictureView {
  constructor(key, field, digest) {
    this.zoom = 1;
    this.x = this.y = 0;
    this.image = el("img", { alt: t("picture.alt", { name: field }), draggable: false });
    this.frame = el(
      "div.frame",
      { tabIndex: 0, role: "group", "aria-label": t("picture.help", { name: field }) },
      this.image,
    );
    this.node = el("figure.picture", {}, this.frame, this.buttons());
    this.frame.addEventListener("wheel", (event) => this.wheeled(event), { passive: false });
    this.frame.addEventListener("pointerdown", (event) => this.grabbed(event));
    this.frame.addEventListener("dblclick", () => this.by(this.zoom > 1 ? 0 : 2.5));
    this.get(key, field, digest);
  }

  get(key, field, digest) {
    load(key, field, digest).then(
      ({ url }) => (this.image.src = url),
      () =>
        failed(this.frame, () => {
          fill(this.frame, this.image);
          this.get(key, field, digest);
        }),
    );
  }

  buttons() {
    const button = (sign, name, act) =>
      el(
        "button.small",
        { type: "button", "aria-label": t(name), title: t(name), onclick: act },
        sign,
      );
    return el(
      "figcaption",
      {},
      button("−", "zoom.out", () => this.by(1 / 1.4)),
      button("+", "zoom.in", () => this.by(1.4)),
      button("⤢", "zoom.fit", () => this.by(0)),
    );
  }

  by(factor) {
    this.zoom = factor ? Math.min(CLOSEST, Math.max(1, this.zoom * factor)) : 1;
    this.move(0, 0);
  }

  move(x, y) {
    const box = this.frame.getBoundingClientRect();
    const most = (side) => (side * (this.zoom - 1)) / 2;
    this.x = Math.max(-most(box.width), Math.min(most(box.width), this.x + x));
    this.y = Math.max(-most(box.height), Math.min(most(box.height), this.y + y));
    this.image.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.zoom})`;
    this.frame.classList.toggle("zoomed", this.zoom > 1);
  }

  wheeled(event) {
    if (!event.ctrlKey && this.zoom === 1 && event.deltaY > 0) return; // the page scrolls on
    event.preventDefault();
    this.by(Math.exp(-event.deltaY / 300));
  }

  grabbed(event) {
    if (this.zoom === 1) return;
    event.preventDefault();
    this.frame.setPointerCapture(event.pointerId);
    const move = (each) => this.move(each.movementX, each.movementY);
    this.frame.addEventListener("pointermove", move);
    const stop = () => this.frame.removeEventListener("pointermove", move);
    this.frame.addEventListener("pointerup", stop, { once: true });
    this.frame.addEventListener("pointercancel", stop, { once: true });
  }
}

// ------------------------------------------------------------------ sounds

const BARS = 160;

export class SoundView {
  constructor(key, field, digest) {
    this.peaks = null;
    this.audio = el("audio", { preload: "auto" });
    this.button = el(
      "button.play",
      { type: "button", "aria-label": t("sound.play"), onclick: () => this.toggle() },
      el("span.sign", { "aria-hidden": "true" }, "▶"),
      el("kbd", { "aria-hidden": "true" }, "P"),
    );
    this.canvas = el("canvas.wave", {
      role: "img",
      "aria-label": t("sound.wave", { name: field }),
    });
    this.time = el("span.time", {}, "0:00");
    this.node = el("div.sound", {}, this.button, this.canvas, this.time, this.audio);
    for (const name of ["play", "pause", "ended", "timeupdate", "loadedmetadata"])
      this.audio.addEventListener(name, () => this.draw());
    this.canvas.addEventListener("click", (event) =>
      this.seek(event.offsetX / this.canvas.clientWidth),
    );
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.get(key, field, digest);
  }

  get(key, field, digest) {
    load(key, field, digest).then(
      async ({ url, content }) => {
        this.audio.src = url;
        this.peaks = await peaks(content);
        this.draw();
      },
      () =>
        failed(this.node, () => {
          fill(this.node, this.button, this.canvas, this.time, this.audio);
          this.get(key, field, digest);
        }),
    );
  }

  toggle() {
    if (this.audio.paused) this.audio.play().catch(() => {});
    else this.audio.pause();
  }

  seek(share) {
    if (Number.isFinite(this.audio.duration)) this.audio.currentTime = share * this.audio.duration;
    this.draw();
  }

  step(seconds) {
    if (Number.isFinite(this.audio.duration))
      this.audio.currentTime = Math.max(
        0,
        Math.min(this.audio.duration, this.audio.currentTime + seconds),
      );
  }

  draw() {
    const plays = !this.audio.paused && !this.audio.ended;
    this.button.querySelector(".sign").textContent = plays ? "❚❚" : "▶";
    this.button.setAttribute("aria-label", t(plays ? "sound.pause" : "sound.play"));
    const lasts = Number.isFinite(this.audio.duration) ? this.audio.duration : 0;
    this.time.textContent = `${clock(this.audio.currentTime)} / ${clock(lasts)}`;
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !this.peaks) return;
    if (this.canvas.width !== Math.round(width * ratio))
      [this.canvas.width, this.canvas.height] = [
        Math.round(width * ratio),
        Math.round(height * ratio),
      ];
    const pen = this.canvas.getContext("2d");
    const styles = getComputedStyle(this.canvas);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const part = width / BARS;
    this.peaks.forEach((peak, at) => {
      pen.fillStyle = styles.getPropertyValue(
        lasts && at / BARS < this.audio.currentTime / lasts ? "--accent" : "--faint",
      );
      const tall = Math.max(2, peak * (height - 4));
      pen.fillRect(at * part, (height - tall) / 2, Math.max(1, part * 0.62), tall);
    });
  }
}

const clock = (seconds) =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

async function peaks(content) {
  const zero = new Array(BARS).fill(0);
  try {
    const context = new OfflineAudioContext(1, 1, 8000);
    const wave = (await context.decodeAudioData(await content.arrayBuffer())).getChannelData(0);
    const found = zero.map((_, at) => {
      let most = 0;
      const end = Math.floor(((at + 1) * wave.length) / BARS);
      for (let i = Math.floor((at * wave.length) / BARS); i < end; i++)
        most = Math.max(most, Math.abs(wave[i]));
      return most;
    });
    const top = Math.max(...found, 1e-6);
    return found.map((one) => one / top);
  } catch {
    return zero;
  }
}

export const shownNumber = (value) =>
  typeof value === "number" ? number(value, 6) : String(value);
