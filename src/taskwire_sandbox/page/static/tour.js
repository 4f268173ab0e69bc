// The tour: it does what a person would do, and says at each step what happens behind it. One steps through it, or
// lets it play. `tour-steps` has the steps.

import { Refused } from "./control.js";
import { button, el, fill, signButton } from "./dom.js";
import { Hand } from "./tour-hand.js";
import { STEPS } from "./tour-steps.js";

// How long a step may keep a person waiting before they may go on all the same. A test lets it wait longer.
const PATIENCE_MS = 40_000;
// A person reads about 200 words in a minute. The effect of a step is shown for a moment in any case.
const READ_MS = 300;
const LOOK_MS = 3000;
const SLOW = "This takes longer than usual. Go on when you like.";

export class Tour {
  /** `page` has the world, the message boxes and the thread pane. */
  constructor(node, opener, page) {
    Object.assign(this, { node, opener, page, at: -1, done: -1, isPlaying: false, isBusy: false, round: 0 });
    this.words = el("div", { class: "tour-words", "aria-live": "polite" });
    this.back = button("Back", () => this.goBack(), { class: "button small" });
    this.next = button("Next", () => this.goOn(), { class: "button small primary" });
    this.play = button("Play", () => this.setPlaying(!this.isPlaying), { class: "button small" });
    const close = signButton("Close the tour", "✕", () => this.close());
    const buttons = el("div", { class: "tour-buttons" }, this.back, this.next, this.play, close);
    node.append(this.words, buttons);
    node.addEventListener("keydown", (event) => this.onKey(event));
    opener.addEventListener("click", () => (node.hidden ? this.open() : this.close()));
    for (const topic of ["messages", "thread"]) page.world.addEventListener(topic, () => this.showSpot());
    // The task of the tour has gone with the demo.
    page.world.addEventListener("restarted", () => !node.hidden && this.close());
  }

  async open() {
    Object.assign(this, { at: -1, done: -1, isBusy: false, round: this.round + 1 });
    this.setOpen(true);
    this.page.makeRoom();
    this.patienceMs = Number(this.node.dataset.patienceMs ?? PATIENCE_MS);
    this.hand = new Hand(this.page, this.round, this.patienceMs);
    this.show();
    this.next.focus();
  }

  close() {
    this.round += 1;
    this.setPlaying(false);
    this.setOpen(false);
    this.spot?.classList.remove("tour-spot");
    this.opener.focus();
  }

  setOpen(isOpen) {
    this.node.hidden = !isOpen;
    this.opener.setAttribute("aria-expanded", String(isOpen));
    document.getElementById("window").dataset.tour = isOpen ? "open" : "shut";
  }

  goBack() {
    if (this.at < 0) return;
    this.setPlaying(false);
    this.at -= 1;
    this.show();
  }

  async goOn() {
    if (this.isBusy) return;
    if (this.at === STEPS.length - 1) return this.close();
    this.at += 1;
    this.show();
    if (this.at > this.done) await this.carryOut(STEPS[this.at]);
    if (this.isPlaying) this.playOn();
  }

  /** Do what the step does, and wait until its effect shows. */
  async carryOut(step) {
    const { round, hand } = this;
    const hadFocus = this.node.contains(document.activeElement);
    this.done = this.at;
    this.setBusy(true);
    try {
      await step.act?.(hand);
      if (hadFocus && round === this.round) this.next.focus();
      if (step.until) await this.until(() => step.until(hand));
    } catch (refused) {
      if (!(refused instanceof Refused)) throw refused;
      this.say(refused.message);
    } finally {
      if (round === this.round) this.setBusy(false);
    }
    this.showSpot();
  }

  /** Wait for a condition, which is looked at when the world changes. */
  async until(condition) {
    const end = Date.now() + this.patienceMs;
    const { round, page } = this;
    while (round === this.round && !condition()) {
      if (Date.now() > end) return this.say(SLOW);
      await new Promise((resolve) => {
        const stop = setTimeout(resolve, 1000);
        for (const topic of ["messages", "thread"]) {
          page.world.addEventListener(topic, () => (clearTimeout(stop), resolve()), { once: true });
        }
      });
    }
  }

  setPlaying(isPlaying) {
    this.isPlaying = isPlaying;
    this.play.textContent = isPlaying ? "Pause" : "Play";
    clearTimeout(this.timer);
    if (isPlaying && !this.isBusy) this.goOn();
  }

  /** Leave time to read, then go on. */
  playOn() {
    if (this.at === STEPS.length - 1) return this.setPlaying(false);
    clearTimeout(this.timer);
    const unread = this.shownAt + READ_MS * wordsOf(STEPS[this.at]) - Date.now();
    this.timer = setTimeout(() => this.isPlaying && this.goOn(), Math.max(unread, LOOK_MS));
  }

  setBusy(isBusy) {
    this.isBusy = isBusy;
    // A disabled button would lose the focus.
    this.next.setAttribute("aria-disabled", String(isBusy));
    this.node.setAttribute("data-busy", String(isBusy));
  }

  show() {
    const { at } = this;
    this.shownAt = Date.now();
    const { title, words } = STEPS[at] ?? {
      title: "A tour in two minutes",
      words: ["It gives an agent a task, follows and answers it, passes on a colleague’s idea, stops it, takes Coder away, and shows how to connect an account. Each step says what happens behind it."],
    };
    const number = el("span", { class: "note" }, at < 0 ? "" : `Step ${at + 1} of ${STEPS.length}`);
    fill(this.words, el("h2", {}, title, " ", number), el("p", {}, words.map(drawn)));
    this.back.hidden = at < 0;
    const isLast = at === STEPS.length - 1;
    this.next.textContent = at < 0 ? "Step through" : isLast ? "Finish" : "Next";
    this.play.hidden = isLast;
    this.showSpot();
  }

  say(words) {
    this.words.append(el("p", { class: "note" }, words));
  }

  /** Mark what the step is about. Its element may be drawn anew at any time. */
  showSpot() {
    this.spot?.classList.remove("tour-spot");
    if (this.node.hidden || !this.hand) return;
    this.spot = STEPS[this.at]?.spot?.(this.hand) ?? null;
    this.spot?.classList.add("tour-spot");
  }

  onKey(event) {
    if (event.key === "ArrowRight") this.goOn();
    else if (event.key === "ArrowLeft") this.goBack();
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** Count the words of a step. */
function wordsOf({ title, words }) {
  const said = words.map((piece) => (typeof piece === "string" ? piece : piece.term)).join("");
  return `${title} ${said}`.split(" ").length;
}

/** Draw a piece of a step's words: a term of the architecture is bold. */
function drawn(piece) {
  return typeof piece === "string" ? piece : el("strong", {}, piece.term);
}
