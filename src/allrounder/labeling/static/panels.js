// What opens over the page or beside it: keys, guidelines, progress, what was done.

import { el, fill } from "./dom.js";
import { looked } from "./curve.js";
import { shownValue } from "./saying.js";
import { number, percent, t } from "./words.js";

export function dialog(title, body) {
  const close = el(
    "button.plain",
    { type: "button", "aria-label": t("close"), onclick: () => made.close() },
    "×",
  );
  const made = el(
    "dialog",
    { "aria-label": title },
    el("header", {}, el("h1", {}, title), close),
    el("div.content", { tabIndex: 0, role: "region", "aria-label": title }, body),
  );
  made.addEventListener("close", () => made.remove());
  made.addEventListener("click", (event) => event.target === made && made.close());
  document.body.append(made);
  made.showModal();
  return made;
}

const HELP = [
  ["1 … 9 0 A …", "key.label"],
  ["⏎", "key.enter"],
  ["⇧ ⏎", "key.keep"],
  ["␣", "key.skip"],
  ["F", "key.flag"],
  ["⌫ / Ctrl Z", "key.undo"],
  ["Tab", "key.tab"],
  ["T", "key.type"],
  ["↑ ↓", "key.number"],
  ["← →", "key.word"],
  ["⇧ ← →", "key.grow"],
  ["Alt ← →", "key.fine"],
  ["Del", "key.delete"],
  ["+ −", "key.zoom"],
  ["P", "key.play"],
  ["R", "key.rule"],
  ["G", "key.guidelines"],
  ["?", "key.help"],
];

export function help() {
  const row = ([key, name]) =>
    el("tr", {}, el("th", { scope: "row" }, el("kbd", {}, key)), el("td", {}, t(name)));
  dialog(t("keys"), el("table.keys", {}, el("tbody", {}, HELP.map(row))));
}

export function progress(told, openLabels, files) {
  if (!told) return null;
  const left = Math.max(0, told.target - told.team);
  const pace = told.seconds ? 3600 / told.seconds : null;
  const numbers = [
    [t("progress.mine"), number(told.mine)],
    [t("progress.team"), number(told.team)],
    [t("progress.left"), number(left)],
    [t("progress.pace"), pace ? t("progress.hour", { n: number(pace) }) : "–"],
    [t("progress.needs"), pace ? hours((left * told.seconds) / 3600) : "–"],
  ];
  if (told.batch)
    numbers.push([t("progress.batch"), `${number(told.batch.done)} / ${number(told.batch.asked)}`]);
  const big = el(
    "dl.numbers",
    {},
    numbers.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
  );
  const place = (kind) =>
    new Map(Object.keys(told.tasks).map((name) => [name, el(`div.${kind}`)]));
  const [agreeing, curves] = [place("agreed"), place("curve")];
  const made = dialog(t("progress"), [
    big,
    el(
      "div.choices",
      {},
      openLabels &&
        el(
          "button.act",
          {
            type: "button",
            onclick: () => {
              made.close();
              openLabels();
            },
          },
          t("labels.open"),
        ),
      files,
    ),
    ["choosing", "training"].map(
      (name) =>
        told[name]?.failure &&
        el("p.failure", {}, t(`${name}.failed`, { why: told[name].failure })),
    ),
    Object.entries(told.tasks).map(([name, one]) => [
      ofTask(name, one),
      agreeing.get(name),
      curves.get(name),
    ]),
  ]);
  const filled = (places, drawn) => (found) =>
    Object.entries(found).forEach(
      ([name, one]) => places.has(name) && fill(places.get(name), drawn(one)),
    );
  return {
    agreement: filled(agreeing, agreed),
    curve: ({ tasks = {}, curve = {} }) =>
      filled(curves, (one) => looked(one.look, one.points))(
        Object.fromEntries(
          Object.entries(tasks).map(([name, look]) => [name, { look, points: curve[name] ?? [] }]),
        ),
      ),
  };
}

// How far people agree, and how much oftener they follow a suggestion that they see.
function agreed(one) {
  const lines = [];
  const digits = (value) => (value === null ? "–" : number(value, 2));
  if (one.records)
    lines.push(
      t("agree", { same: percent(one.same), n: number(one.records), alpha: digits(one.alpha) }),
    );
  for (const [a, b, n, kappa] of one.pairs)
    lines.push(t("agree.pair", { a, b, n: number(n), kappa: digits(kappa) }));
  for (const [who, [n, same, alpha]] of Object.entries(one.self))
    lines.push(t("agree.self", { who, n: number(n), same: percent(same), alpha: digits(alpha) }));
  const share = ([hits, n]) => (n ? `${percent(hits / n)} (${number(n)})` : "–");
  if (one.shown[1] || one.blind[1])
    lines.push(t("sway", { shown: share(one.shown), blind: share(one.blind) }));
  return lines.map((line) => el("p", {}, line));
}

function ofTask(name, one) {
  const most = Math.max(1, ...Object.values(one.labels));
  const row = ([label, n]) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, label),
      el("td.meter", {}, meter(n, most, `${label}: ${n}`)),
      el("td.n", {}, number(n)),
    );
  return el(
    "section.of-task",
    {},
    el(
      "h2",
      {},
      name,
      el(
        "span.n",
        {},
        t("progress.of", {
          team: number(one.team),
          target: number(one.target),
          mine: number(one.mine),
        }),
      ),
    ),
    meter(one.team, one.target, name),
    el("table", {}, el("tbody", {}, Object.entries(one.labels).map(row))),
  );
}

export function meter(value, most, name) {
  return el("progress", { value, max: Math.max(1, most), "aria-label": name });
}

const hours = (time) =>
  time >= 1
    ? t("time.hours", { n: number(time, 1) })
    : t("time.minutes", { n: number(Math.max(1, time * 60)) });

export function history(events, undo) {
  const row = (one) =>
    el(
      "li",
      {},
      el(
        "div",
        {},
        el("span.record-name", {}, one.record),
        el("span.act", {}, `${one.task}: ${shownValue(one)}`),
      ),
      el(
        "button.plain",
        {
          type: "button",
          onclick: () => {
            made.close();
            undo(one);
          },
        },
        t("undo"),
      ),
    );
  const made = dialog(
    t("history"),
    events.length ? el("ol.history", {}, events.map(row)) : el("p", {}, t("history.none")),
  );
}

// Guidelines: plain text, of which lines that begin with # are headings and with - items.
export function guidelines(text) {
  const parts = [];
  for (const line of text.split(/\r?\n/)) {
    const heading = /^#{1,6}\s+(.*)/.exec(line);
    const item = /^\s*[-*]\s+(.*)/.exec(line);
    if (heading) parts.push(el("h2", {}, heading[1]));
    else if (item && parts.at(-1)?.tagName === "UL") parts.at(-1).append(el("li", {}, item[1]));
    else if (item) parts.push(el("ul", {}, el("li", {}, item[1])));
    else if (line.trim() && parts.at(-1)?.tagName === "P" && !parts.at(-1).dataset.ended)
      parts.at(-1).append(` ${line.trim()}`);
    else if (line.trim()) parts.push(el("p", {}, line.trim()));
    else if (parts.at(-1)?.tagName === "P") parts.at(-1).dataset.ended = "yes";
  }
  return el(
    "aside.guidelines",
    { "aria-label": t("guidelines"), tabIndex: 0 },
    el("h1", {}, t("guidelines")),
    fill(el("div"), parts),
  );
}
