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

const PATIENCE = 20000; // milliseconds
const WITH_FILE = 600000; // until a file is sent, read and compared with all records

async function asked(path, options, patience = PATIENCE) {
  let answer;
  try {
    answer = await fetch(path, {
      ...options,
      credentials: "same-origin",
      signal: AbortSignal.timeout(patience),
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

async function json(path, options, patience) {
  const answer = await asked(path, options, patience);
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

// What is sent is plain data, or a file as it is.
export async function post(path, body, again = true) {
  const isFile = body instanceof Blob;
  const type = isFile ? "application/octet-stream" : "application/json";
  const headers = { "Content-Type": type, "X-Token": token };
  const sent = { method: "POST", headers, body: isFile ? body : JSON.stringify(body) };
  try {
    return await json(path, sent, isFile ? WITH_FILE : PATIENCE);
  } catch (error) {
    if (!(error instanceof Refused) || error.kind !== "token" || !again) throw error;
    const session = await get("/api/session");
    // Another person has signed in beside this page: what was said here is not hers.
    if (who && session.who !== who) throw new Refused(401, "sign-in", error.message);
    token = session.token; // the server was started anew
    return post(path, body, false);
  }
}
