// The records on the page, what was said of them, and undoing it. Nothing here draws.

import { newId } from "./store.js";
import * as store from "./store.js";

const AHEAD = 10;
const FEW = 6;
const SOON = 4000; // until an empty page looks again, in milliseconds
const REMEMBERED = 200; // acts that can be undone
const BEHIND = 60; // records that are kept to go back to

export class Work extends EventTarget {
  constructor(sync) {
    super();
    this.sync = sync;
    this.records = []; // the first is on the page, the others are to come
    this.behind = [];
    this.focus = 0;
    this.mode = "next";
    this.acts = store.recall("acts", []);
    this.asking = false;
    this.loaded = false;
    this.clock = { start: performance.now(), hidden: 0, since: 0 };
    document.addEventListener("visibilitychange", () => this.pause());
    sync.addEventListener("beat", () => this.more());
  }

  get record() {
    return this.records[0] ?? null;
  }

  get task() {
    return this.record?.tasks[this.focus] ?? null;
  }

  changed(what) {
    store.keep(
      "order",
      this.records.map((one) => one.key),
    );
    this.dispatchEvent(new CustomEvent("changed", { detail: what }));
  }

  // ---------------------------------------------------------------- records

  async more() {
    if (this.asking) return;
    this.asking = true;
    const own = new Set(this.records.map((one) => one.key));
    // What is done here may be news to the server. A page that was just loaded has done nothing yet.
    const waiting = this.loaded
      ? store
          .pending()
          .filter((one) => one.key)
          .map((one) => one.key)
      : [];
    const have = [...new Set([...own, ...waiting])].slice(0, 190);
    const body = {
      have,
      want: this.loaded ? [] : store.recall("order", []),
      n: AHEAD + Math.max(0, have.length - own.size),
    };
    if (this.mode !== "next") body.queue = this.mode;
    const mode = this.mode;
    const told = await this.sync.next(body);
    this.asking = false;
    clearTimeout(this.soon);
    if (told && !told.records.length && !this.records.length)
      this.soon = setTimeout(() => this.more(), SOON);
    if (told === null || mode !== this.mode) return;
    const first = !this.loaded || !this.records.length;
    this.loaded = true;
    const drop = new Set(told.drop);
    this.records = this.records.filter((one, at) => at === 0 || !drop.has(one.key));
    const known = new Set(this.records.map((one) => one.key));
    for (const one of told.records) if (!known.has(one.key)) this.records.push(this.begun(one));
    this.records = this.records.filter((one, at) => (at === 0 && !first) || !isDone(one));
    if (first) this.show();
    else this.changed("ahead");
  }

  // Mark what was said already and is still on its way.
  begun(record) {
    const undone = new Set(
      store
        .pending()
        .filter((one) => one.act === "undo")
        .map((one) => one.undoes),
    );
    const said = store
      .pending()
      .filter((one) => one.key === record.key && one.act !== "undo" && !undone.has(one.id));
    for (const task of record.tasks) {
      task.done = task.own && !undone.has(task.own.id) && this.mode === "next" ? task.own : null;
      for (const one of said)
        if (one.task === task.task) task.done = { act: one.act, value: one.value, id: one.id };
      task.draft = store.recall(`draft/${record.key}/${task.task}`, undefined);
    }
    return record;
  }

  show() {
    this.focus = Math.max(0, this.record?.tasks.findIndex((task) => !task.done) ?? 0);
    this.clock = { start: performance.now(), hidden: 0, since: 0 };
    this.changed("record");
    if (this.records.length <= FEW) this.more();
  }

  turn(mode) {
    this.mode = mode;
    this.records = [];
    this.loaded = mode !== "next";
    this.asking = false;
    this.changed("record");
    this.more();
  }

  look(at) {
    if (!this.record || at === this.focus || !this.record.tasks[at]) return;
    this.focus = at;
    this.changed("focus");
  }

  // ---------------------------------------------------------------- answers

  draft(value, at = this.focus) {
    const task = this.record.tasks[at];
    task.draft = value;
    task.sure = false;
    store.keep(`draft/${this.record.key}/${task.task}`, value);
    this.changed("draft");
  }

  say(act, value = null, at = this.focus) {
    const record = this.record;
    const task = record?.tasks[at];
    if (!task) return;
    if (task.done) this.take(task.done.id); // said anew: the first is taken back
    const answer = { id: newId(), key: record.key, task: task.task, act, seconds: this.seconds() };
    if (act === "label" && this.mode !== "next") answer.act = "settle";
    if (act === "label") answer.value = value;
    if (task.question) answer.question = task.question;
    task.done = { act: answer.act, value, id: answer.id };
    store.forget(`draft/${record.key}/${task.task}`);
    this.acts.push({ id: answer.id, key: record.key, task: task.task });
    this.acts = this.acts.slice(-REMEMBERED);
    store.keep("acts", this.acts);
    this.sync.add(answer);
    this.goOn(at);
  }

  goOn(at) {
    const tasks = this.record.tasks;
    const order = [...tasks.keys()].map((step) => (at + 1 + step) % tasks.length);
    const open = order.find((each) => !tasks[each].done);
    if (open !== undefined) {
      this.focus = open;
      this.changed("said");
      return;
    }
    this.behind.push(this.records.shift());
    this.behind = this.behind.slice(-BEHIND);
    this.show();
  }

  take(id) {
    this.acts = this.acts.filter((one) => one.id !== id);
    store.keep("acts", this.acts);
    this.sync.add({ id: newId(), act: "undo", undoes: id });
  }

  // Take back the latest act, or the one named, and show its record again.
  async undo(id) {
    const last = id ? { id, ...this.acts.find((one) => one.id === id) } : this.acts.at(-1);
    if (!last) return false;
    let record =
      this.records.find((one) => one.key === last.key) ??
      this.behind.findLast((one) => one.key === last.key);
    if (last.key && !record?.tasks.some((one) => one.task === last.task))
      record = (await this.fetched(last)) ?? record;
    this.take(last.id);
    if (record) this.back(record, last);
    return true;
  }

  async fetched(last) {
    const found = await this.sync.get(`/api/record/${last.key}`);
    if (!found) return null;
    found.tasks = found.tasks.filter((one) => one.own || one.question || one.task === last.task);
    return this.begun(found);
  }

  back(record, last) {
    const task = record.tasks.find((one) => one.task === last.task);
    if (task?.done?.id === last.id) {
      if (task.done.act === "label" || task.done.act === "settle") task.draft = task.done.value;
      task.before = task.done.value;
      task.done = null;
    }
    this.behind = this.behind.filter((one) => one.key !== record.key);
    const isHere = this.record?.key === record.key;
    this.records = [record, ...this.records.filter((one) => one.key !== record.key)];
    this.focus = Math.max(0, record.tasks.indexOf(task));
    if (!isHere) this.clock = { start: performance.now(), hidden: 0, since: 0 };
    this.changed("record");
  }

  // ---------------------------------------------------------------- time

  pause() {
    if (document.hidden) this.clock.since = performance.now();
    else if (this.clock.since) this.clock.hidden += performance.now() - this.clock.since;
    if (!document.hidden) this.clock.since = 0;
  }

  // Seconds since the record was shown or the answer before; time in another window is none.
  seconds() {
    const now = performance.now();
    const took = (now - this.clock.start - this.clock.hidden) / 1000;
    this.clock = { start: now, hidden: 0, since: 0 };
    return Math.max(0, Math.round(took * 1000) / 1000);
  }
}

export const isDone = (record) => record.tasks.every((task) => task.done);
