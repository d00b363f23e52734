// What asking has come to: chosen labels against drawn ones, look by look, and what more would bring.

import { el } from "./dom.js";
import { number, t } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [420, 120, 46, 20, 8, 10];

export function looked(look, points) {
  const last = points.at(-1);
  const parts = [];
  if (last) parts.push(el("p", {}, ofGain(last)), drawn(points), table(points));
  if (last && last.high < 0) parts.push(el("p.failure", {}, t("curve.lost")));
  const { bound, kappa, score, doubled, low, high } = look.outlook;
  if (bound !== null)
    parts.push(
      el("p", {}, t("curve.bound", { bound: number(Math.min(1, bound), 2), kappa: number(kappa, 2) })),
    );
  if (doubled !== null) {
    const [now, then, from, to] = [score, doubled, low, high].map((one) => number(one, 3));
    parts.push(el("p", {}, t("curve.doubled", { metric: look.metric, now, then, from, to })));
  }
  return parts.length ? [el("h3", {}, t("curve")), parts] : [];
}

const points100 = (value) => `${value > 0 ? "+" : ""}${number(100 * value, 1)}`;

function ofGain(one) {
  const [gain, low, high] = [one.gain, one.low, one.high].map(points100);
  return t("curve.gain", { n: number(one.n), judged: number(one.judged), gain, low, high });
}

function svg(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}

// The gain over the number of answers: a line, its interval as a band, and a line at nothing.
function drawn(points) {
  const [first, last] = [points[0].answers, points.at(-1).answers];
  const most = Math.max(0.01, ...points.map((one) => Math.max(one.high, -one.low)));
  const x = (one) =>
    LEFT + (last > first ? (one.answers - first) / (last - first) : 0.5) * (WIDTH - LEFT - RIGHT);
  const y = (value) => TOP + ((most - value) / (2 * most)) * (HEIGHT - TOP - BOTTOM);
  const line = (of) => points.map((one) => `${x(one).toFixed(1)},${y(of(one)).toFixed(1)}`);
  const band = [...line((one) => one.high), ...line((one) => one.low).reverse()].join(" ");
  const word = (at, text, anchor, where = LEFT - 6) =>
    svg("text", { x: where, y: at, "text-anchor": anchor }, text);
  const single = points.length === 1;
  return svg(
    "svg",
    { class: "gains", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": t("curve.alt") },
    svg("line", { class: "zero", x1: LEFT, x2: WIDTH - RIGHT, y1: y(0), y2: y(0) }),
    svg(single ? "polyline" : "polygon", { class: single ? "bar" : "band", points: band }),
    svg("polyline", { class: "gain", points: line((one) => one.gain).join(" ") }),
    ...points.map((one) => svg("circle", { class: "gain", cx: x(one), cy: y(one.gain), r: 3 })),
    word(y(most) + 9, points100(most), "end"),
    word(y(0) + 4, "0", "end"),
    word(y(-most) - 1, points100(-most), "end"),
    word(HEIGHT - 5, t("curve.answers", { n: number(first) }), single ? "middle" : "start", x(points[0])),
    ...(single ? [] : [word(HEIGHT - 5, t("curve.answers", { n: number(last) }), "end", x(points.at(-1)))]),
  );
}

function table(points) {
  const head = ["curve.at", "curve.chosen", "curve.random", "curve.difference"].map((name) =>
    el("th", { scope: "col" }, t(name)),
  );
  const row = (one) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, number(one.answers)),
      el("td.n", {}, number(one.chosen, 3)),
      el("td.n", {}, number(one.random, 3)),
      el("td.n", {}, `${points100(one.gain)} [${points100(one.low)}, ${points100(one.high)}]`),
    );
  return el(
    "details",
    {},
    el("summary", {}, t("curve.table")),
    el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, points.map(row))),
  );
}
