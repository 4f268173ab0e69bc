// What the tour does on the page, and what it sees there: the acts of a person, and the present state of its task.

import { coder } from "./control.js";

const LETTER_MS = 16;
// How often a button or another condition is looked for.
const LOOK_MS = 250;
const CALM = window.matchMedia("(prefers-reduced-motion: reduce)");
// The same agent takes each of them. A prompt that was used a moment ago would be asked about.
const PROMPTS = [
  "split the customer name into two columns",
  "split the address into street and town",
  "split the opening hours into days",
];

export class Hand {
  constructor({ world, composer, thread }, round, patienceMs) {
    const prompt = PROMPTS[round % PROMPTS.length];
    Object.assign(this, { world, composer, thread, patienceMs, prompt, since: 0, lastReply: "" });
  }

  /** Go to the first channel as the first person, with Coder in reach. */
  async begin() {
    const { world } = this;
    const first = world.members().find((user) => user.name === world.settings.person) ?? world.members()[0];
    if (first.id !== world.me) await world.switchPerson(first.id);
    await world.open(world.firstPlace());
    // Coder is in reach already, unless somebody has made it unreachable.
    if (world.settings.coder_url) await coder.makeReachable().catch(() => {});
    this.since = Number(world.messages.at(-1)?.ts ?? 0);
  }

  async command(text) {
    await this.write(this.composer, text);
  }

  async reply(text) {
    this.lastReply = text;
    await this.write(this.thread.composer, text);
  }

  async write(composer, text) {
    if (!CALM.matches) {
      for (let end = 1; end < text.length; end += 1) {
        composer.suggest(text.slice(0, end));
        await new Promise((resolve) => setTimeout(resolve, LETTER_MS));
      }
    }
    composer.suggest(text);
    await composer.send();
  }

  openThread() {
    return this.world.open(this.world.channel, this.card().ts);
  }

  /** Press the last choice that the newest notice offers. */
  choose() {
    return this.press(/^\d/);
  }

  /** Go on as another person, in the same thread. */
  async becomes(name) {
    const { world } = this;
    const person = world.members().find((user) => user.name === name);
    if (person && person.id !== world.me) await world.switchPerson(person.id);
  }

  /** Press the newest button of the thread whose label matches, as soon as the button is there. */
  async press(label) {
    const find = () => {
      const buttons = [...this.thread.list.querySelectorAll(".actions button")];
      return buttons.filter((each) => label.test(each.textContent)).at(-1);
    };
    await this.wait(find);
    find()?.click();
  }

  /** Wait until a condition holds, or until the visitor has waited long enough. */
  async wait(condition) {
    for (const end = Date.now() + this.patienceMs; Date.now() < end && !condition(); ) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  openHome() {
    return this.world.openApp("home");
  }

  /** Whether the Home tab shows the tour's task. */
  homeShows() {
    return JSON.stringify(this.world.homeView?.blocks ?? []).includes(this.prompt.slice(1));
  }

  takeCoderAway() {
    return coder.makeUnreachable();
  }

  bringCoderBack() {
    return coder.makeReachable();
  }

  // Seeing

  /** Find the card of the tour's task. */
  card() {
    const title = this.prompt.slice(1);
    const isOurs = (message) => message.user === this.world.bot && message.text.includes(title);
    return this.world.messages.find((message) => Number(message.ts) > this.since && isOurs(message));
  }

  shows(...phases) {
    const text = JSON.stringify(this.card() ?? "");
    return phases.some((phase) => text.includes(phase));
  }

  /** Count the messages of the thread that call the person. */
  calls() {
    return this.world.thread.filter((message) => message.text.includes(`<@${this.world.me}>`)).length;
  }

  /** Whether a reaction stands on a message of the thread, or on the last reply. */
  hasReaction(name, { onLast = false } = {}) {
    return this.world.thread.some((message) => {
      const isMeant = !onLast || message.text === this.lastReply;
      return isMeant && message.reactions?.some((each) => each.name === name);
    });
  }

  /** Whether the newest message of the channel has this button. */
  offers(label) {
    const buttons = [...(this.newestInChannel()?.querySelectorAll(".actions :is(button, a)") ?? [])];
    return buttons.some((each) => each.textContent === label);
  }

  newestInChannel() {
    return document.querySelector("#messages .message:last-of-type");
  }

  cardNode() {
    const { ts } = this.card() ?? {};
    return ts ? document.querySelector(`#messages [data-ts="${ts}"]`) : null;
  }

  newestNode() {
    return this.thread.list.querySelector(".message:last-child");
  }
}
