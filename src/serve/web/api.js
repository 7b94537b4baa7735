// Talks with the server: JSON, and streams of server-sent events. Keeps the API key.

const KEY = "fathom.key";

export function apiKey() {
  try {
    return localStorage.getItem(KEY) || "";
  } catch {
    return sessionKey;
  }
}
let sessionKey = "";

export function setApiKey(key) {
  sessionKey = key;
  try {
    if (key) localStorage.setItem(KEY, key);
    else localStorage.removeItem(KEY);
  } catch {
    // it lasts as long as the page
  }
}

// What the server, or the network, refuses. `status` 0: no answer.
export class ApiError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (apiKey()) headers.Authorization = `Bearer ${apiKey()}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("The server does not answer. It may have stopped, or the network is down.", 0);
  }
  if (response.ok) return response;
  let message = `The server answers ${response.status} ${response.statusText}.`;
  try {
    message = (await response.json()).error.message;
  } catch {
    // a proxy's answer, say
  }
  throw new ApiError(message, response.status);
}

export const getJson = async (path) => (await ask(path)).json();
export const getText = async (path) => (await ask(path, { cache: "no-store" })).text();

// The data of a body's events, as they arrive. Lines may end anywhere in what the network gives.
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line.startsWith("data:")) yield line.slice(5).trim();
    }
  }
}

// Posts a request with "stream", and yields its chunks. Throws an ApiError for the server's errors,
// also those midway, and an AbortError when `signal` stopped it.
export async function* stream(path, request, signal) {
  const response = await ask(path, {
    method: "POST", signal, headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...request, stream: true, stream_options: { include_usage: true } }),
  });
  try {
    for await (const data of events(response.body)) {
      if (data === "[DONE]") return;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new ApiError(chunk.error.message, 500);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof ApiError || error.name === "AbortError") throw error;
    throw new ApiError("The connection broke before the answer was complete.", 0);
  }
  throw new ApiError("The connection ended before the answer was complete.", 0);
}

// Runs a stream, passes on each piece of text, and returns what is to be said of the answer:
// {finish, tokens, exact, first, rate}; times in seconds. `finish` "stopped": `signal` did.
export async function generate(path, request, signal, onPiece) {
  const begun = performance.now();
  let first = 0, pieces = 0, usage = null, finish = "stop";
  try {
    for await (const chunk of stream(path, request, signal)) {
      usage = chunk.usage ?? usage;
      const choice = chunk.choices[0];
      if (!choice) continue;
      finish = choice.finish_reason ?? finish;
      const piece = choice.delta ? choice.delta.content : choice.text;
      if (!piece) continue;
      first ||= performance.now();
      ++pieces;
      onPiece(piece);
    }
  } catch (error) {
    if (error.name !== "AbortError") throw error;
    finish = "stopped";
  }
  const tokens = usage ? usage.completion_tokens : pieces;
  const seconds = (performance.now() - first) / 1000;
  return {
    finish, tokens, exact: usage !== null,
    first: first ? (first - begun) / 1000 : null,
    rate: first && tokens > 1 && seconds > 0 ? (tokens - 1) / seconds : null,
  };
}
