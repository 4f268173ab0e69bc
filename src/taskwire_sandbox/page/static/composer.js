// The message box: writes messages and replies, sends slash commands, attaches files.

import { act } from "./control.js";
import { el, fill, signButton, toast, withBusy } from "./dom.js";
import { attachment, sizeOf } from "./files.js";
import { Hints } from "./hints.js";
import { ideasButton } from "./ideas.js";

const TALLEST = 220;
// In pixels. A narrower composer has room for few words.
const NARROW = 480;
const KEYS = "Enter sends, Shift+Enter begins a new line, / shows the commands";
const FEW_KEYS = "Enter sends, / shows the commands";

export class Composer {
  /** `isThread` says whether the box writes into the open thread. `onSend` is called when something is sent. */
  constructor(world, { isThread = false, onSend }) {
    Object.assign(this, { world, isThread, onSend, files: [], drafts: new Map(), target: "", history: [], isNarrow: false });
    const id = isThread ? "reply-box" : "message-box";
    this.box = el("textarea", { id, rows: "1", autocomplete: "off", spellcheck: "true" });
    this.label = el("label", { class: "unseen", for: id });
    this.hints = new Hints(this.box, world, isThread);
    this.chips = el("ul", { class: "chips", "aria-label": "Attached files" });
    this.input = el("input", { type: "file", multiple: true, hidden: true, onChange: () => this.attach() });
    const clip = signButton("Attach a file", "📎", () => this.input.click());
    this.button = signButton("Send", "➤", () => this.send(), { class: "send" });
    const row = el("div", { class: "composer-row" }, clip, !isThread && ideasButton(this), this.label, this.box, this.button, this.input);
    this.keys = el("p", { class: "composer-note" }, KEYS);
    this.node = el("div", { class: "composer" }, this.hints.node, this.chips, row, !isThread && this.keys);
    this.box.addEventListener("keydown", (event) => this.onKey(event));
    this.box.addEventListener("input", () => this.grow());
    new ResizeObserver(() => this.fit()).observe(this.node);
  }

  /** Show as many words as the width has room for. A hidden composer has no width. */
  fit() {
    const isNarrow = this.node.clientWidth > 0 ? this.node.clientWidth < NARROW : this.isNarrow;
    if (isNarrow === this.isNarrow) return;
    this.isNarrow = isNarrow;
    this.keys.textContent = isNarrow ? FEW_KEYS : KEYS;
    this.updateTarget();
  }

  /** Switch to the draft of the conversation or thread that is now open, and keep the old draft. */
  updateTarget() {
    const { world } = this;
    const target = [world.me, world.channel, this.isThread ? world.threadTs : ""].join("/");
    const words = this.isThread ? "Reply…" : `Message ${world.currentPlace()?.is_im ? "" : "#"}${world.place(world.channel)}`;
    this.label.textContent = this.isThread ? "Reply in this thread" : words;
    const isShort = this.isThread || this.isNarrow;
    this.box.placeholder = isShort ? words : `${words}, or type / for a command`;
    if (target !== this.target) {
      this.drafts.set(this.target, this.box.value);
      this.target = target;
      this.box.value = this.drafts.get(target) ?? "";
      this.hints.close();
    }
    this.grow();
  }

  /** Put words into the box and the cursor behind them. */
  suggest(text) {
    this.box.value = text;
    this.box.focus();
    this.box.setSelectionRange(text.length, text.length);
    this.hints.close();
    this.grow();
  }

  grow() {
    this.box.style.height = "auto";
    this.box.style.height = `${Math.min(this.box.scrollHeight, TALLEST)}px`;
    this.button.disabled = !this.box.value.trim() && !this.files.length;
  }

  onKey(event) {
    if (this.hints.onKey(event)) {
      event.preventDefault();
      event.stopPropagation();
    } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.send();
    } else if (event.key === "ArrowUp" && !this.box.value && this.history.length) {
      event.preventDefault();
      this.suggest(this.history.at(-1));
    }
  }

  async send() {
    const text = this.box.value.trim();
    const files = this.files;
    if (!text && !files.length) return;
    this.box.value = "";
    this.files = [];
    this.showChips();
    this.hints.close();
    this.grow();
    if (text) this.history.push(text);
    this.onSend();
    try {
      const isCommand = /^\/[\w-]/.test(text) && !files.length;
      await withBusy(this.button, isCommand ? this.command(text) : this.post(text, files));
    } catch (refused) {
      toast(refused.message, "bad");
      this.restore(text, files);
    }
  }

  restore(text, files) {
    if (!this.box.value) this.box.value = text;
    this.files = [...files, ...this.files];
    this.showChips();
    this.grow();
  }

  async command(line) {
    const { world, isThread } = this;
    const [, command, text] = /^(\S+)\s*([\s\S]*)$/.exec(line);
    const thread = isThread ? { thread_ts: world.threadTs } : {};
    const answer = await act("command", { user: world.me, channel: world.channel, command, text, ...thread });
    if (answer.failure) world.showEphemeral(answer.failure, isThread ? world.threadTs : "");
  }

  async post(text, files) {
    const { world, isThread } = this;
    const thread = isThread ? { thread_ts: world.threadTs } : {};
    const given = { user: world.me, channel: world.channel, text, ...thread };
    await act("post", files.length ? { ...given, files } : given);
  }

  async attach() {
    for (const file of this.input.files) {
      const read = await attachment(file);
      if (read) this.files.push(read);
      else toast(`${file.name} has ${sizeOf(file.size)}; this demo takes 10 MB.`, "bad");
    }
    this.input.value = "";
    this.showChips();
    this.grow();
    this.box.focus();
  }

  showChips() {
    const chip = (file) => {
      const onClick = () => {
        this.files = this.files.filter((each) => each !== file);
        this.showChips();
        this.grow();
      };
      return el("li", {}, file.name, signButton(`Remove ${file.name}`, "✕", onClick, { class: "" }));
    };
    fill(this.chips, this.files.map(chip));
  }
}
