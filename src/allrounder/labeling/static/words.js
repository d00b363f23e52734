// The words of the page in each language, from one file per language.

const LANGUAGES = ["en", "zh"];
const books = {};
let now = "en";

export async function load() {
  const read = async (name) => {
    books[name] = await (await fetch(`/static/words/${name}.json`)).json();
  };
  await Promise.all(LANGUAGES.map(read));
  let chosen = null;
  try {
    chosen = localStorage.getItem("allrounder/language");
  } catch {
    // a browser that keeps nothing
  }
  set(
    LANGUAGES.includes(chosen)
      ? chosen
      : navigator.language.toLowerCase().startsWith("zh")
        ? "zh"
        : "en",
  );
}

export function set(name) {
  now = name;
  document.documentElement.lang = name === "zh" ? "zh-Hans" : "en";
}

export function turn() {
  set(LANGUAGES[(LANGUAGES.indexOf(now) + 1) % LANGUAGES.length]);
  try {
    localStorage.setItem("allrounder/language", now);
  } catch {
    // it lasts as long as the page
  }
}

export const language = () => now;

export function t(name, values = {}) {
  const text = books[now]?.[name] ?? books.en?.[name] ?? name;
  return text.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? String(values[key]) : whole));
}

export const has = (name) => name in (books[now] ?? {});

export const number = (value, digits = 0) =>
  new Intl.NumberFormat(now, { maximumFractionDigits: digits }).format(value);

export const percent = (value) =>
  new Intl.NumberFormat(now, {
    style: "percent",
    maximumFractionDigits: value > 0.995 ? 1 : 0,
  }).format(value);
