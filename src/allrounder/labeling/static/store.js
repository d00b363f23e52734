// What the browser keeps: answers until the server has them, and where this page was.
// Every answer is an entry of its own, so two pages never overwrite each other.

export const newId = () =>
  crypto.randomUUID?.() ??
  [...crypto.getRandomValues(new Uint8Array(16))]
    .map((b) => b.toString(16).padStart(2, "0"))
    .join("");

let base = "allrounder";
const memory = new Map(); // where the browser keeps nothing, or has no room left
export let keeps = true;

export function open(ledger, who) {
  base = `allrounder/${ledger}/${encodeURIComponent(who)}/`;
}

function kept(storage) {
  try {
    return window[storage];
  } catch {
    return null;
  }
}

// ------------------------------------------------------------------ answers on their way

let last = 0;

export function add(answer) {
  const pending = pendingNames();
  const newest = pending.length
    ? Number(pending.at(-1).slice(base.length + 4, base.length + 20))
    : 0;
  last = Math.max(last + 1, newest + 1, Date.now()); // in order, whatever the clock does
  const name = `${base}out/${String(last).padStart(16, "0")}-${answer.id}`;
  const text = JSON.stringify(answer);
  try {
    localStorage.setItem(name, text);
  } catch {
    memory.set(name, text);
    keeps = false;
  }
}

function pendingNames() {
  const names = [...memory.keys()];
  const storage = kept("localStorage");
  for (let at = 0; storage && at < storage.length; at++) {
    const name = storage.key(at);
    if (name.startsWith(`${base}out/`)) names.push(name);
  }
  return names.filter((name) => name.startsWith(`${base}out/`)).sort();
}

export function pending() {
  const found = [];
  for (const name of pendingNames()) {
    try {
      found.push(JSON.parse(memory.get(name) ?? localStorage.getItem(name)));
    } catch {
      // another page has just sent it
    }
  }
  return found.filter(Boolean);
}

export const numPending = () => pendingNames().length;

export function sent(ids) {
  const gone = new Set(ids);
  for (const name of pendingNames()) {
    if (!gone.has(name.slice(base.length + 21))) continue;
    memory.delete(name);
    kept("localStorage")?.removeItem(name);
  }
}

export function refuse(answer, why) {
  try {
    localStorage.setItem(`${base}refused/${answer.id}`, JSON.stringify({ answer, why }));
  } catch {
    // it was told on the page
  }
}

// ------------------------------------------------------------------ this page

export function keep(name, value) {
  try {
    sessionStorage.setItem(base + name, JSON.stringify(value));
  } catch {
    // it lasts as long as the page
  }
}

export function recall(name, otherwise) {
  try {
    return JSON.parse(sessionStorage.getItem(base + name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function forget(name) {
  kept("sessionStorage")?.removeItem(base + name);
}

// A name for this page that outlives loading it anew. A page that was copied has the name of
// the first one, which is still at work: then it takes another.
export async function pageName() {
  const name = recall("page", null) ?? newId();
  const free = await claimed(name);
  const own = free ? name : newId();
  if (!free) {
    await claimed(own);
    for (const key of Object.keys(kept("sessionStorage") ?? {}))
      if (key.startsWith(base)) sessionStorage.removeItem(key);
  }
  keep("page", own);
  return own;
}

async function claimed(name) {
  if (!navigator.locks) return true;
  const isReload = performance.getEntriesByType("navigation")[0]?.type === "reload";
  for (let left = isReload ? 80 : 5; left; left--) {
    const had = await new Promise((done) => {
      navigator.locks.request(`${base}page/${name}`, { ifAvailable: true }, (lock) => {
        done(Boolean(lock));
        return lock ? new Promise(() => {}) : undefined; // held until the page is gone
      });
    });
    if (had) return true;
    await new Promise((wait) => setTimeout(wait, 60)); // the page before a reload lets go late
  }
  return isReload; // nobody copies a page by loading it anew
}
