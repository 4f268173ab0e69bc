// The welcome strip: what the demo is, and three things to try. A click only fills the message box.

import { el, fill, signButton } from "./dom.js";

const HOW = "Pick one, press Enter, then reply in its thread:";
const KEY = "taskwire-welcome-closed";
// The words decide which scripted agent takes the task; see `taskwire_sandbox/coder/scripts.py`.
const IDEAS = [
  {
    title: "Get something fixed",
    text: "/task create fix the login redirect",
    note: "The agent works for half a minute and opens a pull request.",
  },
  {
    title: "Be asked a question",
    text: "/task create split the customer name into two columns",
    note: "It stops half-way; answer it in its thread.",
  },
  {
    title: "See one fail",
    text: "/task create find out why the checkout test is flaky",
    note: "It gives up and says why; tell it how to go on.",
  },
];

/** Show the strip unless it was closed in this window. */
export function showWelcome(node, world, composer) {
  if (sessionStorage.getItem(KEY) || !world.commands) return;
  const close = () => {
    sessionStorage.setItem(KEY, "yes");
    node.hidden = true;
    composer.box.focus();
  };
  const idea = ({ title, text, note }) =>
    el(
      "button",
      { type: "button", class: "idea", onClick: () => composer.suggest(text) },
      el("strong", {}, title),
      el("code", {}, text),
      el("span", { class: "note" }, note),
    );
  fill(
    node,
    el("p", { class: "welcome-words" }, el("strong", {}, "Give a task to an AI agent. "), HOW),
    el("div", { class: "ideas" }, IDEAS.map(idea)),
    signButton("Close these suggestions", "✕", close),
  );
  node.hidden = false;
}
