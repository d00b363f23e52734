// Requests to the server, with the token that every writing one must carry.

let token = "";
let who = "";

export function begin(session) {
  token = session.token;
  who = session.who;
}

export class Away extends Error {}
export class Refused extends Error {
  constructor(status, kind, sentence) {
    super(sentence);
    this.status = status;
    this.kind = kind;
  }
}

const PATIENCE = 20000;

async function asked(path, options) {
  let answer;
  try {
    answer = await fetch(path, {
      ...options,
      credentials: "same-origin",
      signal: AbortSignal.timeout(PATIENCE),
    });
  } catch {
    throw new Away("The server cannot be reached.");
  }
  if (!answer.ok) {
    let told = {};
    try {
      told = await answer.json();
    } catch {
      // no sentence came with it
    }
    if (answer.status >= 502 && !told.error) throw new Away("The server cannot be reached.");
    throw new Refused(answer.status, told.kind ?? "", told.error ?? `${answer.status}`);
  }
  return answer;
}

async function json(path, options) {
  const answer = await asked(path, options);
  try {
    return await answer.json();
  } catch {
    throw new Away("The answer of the server broke off.");
  }
}

export const get = (path) => json(path, {});

export async function blob(path) {
  const answer = await asked(path, {});
  try {
    return await answer.blob();
  } catch {
    throw new Away("The answer of the server broke off.");
  }
}

// What is said while the page closes; nobody waits for an answer.
export function whisper(path, body) {
  const headers = { "Content-Type": "application/json", "X-Token": token };
  fetch(path, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
    keepalive: true,
    credentials: "same-origin",
  }).catch(() => {});
}

export async function post(path, body, again = true) {
  const headers = { "Content-Type": "application/json", "X-Token": token };
  try {
    return await json(path, { method: "POST", headers, body: JSON.stringify(body) });
  } catch (error) {
    if (!(error instanceof Refused) || error.kind !== "token" || !again) throw error;
    const session = await get("/api/session");
    // Another person has signed in beside this page: what was said here is not hers.
    if (who && session.who !== who) throw new Refused(401, "sign-in", error.message);
    token = session.token; // the server was started anew
    return post(path, body, false);
  }
}
