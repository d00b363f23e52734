// One card per task: what can be answered, by which key, and what the model thinks.

import { announce, el, fill } from "./dom.js";
import { parsed, shownValue, whyOf } from "./saying.js";
import { without, withSpan } from "./spans.js";
import { number, percent, t } from "./words.js";

// F, R, P, T and G have a meaning of their own.
export const KEYS = "1234567890qweyuioasdhjklzxcvbnm";
const HUES = 10;
const MANY = 14; // labels beyond which they stand close together
const SHORT = 12; // characters of labels of which two stand side by side

export const hueOf = (form, label) => form.labels.indexOf(label) % HUES;

export class Card {
  constructor(page, form, at) {
    Object.assign(this, { page, form, at, chosen: null, brush: null, last: null });
    this.body = el("div.body");
    this.note = el("p.note", { role: "status" });
    this.state = el("span.state");
    this.why = el("p.why");
    const id = `task${at}`;
    this.node = el(
      "section.card",
      { role: "group", tabIndex: 0, "aria-labelledby": id, "data-task": form.name },
      el("header", {}, el("h2", { id }, form.name), this.state),
      this.why,
      this.body,
      this.note,
    );
    this.node.addEventListener("focusin", () => page.work.look(at));
    this.buttons = new Map();
    this[`make_${form.form}`]();
    this.update();
  }

  get task() {
    return this.page.work.record.tasks[this.at];
  }
  get suggestion() {
    return this.task.suggestion ?? null;
  }
  get value() {
    return this.task.draft ?? this.suggestion?.value ?? this.empty;
  }
  get empty() {
    return { several: [], spans: [], text: "", number: null }[this.form.form] ?? null;
  }

  // Whether what stands there is still what the model suggested.
  get isModels() {
    return this.task.draft === undefined && !this.task.done && Boolean(this.suggestion);
  }

  say(value) {
    this.page.work.say("label", value, this.at);
  }
  draft(value) {
    this.page.work.draft(value, this.at);
  }
  tell(text) {
    this.note.textContent = text;
  }

  // ---------------------------------------------------------------- parts

  label(name, at, onclick) {
    const key = at < KEYS.length ? KEYS[at].toUpperCase() : "";
    const made = el(
      "button.label",
      {
        type: "button",
        tabIndex: -1,
        class: `hue${at % HUES}`,
        onclick,
        onpointerdown: (e) => e.preventDefault(),
      },
      key && el("kbd", { "aria-hidden": "true" }, key),
      el("span.word", {}, name),
      el("span.chance"),
    );
    if (key) made.setAttribute("aria-keyshortcuts", key);
    this.buttons.set(name, made);
    return made;
  }

