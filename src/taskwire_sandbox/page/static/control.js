// The client for the stand-ins: calls their control interface, below /_control on the page's own origin.

const LONGEST_PAUSE = 5000;

/** The request was refused. The message is a sentence. */
export class Refused extends Error {}

async function ask(method, path, body) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refused("The demo does not answer. Is it still running?");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(answer.error || `The demo answered ${response.status}.`);
  return answer;
}

/** Read a part of the workspace: readState("messages", {channel}). */
export function readState(what, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value);
  const search = new URLSearchParams(given).toString();
  return ask("GET", `/_control/${what}${search ? `?${search}` : ""}`);
}

/** Do what a person does: act("post", {user, channel, text}). */
export async function act(name, body) {
  return (await ask("POST", "/_control/act", { act: name, ...body })).result;
}

/** Read the text of a shared file. */
export async function fileText(file) {
  const response = await fetch(fileAddress(file));
  if (!response.ok) throw new Refused("This file cannot be read.");
  return response.text();
}

/** Return the address of a shared file. */
export function fileAddress(file) {
  return `/_control/files/${encodeURIComponent(file.id)}`;
}

/** Read the page's settings. */
export function settings() {
  return ask("GET", "/page/settings.json");
}

/** Read from Coder's stand-in and use its controls. */
export const coder = {
  readState: () => ask("GET", "/_control/coder"),
  makeUnreachable: () => ask("POST", "/_control/coder/away"),
  makeReachable: () => ask("DELETE", "/_control/coder/away"),
  useControl: (task, control) => ask("POST", `/_control/coder/tasks/${encodeURIComponent(task)}/${control}`),
};

/** Follow the stream of changes for ever. `onOpen` is called after each connection, `onLost` when one ends. */
export function followChanges({ onChange, onOpen, onLost }) {
  let pause = 250;
  const connect = () => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/_control/stream`);
    socket.onopen = () => {
      pause = 250;
      onOpen();
    };
    socket.onmessage = (message) => onChange(JSON.parse(message.data));
    socket.onclose = () => {
      onLost();
      setTimeout(connect, pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    };
  };
  connect();
}
