// Stretches of a text: places count Unicode characters (code points), as the ledger does.

const LETTER = /[\p{L}\p{N}\p{M}_]/u;
const WORD = /[\p{L}\p{N}]/u;
const ALONE = [
  [0x0e00, 0x0eff],
  [0x1000, 0x109f],
  [0x1780, 0x17ff],
  [0x2e80, 0x31ff],
  [0x3400, 0x9fff],
  [0xf900, 0xfaff],
  [0x20000, 0x3ffff],
]; // scripts without spaces between words: every character stands alone

export const points = (text) => Array.from(text);

function isLetter(point) {
  if (!LETTER.test(point)) return false;
  const code = point.codePointAt(0);
  return !ALONE.some(([low, high]) => low <= code && code <= high);
}

export const isInside = (text, at) =>
  at > 0 && at < text.length && isLetter(text[at - 1]) && isLetter(text[at]);

// The words of a text as [start, end], without spaces and lone punctuation where there are words.
export function words(text) {
  const found = [];
  let start = 0;
  for (let at = 1; at <= text.length; at++) {
    if (at < text.length && isInside(text, at)) continue;
    if (text.slice(start, at).some((point) => WORD.test(point))) found.push([start, at]);
    start = at;
  }
  return found;
}

// Spaces at the ends fall away; ends inside words move outwards unless single characters are meant.
export function snapped(text, start, end, exact) {
  if (start > end) [start, end] = [end, start];
  if (exact) return start < end ? { start, end } : null;
  while (start < end && /\s/u.test(text[start])) start++;
  while (end > start && /\s/u.test(text[end - 1])) end--;
  if (start === end) return null;
  while (isInside(text, start)) start--;
  while (isInside(text, end)) end++;
  return { start, end };
}

export function withSpan(spans, span) {
  const rest = spans.filter((one) => one.end <= span.start || one.start >= span.end);
  return [...rest, span].sort((a, b) => a.start - b.start);
}

export const without = (spans, at) => spans.filter((one) => !(one.start <= at && at < one.end));

// A text cut where spans and a selection begin and end.
export function pieces(text, spans, chosen) {
  const cuts = new Set([0, text.length]);
  for (const one of [...spans, ...(chosen ? [chosen] : [])]) cuts.add(one.start).add(one.end);
  const ends = [...cuts].filter((at) => at >= 0 && at <= text.length).sort((a, b) => a - b);
  return ends.slice(0, -1).map((start, i) => ({
    start,
    text: text.slice(start, ends[i + 1]).join(""),
    span: spans.find((one) => one.start <= start && start < one.end),
    isChosen: Boolean(chosen && chosen.start <= start && start < chosen.end),
  }));
}