  labels(onclick) {
    const many = this.form.labels.length > MANY;
    const isShort =
      !this.suggestion?.probabilities && this.form.labels.every((name) => name.length <= SHORT);
    const list = el(
      "div.labels",
      { class: `${many ? "many" : isShort ? "short" : ""} ${this.form.ordered ? "ordered" : ""}` },
      this.form.labels.map((name, at) => this.label(name, at, () => onclick(name))),
    );
    if (this.form.labels.length <= KEYS.length) return list;
    const seek = el("input.seek", {
      type: "search",
      placeholder: t("seek"),
      "aria-label": t("seek"),
      oninput: () => this.sought(seek.value),
    });
    seek.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      const first = this.form.labels.find((name) => !this.buttons.get(name).hidden);
      if (seek.value && first !== undefined) onclick(first);
    });
    return [seek, list];
  }

  sought(text) {
    const plain = text.trim().toLowerCase();
    for (const [name, button] of this.buttons)
      button.hidden = Boolean(plain) && !name.toLowerCase().includes(plain);
  }

  confirm(text = t("done")) {
    return el(
      "button.confirm",
      { type: "button", tabIndex: -1, onclick: () => this.enter() },
      text,
      el("kbd", { "aria-hidden": "true" }, this.form.form === "text" ? "Ctrl ⏎" : "⏎"),
    );
  }

  make_one() {
    fill(
      this.body,
      this.labels((name) => this.say(name)),
    );
  }

  make_several() {
    fill(
      this.body,
      this.labels((name) => this.toggle(name)),
      this.confirm(),
    );
  }

  make_spans() {
    this.list = el("ul.marked", { "aria-label": t("spans.list") });
    fill(
      this.body,
      el("p.hint", {}, t("spans.hint")),
      this.labels((name) => this.marked(name)),
      this.list,
      this.confirm(),
    );
  }

  make_text() {
    this.area = el("textarea", {
      rows: 4,
      maxLength: 100000,
      "aria-label": this.form.name,
      placeholder: t("text.hint"),
      oninput: () => this.draft(this.area.value),
    });
    this.area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.enter();
      }
      if (event.key === "Escape") this.node.focus();
    });
    fill(this.body, this.area, this.confirm());
  }

  make_number() {
    const range = this.form.range;
    const name = range
      ? t("number.range", { low: number(range[0], 6), high: number(range[1], 6) })
      : t("number");
    this.field = el("input.number", {
      type: "text",
      inputMode: "decimal",
      autocomplete: "off",
      "aria-label": `${this.form.name}: ${name}`,
      placeholder: name,
    });
    this.field.addEventListener("input", () => this.draft(this.field.value));
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") {
        event.preventDefault();
        this.enter();
      }
      if (event.key === "Escape") this.node.focus();
      if (event.key === "ArrowUp" || event.key === "ArrowDown") {
        event.preventDefault();
        this.nudge(event.key === "ArrowUp" ? 1 : -1, event.shiftKey);
      }
    });
    const parts = [el("div.row", {}, this.field, this.confirm())];
    if (range) {
      const step = this.step;
      this.slider = el("input.slider", {
        type: "range",
        tabIndex: -1,
        "aria-label": `${this.form.name}: ${name}`,
        oninput: () => this.draft(this.slider.value),
      });
      Object.assign(this.slider, { min: range[0], max: range[1], step });
      parts.push(
        el(
          "div.scale",
          {},
          el("span", {}, number(range[0], 6)),
          this.slider,
          el("span", {}, number(range[1], 6)),
        ),
      );
    }
    fill(this.body, parts);
  }

  get step() {
    const range = this.form.range;
    return range ? 10 ** Math.floor(Math.log10((range[1] - range[0]) / 20)) : 1;
  }

  // ---------------------------------------------------------------- acts

  key(letter) {
    const at = KEYS.indexOf(letter);
    const name = at >= 0 ? this.form.labels[at] : undefined;
    if (name === undefined) return false;
    this.buttons.get(name).click();
    return true;
  }

  toggle(name) {
    const now = this.value;
    this.draft(now.includes(name) ? now.filter((one) => one !== name) : [...now, name]);
  }

  nudge(way, far) {
    const [low, high] = this.form.range ?? [-Infinity, Infinity];
    const middle = this.form.range ? (low + high) / 2 : 0;
    const now = parsed(this.value);
    const next = Math.max(
      low,
      Math.min(high, (now ?? middle) + (now === null ? 0 : way * this.step * (far ? 10 : 1))),
    );
    this.draft(String(Number(next.toFixed(9))));
  }

  enter() {
    const form = this.form.form;
    if (form === "one")
      return this.suggestion ? this.say(this.suggestion.value) : this.tell(t("no.suggestion"));
    const value = this.value;
    if (form === "number") return this.enterNumber(parsed(value));
    if (form === "text")
      return String(value).trim() ? this.say(String(value)) : this.tell(t("text.empty"));
    if (!value.length && !this.task.sure) {
      this.task.sure = true; // nothing is an answer only when it is said twice
      this.tell(t(form === "spans" ? "spans.none" : "several.none"));
      return announce(this.note.textContent);
    }
    return this.say(
      form === "several" ? this.form.labels.filter((name) => value.includes(name)) : value,
    );
  }

  enterNumber(value) {
    const [low, high] = this.form.range ?? [-Infinity, Infinity];
    if (value === null) return this.tell(t("number.none"));
    if (value < low || value > high)
      return this.tell(t("number.outside", { low: number(low, 6), high: number(high, 6) }));
    return this.say(value);
  }

  // ---------------------------------------------------------------- spans

  get text() {
    return this.page.view.texts.get(this.form.of);
  }

  choose(chosen, isSpan) {
    this.chosen = chosen;
    if (!chosen) return this.show();
    const only = this.form.labels.length === 1 ? this.form.labels[0] : this.brush;
    if (only && !isSpan) return this.marked(only);
    announce(this.text.said(chosen));
    return this.show();
  }

  marked(name) {
    if (!this.chosen) this.chosen = this.text?.selected(false) ?? null;
    if (!this.chosen) {
      this.brush = this.brush === name ? null : name;
      this.tell(this.brush ? t("spans.brush", { label: name }) : "");
      return this.update();
    }
    const span = { ...this.chosen, label: name };
    this.chosen = null;
    this.last = span.end;
    document.getSelection()?.removeAllRanges();
    announce(`${this.text.said(span)}: ${name}`);
    this.draft(withSpan(this.value, span));
  }

  remove(at = this.chosen?.start) {
    if (at === undefined) return;
    this.chosen = null;
    this.draft(without(this.value, at));
  }

  arrow(event) {
    const way = event.key === "ArrowRight" ? 1 : -1;
    const found = this.text?.step(way, {
      grow: event.shiftKey && !event.altKey,
      fine: event.altKey,
      from: event.altKey && event.shiftKey,
      at: this.last,
    });
    if (found) {
      this.chosen = found;
      announce(this.text.said(found));
      this.show();
    }
  }

  show() {
    const active = this.page.work.focus === this.at;
    if (!active || !this.text) return;
    const spans = this.task.done?.value ?? this.value;
    this.text.show({
      spans: Array.isArray(spans) ? spans : [],
      chosen: this.chosen,
      active: true,
      hue: (label) => hueOf(this.form, label),
      isModels: this.isModels,
    });
  }

  // ---------------------------------------------------------------- drawing

  update() {
    const { task, form } = this;
    const done = task.done;
    this.node.classList.toggle("active", this.page.work.focus === this.at);
    this.node.classList.toggle("answered", Boolean(done));
    this.state.textContent = done ? t(`act.${done.act}`) : "";
    fill(this.why, whyOf(task), this.said(), this.has());
    const picked = done ? done.value : form.form === "one" ? (task.before ?? null) : this.value;
    const names = Array.isArray(picked) ? picked.map((one) => one.label ?? one) : [picked];
    for (const [name, button] of this.buttons) this.updateLabel(button, name, names.includes(name));
    if (this.area && document.activeElement !== this.area) this.area.value = String(picked ?? "");
    for (const one of [this.area, this.field]) one?.classList.toggle("models", this.isModels);
    if (this.field) this.updateNumber(picked);
    if (this.list) this.updateSpans(Array.isArray(picked) ? picked : []);
    if (task.draft === undefined && !done && !task.sure && !this.brush) this.tell(this.told());
    else if (!task.sure && !this.brush) this.tell("");
  }

  updateLabel(button, name, isOn) {
    const form = this.form.form;
    const isBrush = form === "spans" && this.brush === name;
    const on = form === "spans" ? isBrush : isOn;
    button.setAttribute("aria-pressed", String(on));
    const p =
      this.suggestion?.probabilities?.[name] ??
      (form === "one" && this.suggestion?.value === name ? this.suggestion.probability : null);
    const isModels =
      form === "one"
        ? this.suggestion?.value === name
        : form === "several" && this.isModels && isOn;
    button.classList.toggle("models", isModels);
    const isTold = p !== null && p !== undefined && (isModels || p >= 0.005);
    fill(
      button.lastChild,
      form !== "spans" && [
        isModels && el("span.by", {}, t("model")),
        isTold && [" ", percent(p)],
      ],
    );
  }

  updateNumber(value) {
    const shown = value === null || value === undefined ? "" : String(value);
    if (document.activeElement !== this.field || parsed(this.field.value) !== parsed(shown))
      this.field.value = shown;
    if (this.slider) {
      const [low, high] = this.form.range;
      this.slider.value = parsed(shown) ?? (low + high) / 2;
      this.slider.classList.toggle("unset", parsed(shown) === null);
    }
  }

  updateSpans(spans) {
    const row = (one) =>
      el(
        "li",
        { class: `hue${hueOf(this.form, one.label)}` },
        el("span.quote", {}, this.text?.said(one) ?? ""),
        el("span.tagged", {}, one.label),
        !this.task.done &&
          el(
            "button.small",
            {
              type: "button",
              tabIndex: -1,
              "aria-label": t("spans.remove", { text: this.text?.said(one) ?? "" }),
              onclick: () => this.remove(one.start),
            },
            "×",
          ),
      );
    fill(this.list, spans.map(row));
    this.show();
  }

  told() {
    const found = this.suggestion;
    if (!found || this.form.form === "one") return "";
    const p =
      found.probability === undefined || found.probability === null
        ? ""
        : ` (${percent(found.probability)})`;
    return `${t("model.says")}${p} · ${t("enter.accepts")}`;
  }

  // The label that is doubted, and the button that keeps it.
  has() {
    const { has, done } = this.task;
    if (!has) return null;
    const value = shownValue({ act: "label", value: has.value });
    const who = has.who.length ? has.who.join(", ") : t("has.file");
    return el(
      "span.has",
      {},
      el("span.opinion", {}, t("has", { value, who })),
      !done &&
        el(
          "button.small.keep",
          { type: "button", tabIndex: -1, onclick: () => this.keep() },
          t("keep"),
          el("kbd", { "aria-hidden": "true" }, "⇧⏎"),
        ),
    );
  }

  keep() {
    if (this.task.has) this.say(this.task.has.value);
    return Boolean(this.task.has);
  }

  said() {
    return (this.task.said ?? []).map((one) =>
      el("span.opinion", {}, `${one.who}: ${shownValue(one)}`),
    );
  }
}
