// The side panel "What Coder sees": the tasks of Coder's stand-in, what their agents got, and actions on them.

import { coder } from "./control.js";
import { button as makeButton, el, note, reconcile, signButton, toast, withBusy } from "./dom.js";
import { askToConfirm } from "./confirm.js";

const REFRESH_MS = 1000;
const MOST_LINES = 6;
// Characters of a terminal that many fonts lack or show as a colored picture.
const PLAIN = { "⏺": "●", "⎿": "└" };
const NOTHING = "No tasks yet. Create one in a channel.";

export class CoderPanel {
  constructor(node, button) {
    Object.assign(this, { node, button, isOpen: false });
    this.note = note(NOTHING);
    this.list = el("div", { class: "tasks" });
    this.away = makeButton("", () => this.toggleReachable(), { class: "button small", "aria-pressed": "false" });
    const title = el("div", {}, el("h2", {}, "What Coder sees"), note("Behind the scenes; not part of Slack"));
    const controls = el("div", { class: "coder-switch" }, this.away);
    const body = el("div", { class: "coder-body" }, controls, this.list, this.note);
    const close = signButton("Close this panel", "✕", () => this.leave());
    node.append(el("header", { class: "pane-head" }, title, close), body);
    button.addEventListener("click", () => this.setOpen(!this.isOpen));
  }

  /** Close the panel. The focus returns to the button that opens it. */
  leave() {
    this.setOpen(false);
    this.button.focus();
  }

  setOpen(isOpen) {
    this.isOpen = isOpen;
    this.node.hidden = !isOpen;
    this.button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) this.refresh();
  }

  /** Read from Coder every second while the panel is visible. */
  start() {
    setInterval(() => this.isOpen && !document.hidden && this.refresh(), REFRESH_MS);
  }

  async refresh() {
    try {
      this.show(await coder.readState());
    } catch (refused) {
      Object.assign(this.note, { textContent: refused.message, hidden: false });
    }
  }

  show({ tasks, more, is_away: isAway }) {
    this.isAway = isAway;
    this.away.setAttribute("aria-pressed", String(isAway));
    this.away.textContent = isAway ? "Coder is unreachable. Bring it back" : "Make Coder unreachable";
    const words = more ? `And ${more} older ${more === 1 ? "task" : "tasks"}.` : NOTHING;
    Object.assign(this.note, { textContent: words, hidden: !more && tasks.length > 0 });
    const item = (task) => ({ key: task.id, signature: JSON.stringify(task), make: () => this.task(task) });
    reconcile(this.list, [...tasks].reverse().map(item));
  }

  task(task) {
    const about = el("span", { class: "note" }, `${task.owner} · build ${task.build}`);
    const status = el("span", { class: `status ${task.status}` }, task.status);
    const state = task.state && el("span", { class: `state ${task.state}` }, task.state);
    const given = { class: "task", tabindex: "-1", "data-task": task.id, "data-name": task.name };
    return el(
      "article",
      { ...given, "aria-label": `Task ${task.name}` },
      el("h3", {}, task.name),
      el("p", { class: "chips-line" }, status, state, about),
      el("p", { class: "prompt" }, task.prompt),
      this.inputs(task.inputs ?? []),
      this.screen(task.last_message),
      this.actions(task),
    );
  }

  inputs(inputs) {
    if (!inputs.length) return null;
    const list = el("ul", { class: "inputs" }, inputs.map((each) => el("li", {}, each)));
    return [el("h4", {}, `What the agent got (${inputs.length})`), list];
  }

  screen(words) {
    const lines = (words ?? "").split("\n").map((line) => line.trimEnd()).filter((line) => line.trim());
    if (!lines.length) return null;
    const end = lines.slice(-MOST_LINES).join("\n").replace(/[⏺⎿]/g, (sign) => PLAIN[sign]);
    return el("pre", { class: "screen", tabindex: "0", "aria-label": "The end of its screen" }, el("span", {}, end));
  }

  actions(task) {
    const action = (words, control, isShown, kind = "") => {
      if (!isShown) return null;
      const onClick = (event) => this.useControl(event.currentTarget, task, control);
      return makeButton(words, onClick, { class: `button small ${kind}`, "data-focus": control });
    };
    return el(
      "div",
      { class: "actions" },
      action("Pause by idle time-out", "time_out", task.status === "active"),
      action("Resume", "resume", task.status === "paused"),
      action("Crash the agent", "crash", task.status === "active"),
      action("Delete in Coder", "delete", true, "danger"),
    );
  }

  async useControl(button, task, control) {
    const question = {
      title: { text: "Delete it in Coder?" },
      text: { text: `${task.name} goes away behind the bot's back. The bot should notice.` },
      confirm: { text: "Delete it" },
      style: "danger",
    };
    if (control === "delete" && !(await askToConfirm(question))) return;
    await this.attempt(button, coder.useControl(task.id, control));
  }

  toggleReachable() {
    return this.attempt(this.away, this.isAway ? coder.makeReachable() : coder.makeUnreachable());
  }

  async attempt(button, promise) {
    try {
      await withBusy(button, promise);
    } catch (refused) {
      toast(refused.message, "bad");
    }
    await this.refresh();
  }

  /** Show one task, by id or name, or a message if it no longer exists. */
  async showTask(name) {
    this.setOpen(true);
    await this.refresh();
    const found = [...this.list.children].find((each) => [each.dataset.task, each.dataset.name].includes(name));
    if (!found) return toast("Coder's stand-in has no such task any more.");
    found.scrollIntoView({ block: "nearest" });
    return found.focus();
  }
}
