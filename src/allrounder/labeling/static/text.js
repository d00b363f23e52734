// A text to read, on which stretches can be marked by mouse, touch and keys.

import { el, fill } from "./dom.js";
import { pieces, points, snapped, words } from "./spans.js";

export class TextView {
  constructor(text, { onmark } = {}) {
    this.points = points(text);
    this.words = null;
    this.spans = [];
    this.chosen = null;
    this.active = false;
    this.onmark = onmark;
    this.hue = () => 0;
    this.isModels = false;
    this.node = el("div.text");
    this.node.addEventListener("pointerup", (event) => this.released(event));
    this.draw();
  }

  // Draw anew only if something changed, so that a selection in the making is left alone.
  show({ spans = [], chosen = null, active = false, hue = () => 0, isModels = false }) {
    Object.assign(this, { spans, chosen, active, hue, isModels });
    this.draw();
  }

  draw() {
    this.node.classList.toggle("markable", this.active);
    const made = pieces(this.points, this.spans, this.chosen).map((piece) => {
      const inner = el("span.piece", { class: piece.isChosen ? "chosen" : "" }, piece.text);
      inner.dataset.start = piece.start;
      if (!piece.span) return inner;
      const starts = piece.span.start === piece.start;
      const ends = piece.span.end === piece.start + points(piece.text).length;
      const hue = `hue${this.hue(piece.span.label)}`;
      const mark = el("mark", { class: `${hue}${this.isModels ? " models" : ""}` }, inner);
      if (ends)
        mark.append(el("span.tag", { "data-label": piece.span.label, "aria-hidden": "true" }));
      mark.title = piece.span.label;
      if (starts) mark.classList.add("starts");
      if (ends) mark.classList.add("ends");
      return mark;
    });
    fill(this.node, made);
  }

  // The place of a point of the page in the text, in code points.
  place(node, offset) {
    if (!this.node.contains(node)) return null;
    if (node.nodeType === Node.TEXT_NODE && node.parentElement.dataset.start !== undefined)
      return Number(node.parentElement.dataset.start) + points(node.data.slice(0, offset)).length;
    const range = document.createRange();
    range.selectNodeContents(this.node);
    range.setEnd(node, offset);
    return points(range.toString()).length;
  }

  selected(exact) {
    const found = document.getSelection();
    if (!found || found.isCollapsed || !found.rangeCount) return null;
    const range = found.getRangeAt(0);
    const start = this.place(range.startContainer, range.startOffset);
    const end = this.place(range.endContainer, range.endOffset);
    if (start === null && end === null) return null;
    return snapped(this.points, start ?? 0, end ?? this.points.length, exact);
  }

  released(event) {
    if (!this.active) return;
    const exact = event.altKey || event.shiftKey;
    setTimeout(() => {
      const chosen = this.selected(exact);
      if (chosen) {
        if (event.pointerType !== "touch") document.getSelection().removeAllRanges();
        this.onmark?.(chosen, false);
        return;
      }
      const piece = event.target.closest?.("mark .piece");
      if (piece) this.onmark?.(this.spanAt(Number(piece.dataset.start)), true);
    });
  }

  spanAt(at) {
    const span = this.spans.find((one) => one.start <= at && at < one.end);
    return span ? { start: span.start, end: span.end } : null;
  }

  // Move, or with `grow` widen, what is chosen by a word, or with `fine` by a character.
  // Without a choice it goes on from `at`, where something was marked last.
  step(way, { grow = false, fine = false, from = false, at = null } = {}) {
    if (fine && this.chosen) {
      let { start, end } = this.chosen;
      if (from) start = Math.min(end - 1, Math.max(0, start + way));
      else end = Math.max(start + 1, Math.min(this.points.length, end + way));
      return { start, end };
    }
    this.words ??= words(this.points);
    if (!this.words.length) return null;
    const here = this.chosen ?? (at === null ? null : { start: at, end: at });
    if (!here) return span(way > 0 ? this.words[0] : this.words.at(-1));
    const { start, end } = here;
    const next = this.words.find(([low]) => low >= end);
    const before = this.words.findLast(([, high]) => high <= start);
    if (!grow)
      return span(
        (way > 0 ? next : before) ?? (this.chosen ? [start, end] : this.words.at(way > 0 ? -1 : 0)),
      );
    if (way > 0) return { start, end: next ? next[1] : end };
    const inner = this.words.filter(([low, high]) => low >= start && high <= end);
    return inner.length > 1 ? { start, end: inner.at(-2)[1] } : this.chosen;
  }

  said(chosen) {
    return this.points.slice(chosen.start, chosen.end).join("");
  }
}

const span = ([start, end]) => ({ start, end });
