// Labels and reasons in words, and numbers out of them.

import { el } from "./dom.js";
import { has, number, t } from "./words.js";

export function shownValue(one) {
  if (one.act !== "label" && one.act !== "settle") return t(`act.${one.act}`);
  const value = one.value;
  if (!Array.isArray(value)) return typeof value === "number" ? number(value, 6) : String(value);
  return value.length ? value.map((each) => each.label ?? each).join(", ") : t("nothing");
}

// Why this is asked: the strategy in words, its score, and what it told beside.
export function whyOf(task) {
  if (!task.strategy) return null;
  const name = has(`why.${task.strategy}`)
    ? t(`why.${task.strategy}`)
    : t("why.other", { name: task.strategy });
  const score = typeof task.score === "number" ? ` (${number(task.score, 3)})` : "";
  const rest = Object.entries(task.why ?? {}).filter(
    ([, one]) => typeof one === "string" || typeof one === "number",
  );
  const more = rest
    .map(([key, one]) => `${key}: ${typeof one === "number" ? number(one, 3) : one}`)
    .join(" · ");
  return el("span", {}, t("why"), " ", name, score, more && ` · ${more}`);
}

// A number as people type it, a comma or a true minus in it too; null where it is none.
export function parsed(value) {
  if (typeof value === "number") return value;
  const text = String(value ?? "")
    .trim()
    .replace(",", ".")
    .replace("−", "-");
  return text && Number.isFinite(Number(text)) ? Number(text) : null;
}
