// What there is to see of a record.

import { el } from "./dom.js";
import { PictureView, SoundView, shownNumber } from "./media.js";
import { TextView } from "./text.js";
import { t } from "./words.js";

export class RecordView {
  constructor(record, { onmark }) {
    this.texts = new Map();
    this.pictures = [];
    this.sounds = [];
    this.onmark = onmark;
    const parts = record.inputs.map((input) => this.input(record, input, record.inputs.length > 1));
    this.node = el("article.record", { "data-key": record.key }, parts);
  }

  input(record, input, isNamed) {
    const body = input.fields.length
      ? input.kind === "table"
        ? this.table(input)
        : input.fields.map((field) => this.field(record, input, field, input.fields.length > 1))
      : el("p.missing", {}, t("missing"));
    return el(`section.input.${input.kind}s`, {}, isNamed && el("h2.name", {}, input.name), body);
  }

  field(record, input, field, isNamed) {
    const view = this.view(record, input, field);
    return el("div.field", {}, isNamed && el("h3.name", {}, field.name), view);
  }

  view(record, input, field) {
    if (input.kind === "picture")
      return this.kept(this.pictures, new PictureView(record.key, field.name, field.digest));
    if (input.kind === "sound")
      return this.kept(this.sounds, new SoundView(record.key, field.name, field.digest));
    if (input.kind === "file") return el("p.missing", {}, t("file"));
    const view = new TextView(String(field.value), {
      onmark: (...told) => this.onmark(field.name, ...told),
    });
    this.texts.set(field.name, view);
    if (view.points.length > 700) view.node.classList.add("long");
    return view.node;
  }

  kept(list, view) {
    list.push(view);
    return view.node;
  }

  table(input) {
    const row = (field) =>
      el("tr", {}, el("th", { scope: "row" }, field.name), el("td", {}, shownNumber(field.value)));
    return el("table", {}, el("tbody", {}, input.fields.map(row)));
  }
}
