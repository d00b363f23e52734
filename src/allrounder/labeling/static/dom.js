// Making elements. Text only ever becomes text: nothing here reads HTML.

export function el(name, props = {}, ...children) {
  const [tag, ...classes] = name.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "class") made.className += ` ${value}`;
    else if (key in made && !key.includes("-") && key !== "role" && key !== "list")
      made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(
    ...children.flat(9).filter((one) => one !== null && one !== undefined && one !== false),
  );
  return made;
}

export function fill(place, ...children) {
  place.replaceChildren(
    ...children.flat(9).filter((one) => one !== null && one !== undefined && one !== false),
  );
  return place;
}

export const byId = (id) => document.getElementById(id);

let quiet;
export function announce(text) {
  clearTimeout(quiet);
  quiet = setTimeout(() => (byId("said").textContent = text), 30);
}

export function toast(text, kind = "note") {
  const made = el(`div.toast.${kind}`, {}, text);
  byId("toasts").append(made);
  setTimeout(() => made.remove(), kind === "bad" ? 12000 : 4000);
}
