// The labelling page: puts its parts together and draws them when something changes.

import { Card } from "./cards.js";
import { announce, byId, el, fill, toast } from "./dom.js";
import { listen } from "./keys.js";
import { openLabels } from "./labels.js";
import * as media from "./media.js";
import { Refused, begin as known, get, post } from "./net.js";
import * as panels from "./panels.js";
import { RecordView } from "./record.js";
import { openRule } from "./rule.js";
import { chooseFile, imports, listenToFiles } from "./importing.js";
import * as store from "./store.js";
import { Sync } from "./sync.js";
import { Work } from "./work.js";
import * as words from "./words.js";

const { number, t } = words;
const THEMES = ["auto", "light", "dark"];

class Page {
  constructor(session, name) {
    this.session = session;
    this.forms = new Map(session.tasks.map((form) => [form.name, form]));
    this.sync = new Sync(name, session.version);
    this.work = new Work(this.sync);
    this.cards = [];
    this.view = null;
    this.isOpen = store.recall("guidelines", Boolean(session.guidelines)) && innerWidth > 1100;
    this.sync.addEventListener("state", () => this.status());
    this.sync.addEventListener("refused", ({ detail }) =>
      toast(t("refused", { why: detail.why }), "bad"),
    );
    this.sync.addEventListener("stranger", () => this.stop());
    this.sync.addEventListener("version", () => this.renew());
    this.work.addEventListener("changed", ({ detail }) => this.draw(detail));
    window.addEventListener(
      "beforeunload",
      (event) => !store.keeps && store.numPending() && event.preventDefault(),
    );
    listen(this);
    listenToFiles(this);
  }

  get card() {
    return this.cards[this.work.focus] ?? null;
  }

  async begin() {
    this.frame();
    this.sync.send();
    await this.work.more();
    if (!this.work.acts.length) this.remember();
  }

  // What was done before this page was opened can be undone too.
  async remember() {
    const told = await this.sync.get("/api/history?n=50");
    if (told && !this.work.acts.length)
      this.work.acts = told.history.reverse().map(({ id, key, task }) => ({ id, key, task }));
  }

  // ---------------------------------------------------------------- acts

  async undo() {
    if (!(await this.work.undo())) return announce(t("undo.none"));
    announce(t("undone"));
  }

  help() {
    panels.help();
  }

  // The tasks are others than when the page was loaded: load it anew once nothing waits.
  renew() {
    if (store.numPending()) return this.sync.send();
    location.reload();
  }

  rule() {
    if (this.session.role === "annotator" || !this.view) return false;
    openRule(this);
    return true;
  }

  async history() {
    const told = await this.sync.get("/api/history?n=100");
    if (told) panels.history(told.history, (one) => this.undoThis(one));
    else toast(t("state.offline"));
  }

  async leave() {
    try {
      await post("/api/sign-out", {});
      this.stop();
    } catch (error) {
      toast(error.message, "bad");
    }
  }

  // Nothing is asked and no key does anything until somebody signs in.
  stop() {
    this.cards = [];
    this.view = null;
    this.work.records = [];
    strange();
  }

  progress() {
    const labels = this.session.role === "owner" && (() => openLabels(this));
    const files = imports(this) && chooseFile(this);
    const more = panels.progress(this.sync.progress, labels, files);
    if (!more) return;
    this.sync.get("/api/agreement").then((told) => told && more.agreement(told));
    this.sync.get("/api/curve").then((told) => told && more.curve(told));
  }

  undoThis(one) {
    if (!this.work.acts.some((each) => each.id === one.id))
      this.work.acts.unshift({ id: one.id, key: one.key, task: one.task });
    this.work.undo(one.id);
  }

  guidelines() {
    if (!this.session.guidelines) return;
    this.isOpen = !this.isOpen;
    store.keep("guidelines", this.isOpen);
    this.beside();
  }

  // ---------------------------------------------------------------- drawing

  frame() {
    this.top();
    this.bar();
    this.draw("record");
  }

