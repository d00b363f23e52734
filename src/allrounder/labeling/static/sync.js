// Between page and server: answers go, records come, and the page says how it stands.

import { Away, Refused, get, post, whisper } from "./net.js";
import * as store from "./store.js";

const MOST = 50; // answers that are sent at once
const BEAT = 12000; // between two looks at the server, in milliseconds
const LONGEST = 20000;

export class Sync extends EventTarget {
  constructor(page, version) {
    super();
    this.page = page;
    this.version = version; // of the tasks that the page knows
    this.away = false;
    this.trouble = "";
    this.sending = false;
    this.fails = 0;
    this.timer = 0;
    this.progress = null;
    window.addEventListener("online", () => this.send());
    window.addEventListener("offline", () => this.tell({ away: true }));
    window.addEventListener("storage", () => this.tell({}));
    window.addEventListener("pagehide", () => whisper("/api/leave", { tab: page }));
    setInterval(() => this.beat(), BEAT);
  }

  tell(changes) {
    Object.assign(this, changes);
    this.dispatchEvent(new Event("state"));
  }

  add(answer) {
    store.add(answer);
    this.tell({});
    this.send();
  }

  beat() {
    if (store.numPending()) this.send();
    else this.dispatchEvent(new Event("beat"));
  }

  // Send what waits; only one page of a person does it at a time, and twice does no harm.
  async send() {
    clearTimeout(this.timer);
    if (this.sending || !store.numPending()) return;
    this.sending = true;
    let good = true;
    const work = async () => {
      while (good && store.numPending()) good = await this.sendSome();
    };
    if (navigator.locks) await navigator.locks.request("allrounder/send", work);
    else await work();
    this.sending = false;
    this.tell({});
    if (!good) this.later();
    else if (store.numPending()) this.send();
  }

  async sendSome() {
    const some = store.pending().slice(0, MOST);
    if (!some.length) return true;
    try {
      const told = await post("/api/answers", { answers: some });
      this.take(some, told);
      return true;
    } catch (error) {
      if (error instanceof Refused && error.status === 413) return this.halve(some);
      this.missed(error);
      return false;
    }
  }

  // What is too large together may be small enough one by one; what is not can never be sent.
  async halve(some) {
    for (const answer of some) {
      try {
        this.take([answer], await post("/api/answers", { answers: [answer] }));
      } catch (error) {
        if (!(error instanceof Refused) || error.status !== 413) {
          this.missed(error);
          return false;
        }
        this.take([answer], { saved: [], refused: [{ id: answer.id, why: error.message }] });
      }
    }
    return true;
  }

  take(some, told) {
    for (const one of told.refused) {
      const answer = some.find((each) => each.id === one.id);
      if (answer) store.refuse(answer, one.why);
    }
    store.sent([...told.saved, ...told.refused.map((one) => one.id)]);
    this.fails = 0;
    this.tell({ away: false, trouble: "", progress: told.progress ?? this.progress });
    for (const one of told.refused) this.dispatchEvent(new CustomEvent("refused", { detail: one }));
  }

  missed(error) {
    this.fails += 1;
    if (error instanceof Away) this.tell({ away: true, trouble: "" });
    else if (error instanceof Refused && error.status === 401)
      this.dispatchEvent(new Event("stranger"));
    else this.tell({ away: false, trouble: error.message });
  }

  later() {
    const wait =
      Math.min(LONGEST, 400 * 2 ** Math.min(this.fails, 8)) * (0.7 + 0.6 * Math.random());
    this.timer = setTimeout(() => this.send(), wait);
  }

  async next(body) {
    try {
      const told = await post("/api/next", { tab: this.page, ...body });
      this.fails = 0;
      this.tell({ away: false, trouble: "", progress: told.progress });
      if (told.version !== undefined && told.version !== this.version)
        this.dispatchEvent(new Event("version"));
      return told;
    } catch (error) {
      this.missed(error);
      return null;
    }
  }

  async get(path) {
    try {
      const told = await get(path);
      this.tell({ away: false });
      return told;
    } catch (error) {
      this.missed(error);
      return null;
    }
  }

  get state() {
    const waiting = store.numPending();
    if (this.trouble) return { kind: "bad", waiting };
    if (this.away || !navigator.onLine) return { kind: "offline", waiting };
    return waiting ? { kind: "waiting", waiting } : { kind: "saved", waiting };
  }
}
