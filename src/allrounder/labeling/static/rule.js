// A phrase becomes a rule: what it would say, how often that is right, and saving it.

import { el, fill, toast } from "./dom.js";
import { Away, post } from "./net.js";
import { dialog } from "./panels.js";
import { number, percent, t } from "./words.js";

const PAUSE = 250; // milliseconds without typing until it is measured

// What is marked in a text of the record: the field and the phrase.
export function marked(page) {
  const card = page.card;
  for (const [field, view] of page.view?.texts ?? []) {
    const own = card?.chosen && card.form.of === field ? card.chosen : view.selected(false);
    if (own) return { field, phrase: view.said(own) };
  }
  return { field: page.view?.texts.keys().next().value ?? null, phrase: "" };
}

export function openRule(page) {
  const { field, phrase } = marked(page);
  const forms = page.session.tasks.filter((form) => ["one", "several"].includes(form.form));
  if (field === null || !forms.length) return toast(t("rule.none"));
  const own = forms.find((form) => form.name === page.card?.form.name) ?? forms[0];
  const state = { key: page.work.record.key, timer: 0, asked: 0, found: null };
  const parts = {
    phrase: el("input", { type: "text", value: phrase, maxLength: 200, required: true }),
    field: choice([...page.view.texts.keys()], field),
    task: choice(
      forms.map((form) => form.name),
      own.name,
    ),
    label: choice([["", t("rule.likeliest")], ...own.labels.map((name) => [name, name])], ""),
  };
  const told = el("div.measured", { role: "status" });
  const hard = el("input", { type: "checkbox" });
  const save = el("button.confirm", { type: "submit", disabled: true }, t("rule.save"));
  const row = (name, input) => el("label.row", {}, el("span", {}, t(`rule.${name}`)), input);
  const form = el(
    "form.rule",
    { onsubmit: (event) => keep(event) },
    row("phrase", parts.phrase),
    page.view.texts.size > 1 && row("field", parts.field),
    row("task", parts.task),
    row("label", parts.label),
    told,
    el("label.check", {}, hard, el("span", {}, t("rule.hard"))),
    save,
  );
  const body = () =>
    Object.fromEntries(Object.entries(parts).map(([name, input]) => [name, input.value]));

  async function measure() {
    const turn = ++state.asked;
    state.found = null;
    save.disabled = true;
    if (!parts.phrase.value.trim()) return fill(told);
    try {
      const found = await post("/api/phrase", body());
      if (turn !== state.asked) return;
      state.found = found;
      save.disabled = !found.label || (!found.weight && !hard.checked);
      fill(told, figures(found));
      if (turn === 1 && phrase) save.focus();
    } catch (error) {
      if (turn === state.asked) fill(told, el("p.failure", {}, said(error)));
    }
  }

  async function keep(event) {
    event.preventDefault();
    if (!state.found) return;
    save.disabled = true;
    const soft = hard.checked ? null : state.found.weight;
    try {
      const kept = await post("/api/rule", {
        ...body(),
        label: state.found.label,
        soft,
        key: state.key,
      });
      made.close();
      toast(t("rule.saved", { says: kept.says, file: kept.file }));
    } catch (error) {
      fill(told, figures(state.found), el("p.failure", {}, said(error)));
    }
  }

  parts.task.addEventListener("change", () => {
    const { labels } = forms.find((one) => one.name === parts.task.value);
    fill(parts.label, options([["", t("rule.likeliest")], ...labels.map((name) => [name, name])]));
  });
  for (const input of [...Object.values(parts), hard])
    input.addEventListener("input", () => {
      clearTimeout(state.timer);
      state.timer = setTimeout(measure, PAUSE);
    });
  const made = dialog(t("rule"), form);
  parts.phrase.focus();
  return measure();
}

const said = (error) => (error instanceof Away ? t("state.offline") : error.message);

const options = (pairs) =>
  pairs.map((one) => {
    const [value, name] = Array.isArray(one) ? one : [one, one];
    return el("option", { value }, name);
  });

function choice(pairs, value) {
  const made = el("select", {}, options(pairs));
  made.value = value;
  return made;
}

function figures(found) {
  const { right, labelled, low, high } = found;
  const share = (one, n) => (n ? percent(one / n) : "–");
  const [rights, judged] = found.validation;
  const lines = [
    t("rule.coverage", {
      with: number(found.with),
      records: number(found.records),
      share: share(found.with, found.records),
      unlabelled: number(found.unlabelled),
    }),
    labelled
      ? t("rule.precision", {
          right: number(right),
          labelled: number(labelled),
          share: share(right, labelled),
          low: percent(low),
          high: percent(high),
        })
      : t("rule.unknown"),
    judged &&
      t("rule.validation", {
        right: number(rights),
        labelled: number(judged),
        share: share(rights, judged),
      }),
    found.weight ? t("rule.weight", { weight: number(found.weight, 2) }) : t("rule.no.weight"),
  ];
  return [
    found.label && el("p.says", {}, el("code", {}, found.says)),
    lines.filter(Boolean).map((line) => el("p", {}, line)),
    found.against.length > 0 && [
      el("p", {}, t("rule.against")),
      el(
        "ul.against",
        {},
        found.against.map((text) => el("li", {}, text)),
      ),
    ],
  ];
}
