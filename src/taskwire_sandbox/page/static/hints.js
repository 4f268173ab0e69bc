// Completions while a person types: commands and their grammar after "/", thread verbs after "!", people after "@",
// channels after "#" and emoji after ":".

import { el, fill } from "./dom.js";
import { emojiSign, namesBeginning } from "./emoji.js";
import { inline } from "./mrkdwn.js";

const MOST = 20;
const KEYS = "↑ ↓ choose · Tab completes · Esc closes";
const NAME = /(?:^|\s)([@#]|:(?=[a-z0-9+-]{2}))([\w.+-]*)$/;
const PLACEHOLDER = /\s*(?:[[(<]|\b[A-Z]{2,}\b).*$/;

/** Offers completions for a text box. `world.settings.hints` has the grammar. The real Slack completes only the command. */
export class Hints {
  constructor(box, world, isThread) {
    Object.assign(this, { box, world, isThread, items: [], at: -1 });
    const given = { class: "hints", role: "listbox", "aria-label": "Suggestions", hidden: true };
    this.node = el("div", { ...given, id: `${box.id}-hints` });
    box.setAttribute("aria-controls", this.node.id);
    box.setAttribute("aria-autocomplete", "list");
    box.addEventListener("input", () => this.showHints());
    box.addEventListener("blur", () => setTimeout(() => this.close(), 150));
  }

  showHints() {
    this.items = this.findHints().slice(0, MOST);
    // As in Slack, Enter takes the first name. It sends a command as it is typed.
    this.at = this.items[0]?.isName ? 0 : -1;
    this.draw();
  }

  close() {
    this.items = [];
    this.draw();
  }

  findHints() {
    const typed = this.box.value.slice(0, this.box.selectionStart);
    if (/^[/!]/.test(typed) && !typed.includes("\n")) return this.grammar(typed);
    const [, sign, begun] = NAME.exec(typed) ?? [];
    if (!sign) return [];
    const names = { "@": () => this.people(begun), "#": () => this.channels(begun), ":": () => this.emoji(begun) };
    const before = typed.slice(0, typed.length - begun.length - 1);
    return names[sign]().map(({ title, note }) => ({ title, note, text: `${before}${title} `, isName: true }));
  }

  grammar(typed) {
    const hints = [...this.world.settings.hints, ...this.plainCommands()];
    const low = typed.toLowerCase();
    const fits = hints.filter((hint) => {
      if (hint.usage.startsWith("!") && !this.isThread) return false;
      const words = hint.usage.replace(PLACEHOLDER, "").toLowerCase();
      return words.startsWith(low.trimEnd()) || low.startsWith(`${words} `);
    });
    return fits.map((hint) => this.grammarItem(hint, typed));
  }

  /** The commands that are not in the grammar. */
  plainCommands() {
    const known = this.world.settings.hints.map((hint) => hint.usage.split(" ")[0]);
    return (this.world.commands ?? [])
      .filter((each) => !known.includes(each.command))
      .map((each) => ({ usage: `${each.command} ${each.usage_hint ?? ""}`.trim(), meaning: each.description ?? "" }));
  }

  grammarItem(hint, typed) {
    const words = hint.usage.replace(PLACEHOLDER, "");
    const isTyped = typed.toLowerCase().startsWith(words.toLowerCase());
    const needsMore = words !== hint.usage;
    return { title: hint.usage, note: hint.meaning, text: isTyped ? "" : words + (needsMore ? " " : "") };
  }

  people(begun) {
    const fits = (name) => name.toLowerCase().startsWith(begun.toLowerCase());
    return [...this.world.people.values()]
      .filter((user) => fits(user.name) || fits(user.real_name))
      .map((user) => ({ title: `@${user.name}`, note: user.real_name }));
  }

  channels(begun) {
    return [...this.world.places.values()]
      .filter((place) => place.name?.startsWith(begun.toLowerCase()) && !place.is_mpim && this.world.canSee(place))
      .map((place) => ({ title: `#${place.name}`, note: "" }));
  }

  emoji(begun) {
    return namesBeginning(begun).map((name) => ({ title: `:${name}:`, note: emojiSign(name) }));
  }

  draw() {
    this.node.hidden = !this.items.length;
    const option = (item, number) => {
      const given = { role: "option", id: `${this.node.id}-${number}`, "aria-selected": String(number === this.at) };
      const onPointerdown = (event) => {
        event.preventDefault();
        this.take(item);
      };
      const meaning = el("span", { class: "note" }, inline(item.note, this.world));
      const usage = el("span", { class: "usage" }, item.title);
      return el("div", { ...given, class: item.text ? "hint" : "hint typed", onPointerdown }, usage, meaning);
    };
    fill(this.node, this.items.map(option));
    if (this.items.length) this.node.append(el("p", { class: "keys" }, KEYS));
    const isChosen = this.at >= 0;
    if (isChosen) this.box.setAttribute("aria-activedescendant", `${this.node.id}-${this.at}`);
    else this.box.removeAttribute("aria-activedescendant");
    this.node.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }

  take(item) {
    if (!item?.text) return this.close();
    this.box.value = item.text + this.box.value.slice(this.box.selectionStart);
    this.box.setSelectionRange(item.text.length, item.text.length);
    this.box.dispatchEvent(new Event("input", { bubbles: true }));
    return undefined;
  }

  /** Handle a key. Returns true if the key was for the suggestions. */
  onKey(event) {
    if (!this.items.length || event.isComposing) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      this.at = (this.at + step + this.items.length + (this.at < 0 && step < 0 ? 1 : 0)) % this.items.length;
      this.draw();
      return true;
    }
    const item = this.items[Math.max(this.at, 0)];
    if (event.key === "Escape") this.close();
    else if (event.key === "Tab" && !event.shiftKey && item.text) this.take(item);
    else if (event.key === "Enter" && this.at >= 0 && item.text) this.take(item);
    else return false;
    return true;
  }
}
