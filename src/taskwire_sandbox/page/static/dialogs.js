// Dialogs (modals): opened by the bot, filled in, checked, submitted, and changed while they are open.

import { act } from "./control.js";
import { block as drawBlock, text } from "./blocks.js";
import { button, el, fill, note, signButton, withBusy, withFocusName } from "./dom.js";
import { field, valueOf } from "./fields.js";

// The most characters that Slack accepts in a text input without a limit of its own.
const LONGEST = 3000;
const EMPTY = (value) => value === null || value === undefined || value === "" || value.length === 0;

export class Dialogs {
  constructor(world) {
    Object.assign(this, { world, view: null, entered: {}, errors: {} });
    this.title = el("h2", { id: "dialog-title" });
    this.form = el("form", { novalidate: true, method: "dialog" });
    this.node = el("dialog", { class: "modal", "aria-labelledby": "dialog-title" }, this.form);
    this.node.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.leave();
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    document.getElementById("dialogs").append(this.node);
  }

  /** Show the dialog that is on top of this person's stack, or close the old one. */
  show() {
    const view = this.world.views.at(-1) ?? null;
    if (!view) return this.close();
    if (view.id === this.view?.id && view.hash === this.view.hash) return undefined;
    if (view.id !== this.view?.id) Object.assign(this, { entered: {}, errors: {} });
    // A dialog that only said "loading" had no inputs, so the person is not in the middle of anything.
    const isFresh = view.id !== this.view?.id || !this.inputs().length;
    this.view = view;
    this.draw();
    if (!this.node.open) this.node.showModal();
    if (isFresh) this.focusFirst();
    return undefined;
  }

  close() {
    this.view = null;
    if (this.node.open) this.node.close();
  }

  draw() {
    const { view } = this;
    const focus = this.node.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    this.title.textContent = view.title?.text ?? "";
    this.failure = el("p", { class: "failure", role: "alert", hidden: true });
    fill(
      this.form,
      el("header", {}, this.title, signButton("Close this dialog", "✕", () => this.leave())),
      el("div", { class: "modal-body" }, this.failure, view.blocks.map((block) => this.block(block))),
      el("footer", {}, this.buttons()),
    );
    if (focus) withFocusName(this.form, focus)?.focus();
  }

  buttons() {
    const { view } = this;
    const more = { type: "submit", class: "button primary", disabled: view.submit_disabled };
    this.send = view.submit ? button(view.submit.text, undefined, more) : null;
    return [button(view.close?.text ?? "Close", () => this.leave()), this.send];
  }

  focusFirst() {
    const places = ["[data-autofocus]", ".modal-body :is(input, textarea, select, button)", "footer button"];
    places.map((place) => this.form.querySelector(place)).find(Boolean)?.focus();
  }

  place() {
    return {
      world: this.world,
      press: (block, element, value) => this.press(block, element, value),
      suggest: (actionId, typed) => this.suggest(actionId, typed),
      state: (block, element) => this.view.state.values[block.block_id]?.[element.action_id],
    };
  }

  suggest(actionId, typed) {
    return act("suggest", { user: this.world.me, view: this.view.id, action_id: actionId, typed });
  }

  block(block) {
    return block.type === "input" ? this.input(block) : drawBlock(block, this.place());
  }

  /** Return the value of an input: the value entered here, or else the stand-in's value. */
  valueAt(block) {
    const own = this.entered[block.block_id];
    if (own && own.actionId === block.element.action_id) return own.value;
    return valueOf(this.view.state.values[block.block_id]?.[block.element.action_id]);
  }

  input(block) {
    const { element } = block;
    const id = `field-${block.block_id}`;
    const binding = {
      id,
      label: block.label.text,
      describedBy: `${id}-notes`,
      focus: `${block.block_id}/${element.action_id}`,
      value: this.valueAt(block),
      onChange: (value, isDone) => this.onEntered(block, value, isDone),
    };
    const optional = block.optional && el("span", { class: "note" }, " (optional)");
    const mistake = this.errors[block.block_id];
    const error = el("p", { class: "error", id: `${id}-error`, hidden: !mistake }, mistake);
    return el(
      "div",
      { class: mistake ? "block input wrong" : "block input", "data-block": block.block_id },
      el("label", { for: id }, text(block.label, this.world), optional),
      field(element, binding, this.place()),
      el("div", { id: `${id}-notes` }, error, block.hint && note(block.hint.text)),
    );
  }

  onEntered(block, value, isDone) {
    this.entered[block.block_id] = { actionId: block.element.action_id, value };
    this.setError(block.block_id, "");
    if (isDone && block.dispatch_action) this.press(block, block.element, value);
  }

  setError(blockId, words) {
    this.errors[blockId] = words;
    const node = [...this.form.querySelectorAll("[data-block]")].find((each) => each.dataset.block === blockId);
    if (!node) return;
    node.classList.toggle("wrong", Boolean(words));
    const error = node.querySelector(".error");
    Object.assign(error, { textContent: words, hidden: !words });
    const control = node.querySelector("[data-focus]");
    if (words) control?.setAttribute("aria-invalid", "true");
    else control?.removeAttribute("aria-invalid");
  }

  inputs() {
    return this.view.blocks.filter((block) => block.type === "input");
  }

  values() {
    return Object.fromEntries(this.inputs().map((block) => [block.block_id, this.valueAt(block)]));
  }

  /** Use an element in the dialog. The values of all inputs are sent too, as in Slack. */
  async press(block, element, value) {
    const given = { user: this.world.me, view: this.view.id };
    await act("enter", { ...given, values: this.values() });
    return act("press", { ...given, action_id: element.action_id, block_id: block.block_id, value });
  }

  /** Return the mistakes for which Slack would not submit the dialog. */
  mistakes() {
    const found = {};
    for (const block of this.inputs()) {
      const words = mistakeIn(block, this.valueAt(block));
      if (words) found[block.block_id] = words;
    }
    return found;
  }

  showErrors(errors) {
    for (const [blockId, words] of Object.entries(errors)) this.setError(blockId, words);
    this.form.querySelector(".wrong :is(input, textarea, select)")?.focus();
  }

  async submit() {
    if (!this.send || this.send.getAttribute("aria-busy")) return;
    const { view } = this;
    const mistakes = this.mistakes();
    if (Object.keys(mistakes).length) return this.showErrors(mistakes);
    const given = { user: this.world.me, view: view.id, values: this.values() };
    this.send.disabled = true;
    try {
      const answer = await withBusy(this.send, act("submit", given));
      if (this.view?.id !== view.id) return;
      if (answer.failure) this.fail(answer.failure);
      else this.showErrors(answer.errors);
    } catch (refused) {
      this.fail(refused.message);
    } finally {
      if (this.send) this.send.disabled = false;
    }
  }

  fail(words) {
    Object.assign(this.failure, { textContent: words, hidden: false });
  }

  async leave() {
    const view = this.view?.id;
    this.close();
    if (view) await act("close", { user: this.world.me, view }).catch(() => {});
  }
}

function mistakeIn(block, value) {
  if (EMPTY(value)) return block.optional ? "" : "Please fill this in.";
  const { type, min_length: least = 0, max_length: most = LONGEST } = block.element;
  if (type !== "plain_text_input") return "";
  if (value.length < least) return `At least ${least} characters, please.`;
  return value.length > most ? `At most ${most} characters, please.` : "";
}
