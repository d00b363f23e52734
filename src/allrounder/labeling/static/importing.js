// A file of labels, dropped on the page or chosen: what it would add, and adding it.

import { el, fill, toast } from "./dom.js";
import { Away, post } from "./net.js";
import { dialog } from "./panels.js";
import { shownValue } from "./saying.js";
import { number, t } from "./words.js";

const MOST = 32 * 1024 * 1024; // bytes, as the server has it
const PAUSE = 400; // milliseconds without typing until it is looked at anew

export const imports = (page) => page.session.role !== "annotator";

// A file that is dropped anywhere, so that it never takes the place of the page.
export function listenToFiles(page) {
  const isFile = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => isFile(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    if (imports(page)) openImport(page, event.dataTransfer.files[0]);
  });
}

// The way by keyboard: a button that lets a file be chosen.
export function chooseFile(page) {
  const input = el("input", { type: "file", hidden: true, "aria-label": t("import.choose") });
  input.addEventListener("change", () => input.files[0] && openImport(page, input.files[0]));
  return [
    el("button.act", { type: "button", onclick: () => input.click() }, t("import.choose")),
    input,
  ];
}

export function openImport(page, file) {
  if (!file) return toast(t("import.none"), "bad");
  if (file.size > MOST) return toast(t("import.large", { n: number(MOST / 2 ** 20) }), "bad");
  for (const open of document.querySelectorAll("dialog[open]")) open.close();
  const state = { timer: 0, turn: 0, found: null };
  const pairs = (first, names) => [["", first], ...names.map((name) => [name, name])];
  const parts = {
    format: choice(pairs(t("import.by.suffix"), page.session.formats)),
    task: choice(pairs(t("import.by.file"), page.session.tasks.map((form) => form.name))),
    who: el("input", { type: "text", maxLength: 100, placeholder: "import" }),
    map: el("input", { type: "text", maxLength: 1000, placeholder: "headline=text, …" }),
  };
  const told = el("div.measured", { role: "status" });
  const add = el("button.confirm", { type: "submit", disabled: true }, t("import"));
  const cancel = el("button.plain", { type: "button", onclick: () => made.close() }, t("cancel"));
  const row = (name) => el("label.row", {}, el("span", {}, t(`import.${name}`)), parts[name]);
  const form = el(
    "form.rule",
    { onsubmit: (event) => keep(event) },
    el("p.file-name", {}, file.name),
    Object.keys(parts).map(row),
    told,
    el("div.choices", {}, add, cancel),
  );
  const path = (dry) => {
    const given = Object.entries(parts).map(([name, input]) => [name, input.value.trim()]);
    return `/api/import?${new URLSearchParams([["name", file.name], ["dry", dry], ...given])}`;
  };

  async function look() {
    clearTimeout(state.timer);
    const turn = ++state.turn;
    state.found = null;
    add.disabled = true;
    fill(told, el("p", {}, t("import.reading")));
    try {
      const found = await post(path(1), file);
      if (turn !== state.turn) return;
      state.found = found;
      add.disabled = !found.new;
      fill(told, figures(found));
    } catch (error) {
      if (turn === state.turn) fill(told, el("p.failure", {}, said(error)));
    }
  }

  async function keep(event) {
    event.preventDefault();
    if (!state.found?.new) return;
    const { found, turn } = state;
    add.disabled = true;
    try {
      const kept = await post(path(0), file);
      made.close();
      toast(t("import.done", { n: number(kept.new) }));
      page.sync.send();
      page.work.more();
    } catch (error) {
      if (turn !== state.turn) return;
      add.disabled = false;
      fill(told, figures(found), el("p.failure", {}, said(error)));
    }
  }

  // Only one look is under way at a time, since the server reads one file at a time.
  let looking = Promise.resolve();
  const again = () => (looking = looking.then(look));
  for (const input of Object.values(parts))
    input.addEventListener("input", () => {
      clearTimeout(state.timer);
      state.turn += 1; // what is being looked at is out of date
      state.found = null;
      add.disabled = true;
      state.timer = setTimeout(again, PAUSE);
    });
  const made = dialog(t("import.title"), form);
  made.addEventListener("close", () => clearTimeout(state.timer));
  parts.format.focus();
  return again();
}

const said = (error) => (error instanceof Away ? t("state.offline") : error.message);

function choice(pairs) {
  return el(
    "select",
    {},
    pairs.map(([value, name]) => el("option", { value }, name)),
  );
}

const counts = (found) =>
  Object.entries(found)
    .map(([name, n]) => `${name} ${number(n)}`)
    .join(" · ");

function figures(found) {
  const left = Object.entries(found.left_out);
  return [
    el("p", {}, t("import.new", { n: number(found.new), format: found.format })),
    found.new > 0 && el("p", {}, t("import.tasks", { counts: counts(found.tasks) })),
    found.new > 0 && el("p", {}, t("import.people", { counts: counts(found.people) })),
    found.known > 0 && el("p", {}, t("import.known", { n: number(found.known) })),
    left.map(([why, [n, place]]) => el("p", {}, t("import.left", { n: number(n), why, place }))),
    found.sample.length > 0 && examples(found.sample),
  ];
}

function examples(sample) {
  const value = (one) => shownValue({ act: one.value === null ? "skip" : "label", ...one });
  const cells = (one) => [one.record, one.task, value(one), one.who];
  const head = ["record", "import.task", "import.label", "import.whose"];
  return el(
    "table.examples",
    {},
    el("thead", {}, el("tr", {}, head.map((name) => el("th", { scope: "col" }, t(name))))),
    el("tbody", {}, sample.map((one) => el("tr", {}, cells(one).map((text) => el("td", {}, text))))),
  );
}
