// Tasks to try, each for an agent with a character of its own. A click only fills the message box.
//
// The words decide which scripted agent takes the task; see `taskwire_sandbox/coder/scripts.py`.

import { button, el, fill, signButton } from "./dom.js";
import { openMenu } from "./menu.js";

const HOW = "Pick one, press Enter, then reply in its thread.";
const MORE = "More ideas: 💡 beside the message box.";
const KEY = "taskwire-welcome-closed";
const IDEAS = [
  {
    title: "Get something fixed",
    text: "/task create fix the login redirect",
    note: "Works for half a minute and opens a pull request.",
  },
  {
    title: "Be asked a question",
    text: "/task create split the customer name into two columns",
    note: "Stops half-way with two choices.",
  },
  {
    title: "See one fail",
    text: "/task create find out why the checkout test is flaky",
    note: "Gives up and says why. Tell it to try again.",
  },
  {
    title: "Retry a start",
    text: "/task create update the base image",
    note: "The workspace does not start; a button tries again.",
  },
  {
    title: "Watch a long one",
    text: "/task create upgrade the project to Python 3.14",
    note: "Works for two minutes: follow it, stop it, write to it.",
  },
  {
    title: "Read an answer",
    text: "/task create explain when a cart expires",
    note: "Writes a long answer, with lists and code.",
  },
  {
    title: "Act in your own name",
    text: "/task connect",
    note: "Copy a token from Coder’s page, and paste it.",
  },
];

/** Show the strip of ideas unless it was closed in this window. `startTour` is null if there is no tour. */
export function showIdeas(node, world, composer, startTour) {
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
      el("span", { class: "note" }, note),
    );
  fill(
    node,
    el(
      "div",
      { class: "welcome-words" },
      el("p", { class: "welcome-first" }, el("strong", {}, "Give a task to an AI agent. "), HOW),
      el("p", { class: "welcome-later" }, MORE),
      startTour && button("Take the tour", startTour, { class: "button small" }),
    ),
    el("div", { class: "ideas" }, IDEAS.map(idea)),
    signButton("Close these suggestions", "✕", close),
  );
  node.hidden = false;
}

/** Make the button that offers the ideas beside the message box. */
export function ideasButton(composer) {
  const items = IDEAS.map(({ title, text }) => ({ label: title, act: () => composer.suggest(text) }));
  return signButton("Ideas for a task", "💡", (event) => openMenu(event.currentTarget, items));
}