  top() {
    const icon = (sign, name, act, extra = {}) =>
      el(
        "button.icon",
        { type: "button", title: t(name), "aria-label": t(name), onclick: act, ...extra },
        sign,
      );
    this.meter = el("progress", { "aria-label": t("progress"), max: 1, value: 0 });
    this.counted = el("span.counted");
    const { reviews, session } = {
      reviews: this.session.role !== "annotator",
      session: this.session,
    };
    this.queues = (reviews ? ["doubts", "disputes"] : []).map((name) => [
      name,
      el("button.plain", { type: "button", hidden: true, onclick: () => this.turn(name) }),
    ]);
    this.busy = el("span.busy", { role: "status" });
    fill(
      byId("top"),
      el("h1.project", {}, session.project),
      el(
        "button.count",
        { type: "button", title: t("progress"), onclick: () => this.progress() },
        this.meter,
        this.counted,
      ),
      el("span.gap"),
      this.busy,
      this.queues.map(([, button]) => button),
      session.guidelines &&
        el(
          "button.plain.wide",
          { type: "button", onclick: () => this.guidelines() },
          t("guidelines"),
          el("kbd", { "aria-hidden": "true" }, "G"),
        ),
      icon("↺", "history", () => this.history()),
      icon("?", "keys", () => this.help(), { class: "keys-button" }),
      icon(words.language() === "zh" ? "EN" : "中", "language", () => this.speak()),
      icon("◐", "theme", () => theme()),
      session.signs_in
        ? el(
            "button.plain.who",
            { type: "button", title: t("sign.out"), onclick: () => this.leave() },
            session.who,
          )
        : el("span.who", { title: t(`role.${session.role}`) }, session.who),
    );
    this.status();
  }

  bar() {
    const button = (name, key, act) =>
      el(
        "button.act",
        {
          type: "button",
          onclick: () => {
            act();
            this.card?.node.focus({ preventScroll: true });
          },
        },
        t(name),
        el("kbd", { "aria-hidden": "true" }, key),
      );
    this.state = el("span.sync", { role: "status" });
    fill(
      byId("bar"),
      button("undo", "⌫", () => this.undo()),
      button("skip", "␣", () => this.work.say("skip")),
      button("flag", "F", () => this.work.say("flag")),
      el("span.gap"),
      this.state,
    );
    this.status();
  }

  speak() {
    words.turn();
    this.frame();
  }

  turn(name) {
    this.work.turn(this.work.mode === name ? "next" : name);
    this.status();
  }

  status() {
    if (!this.state) return;
    const { kind, waiting } = this.sync.state;
    const text = kind === "bad" ? this.sync.trouble : t(`state.${kind}`, { n: waiting });
    const more =
      kind === "offline" || kind === "bad" ? ` · ${t("state.waiting", { n: waiting })}` : "";
    this.state.className = `sync ${kind}`;
    if (this.state.textContent !== text + (waiting ? more : ""))
      this.state.textContent = text + (waiting ? more : "");
    const told = this.sync.progress;
    if (!told) return;
    this.meter.max = Math.max(1, told.target);
    this.meter.value = told.team;
    this.counted.textContent = t("counted", {
      team: number(told.team),
      target: number(told.target),
      mine: number(told.mine),
    });
    const counts = { disputes: told.disputed, doubts: told.doubts };
    for (const [name, button] of this.queues) {
      const isHere = this.work.mode === name;
      button.hidden = !counts[name] && !isHere;
      button.textContent = isHere ? t("disputes.back") : t(name, { n: number(counts[name] ?? 0) });
    }
    const busy = ["choosing", "training"].find((name) => told[name]?.working);
    const doing = busy ? t(`${busy}.working`) : "";
    if (this.busy.textContent !== doing) this.busy.textContent = doing;
  }

  draw(what) {
    if (what === "ahead") return media.ahead(this.work.records);
    if (what === "record") return this.drawRecord();
    for (const card of this.cards) card.update();
    if (what === "focus" || what === "said") this.focused(what === "said");
  }

