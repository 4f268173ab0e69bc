// The thread pane: the thread's parent, its replies, and a box to reply.

import { Composer } from "./composer.js";
import { el, signButton, stayAtTheEnd } from "./dom.js";
import { showMessages } from "./messages.js";

export class Thread {
  constructor(node, world) {
    Object.assign(this, { node, world, shown: "" });
    this.place = el("p", { class: "note" });
    this.list = el("div", { class: "messages", role: "list", "aria-label": "Thread messages", tabindex: "-1" });
    this.scroll = stayAtTheEnd(this.list);
    this.composer = new Composer(world, { isThread: true, onSend: () => this.scroll.goToEnd() });
    const close = signButton("Close thread", "✕", () => this.leave());
    const head = el("header", { class: "pane-head" }, el("div", {}, el("h2", {}, "Thread"), this.place), close);
    node.append(head, this.list, this.composer.node);
    node.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.defaultPrevented) this.leave();
    });
  }

  /** Close the pane. The focus returns to the thread's parent. */
  leave() {
    const { threadTs } = this.world;
    this.world.closeThread();
    document.querySelector(`#messages [data-ts="${threadTs}"]`)?.focus();
  }

  show() {
    const { world, node } = this;
    const isNew = this.shown !== `${world.me}/${world.threadTs}`;
    this.shown = `${world.me}/${world.threadTs}`;
    node.hidden = !world.threadTs;
    if (node.hidden) return;
    const name = world.place(world.channel);
    this.place.textContent = world.currentPlace()?.is_im ? name : `#${name}`;
    this.composer.updateTarget();
    showMessages(this.list, world.threadMessages(), { world, isThread: true });
    if (!isNew) return;
    this.scroll.goToEnd();
    this.composer.box.focus();
  }
}
