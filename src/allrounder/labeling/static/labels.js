// Labels of a task are added, renamed and merged; what that concerns is shown before.

import { el, fill, toast } from "./dom.js";
import { Away, post } from "./net.js";
import { dialog } from "./panels.js";
import { number, t } from "./words.js";

const PAUSE = 250; // milliseconds without typing until it is looked up

export function openLabels(page) {
  const forms = page.session.tasks.filter((form) => form.renames);
  if (!forms.length) return toast(t("labels.none"));
  const state = { timer: 0, asked: 0 };
  const select = (pairs) => {
    const made = el("select", {});
    return fill(
      made,
      pairs.map(([value, name]) => el("option", { value }, name)),
    );
  };
  const ofTask = (form) => [
    ["", t("labels.new")],
    ...form.labels.map((name) => [name, name]),
  ];
  const task = select(forms.map((form) => [form.name, form.name]));
  const old = select(ofTask(forms[0]));
  const name = el("input", { type: "text", maxLength: 200, required: true });
  const told = el("div.measured", { role: "status" });
  const save = el("button.confirm", { type: "submit", disabled: true }, t("labels.save"));
  const row = (word, input) => el("label.row", {}, el("span", {}, t(word)), input);
  const form = el(
    "form.rule",
    { onsubmit: (event) => change(event) },
    row("labels.task", task),
    row("labels.label", old),
    row("labels.name", name),
    told,
    el("p.note", {}, t("labels.stay")),
    save,
  );

  const send = (dry) =>
    post("/api/labels", { task: task.value, old: old.value, new: name.value, dry });

  async function look() {
    const turn = ++state.asked;
    save.disabled = true;
    if (!name.value.trim()) return fill(told);
    try {
      const found = await send(true);
      if (turn !== state.asked) return;
      save.disabled = false;
      fill(told, el("p", {}, said(found)));
    } catch (error) {
      if (turn === state.asked) fill(told, wrong(error));
    }
  }

  async function change(event) {
    event.preventDefault();
    save.disabled = true;
    try {
      const found = await send(false);
      made.close();
      toast(said(found));
      page.work.more(); // which tells that the labels have changed
    } catch (error) {
      fill(told, wrong(error));
    }
  }

  task.addEventListener("change", () =>
    fill(
      old,
      ofTask(forms.find((one) => one.name === task.value)).map(([value, word]) =>
        el("option", { value }, word),
      ),
    ),
  );
  for (const input of [task, old, name])
    input.addEventListener("input", () => {
      clearTimeout(state.timer);
      state.timer = setTimeout(look, PAUSE);
    });
  const made = dialog(t("labels"), form);
  name.focus();
}

const wrong = (error) =>
  el("p.failure", {}, error instanceof Away ? t("state.offline") : error.message);

function said(found) {
  const { old, task, merged } = found;
  if (old === null) return t("labels.adds", { name: found.added.join(", "), task });
  const values = { old, name: found.new, task, n: number(found.records) };
  return t(merged ? "labels.merges" : "labels.renames", values);
}