  drawRecord() {
    const record = this.work.record;
    if (!record) return this.drawEmpty();
    this.view = new RecordView(record, {
      onmark: (field, chosen, isSpan) => this.marked(field, chosen, isSpan),
    });
    const place = el("div.cards", { class: record.tasks.length > 2 ? "tight" : "" });
    this.cards = [];
    fill(
      byId("desk"),
      el("div.stage", { tabIndex: 0, role: "region", "aria-label": t("record") }, this.view.node),
      place,
    );
    record.tasks.forEach((task, at) =>
      this.cards.push(new Card(this, this.forms.get(task.task), at)),
    );
    fill(
      place,
      this.cards.map((card) => card.node),
    );
    this.beside();
    this.focused(true, "record");
    setTimeout(() => media.ahead(this.work.records));
  }

  drawEmpty() {
    this.view = null;
    this.cards = [];
    const [title, text] = !this.work.loaded
      ? ["loading", ""]
      : this.work.mode !== "next"
        ? [`${this.work.mode}.none`, `${this.work.mode}.none.text`]
        : ["all.done", "all.done.text"];
    fill(
      byId("desk"),
      el(
        "div.empty",
        { class: this.work.loaded ? "" : "waiting" },
        el("h1", {}, t(title)),
        text && el("p", {}, t(text)),
        this.sync.away && el("p", {}, t("state.offline")),
      ),
    );
    if (this.session.left_out.length && this.work.loaded)
      byId("desk").firstChild.append(
        el("p.note", {}, t("left.out", { names: this.session.left_out.join(", ") })),
      );
  }

  beside() {
    document.querySelector("aside.guidelines")?.remove();
    const open = this.isOpen && this.session.guidelines;
    document.body.classList.toggle("guided", Boolean(open));
    if (open) byId("desk").append(panels.guidelines(this.session.guidelines));
  }

  marked(field, chosen, isSpan) {
    const card = this.card;
    if (card?.form.form === "spans" && card.form.of === field) card.choose(chosen, isSpan);
  }

  focused(move, what = "") {
    const card = this.card;
    if (!card) return;
    for (const [field, view] of this.view.texts)
      if (card.form.form !== "spans" || card.form.of !== field) view.show({});
    card.show();
    if (move && !card.node.contains(document.activeElement))
      card.node.focus({ preventScroll: true });
    if (what === "record" && matchMedia("(max-width: 62rem)").matches) scrollTo(0, 0);
    else card.node.scrollIntoView({ block: "nearest" });
    const isText = card.area && !card.suggestion && matchMedia("(hover: hover)").matches;
    if (move && isText && !card.task.done) card.area.focus({ preventScroll: true });
  }
}

function theme() {
  const root = document.documentElement;
  root.dataset.theme = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
  toast(t(`theme.${root.dataset.theme}`));
  try {
    localStorage.setItem("allrounder/theme", root.dataset.theme);
  } catch {
    // it lasts as long as the page
  }
}

function strange() {
  fill(byId("bar"));
  fill(
    byId("desk"),
    el("div.empty", {}, el("h1", {}, t("stranger")), el("p", {}, t("stranger.text"))),
  );
}

// A link with a token signs in once; the token does not stay in the address.
async function signIn() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  history.replaceState(null, "", location.pathname);
  try {
    await post("/api/sign-in", { token });
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 401) throw error;
    toast(t("stranger.link"), "bad");
  }
}

async function begin() {
  await words.load();
  try {
    await signIn();
    const session = await get("/api/session");
    known(session);
    document.title = `${session.project} · Allrounder`;
    store.open(session.ledger, session.who);
    await new Page(session, await store.pageName()).begin();
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return strange();
    fill(
      byId("desk"),
      el("div.empty", {}, el("h1", {}, t("state.offline")), el("p", {}, error.message)),
    );
    setTimeout(() => location.reload(), 5000);
  }
}

begin();
