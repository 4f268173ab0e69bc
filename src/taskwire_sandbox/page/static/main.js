// Puts the page together: the world, the parts that show it, and the keys that work everywhere.

import { act, settings } from "./control.js";
import { CoderPanel } from "./coder.js";
import { Composer } from "./composer.js";
import { keepTime } from "./dates.js";
import { Dialogs } from "./dialogs.js";
import { button, el, fill, stayAtTheEnd, toast } from "./dom.js";
import { keepDrawer } from "./drawer.js";
import { showHome, showTabs } from "./home.js";
import { showIdeas } from "./ideas.js";
import { openHere } from "./links.js";
import { screenReaderText, showMessages } from "./messages.js";
import { rove } from "./roving.js";
import { showPeople, showSidebar } from "./sidebar.js";
import { Thread } from "./thread.js";
import { Tour } from "./tour.js";
import { World } from "./world.js";

const byId = (id) => document.getElementById(id);
const WIDE = "(min-width: 1181px)";

const LOST = "The demo has stopped answering. This page goes on by itself when it is back.";

class Page {
  constructor(settings) {
    this.settings = settings;
    this.world = new World(settings);
    this.composer = new Composer(this.world, { onSend: () => this.scroll.goToEnd() });
    this.thread = new Thread(byId("thread"), this.world);
    this.dialogs = new Dialogs(this.world);
    this.coder = new CoderPanel(byId("coder"), byId("coder-switch"));
    this.scroll = stayAtTheEnd(byId("messages"));
    this.shown = "";
    byId("composer").append(this.composer.node);
    keepDrawer(byId("window"), byId("places-switch"), byId("sidebar"));
    this.listen();
    // After `listen`: it marks rows that have just been drawn.
    this.tour = new Tour(byId("tour"), byId("tour-switch"), this);
  }

  listen() {
    const on = (topic, show) => this.world.addEventListener(topic, show);
    on("people", () => this.showPlaces());
    on("messages", () => this.showMessageList());
    on("thread", () => this.showThread());
    on("views", () => this.showViews());
    on("new-message", (event) => this.announce(event.detail));
    on("connection", () => this.showConnection());
    on("restarted", () => delete byId("window").dataset.begun);
    document.addEventListener("click", (event) => this.onClick(event));
    document.addEventListener("keydown", (event) => this.onKey(event));
    document.addEventListener("focusin", (event) => {
      for (const list of document.querySelectorAll(".messages")) rove(list, event.target);
    });
  }

  /** Close the Coder panel where it would cover the rest. */
  makeRoom() {
    if (!window.matchMedia(WIDE).matches) this.coder.setOpen(false);
  }

  async start() {
    await this.world.start();
    const startTour = this.settings.coder_url ? () => this.tour.open() : null;
    showIdeas(byId("welcome"), this.world, this.composer, startTour);
    byId("coder-switch").hidden = !this.settings.coder_url;
    byId("tour-switch").hidden = !this.settings.coder_url;
    if (this.settings.coder_url) {
      const wide = window.matchMedia(WIDE);
      wide.addEventListener("change", () => this.coder.setOpen(wide.matches));
      this.coder.setOpen(wide.matches);
      this.coder.start();
    }
    keepTime();
    this.composer.box.focus();
    byId("window").dataset.ready = "yes";
  }

  showPlaces() {
    const { world } = this;
    showPeople(byId("people"), world);
    showSidebar(byId("sidebar"), world);
    showTabs(byId("conversation-tabs"), world);
    const place = world.currentPlace();
    const name = world.place(world.channel);
    byId("conversation-name").textContent = place && !place.is_im ? `# ${name}` : name || "Nothing here yet";
    byId("conversation-note").textContent = place && !place.is_im ? this.membersOf(place) : "";
    const unread = [...world.unread.values()].reduce((sum, count) => sum + count, 0);
    document.title = `${unread ? `(${unread}) ` : ""}${name || "Taskwire"} · Taskwire demo`;
    this.composer.updateTarget();
    this.showComposer();
  }

  membersOf(place) {
    return place.members.map((id) => this.world.person(id)).filter(Boolean).join(", ");
  }

  showMessageList() {
    const { world } = this;
    const list = byId("messages");
    const isHome = world.tab === "home";
    list.hidden = isHome;
    byId("home").hidden = !isHome;
    byId("window").dataset.tab = world.tab;
    byId("window").dataset.place = world.currentPlace()?.is_im ? "direct" : "channel";
    if (world.messages.length) byId("window").dataset.begun = "yes";
    if (isHome) showHome(byId("home"), world);
    const where = `${world.me}/${world.channel}/${world.tab}`;
    showMessages(list, world.placeMessages(), { world, isThread: false });
    if (where !== this.shown) this.scroll.goToEnd();
    this.shown = where;
    this.showComposer();
  }

  showComposer() {
    const { world } = this;
    const isHome = world.tab === "home";
    const place = world.currentPlace();
    const isOpen = world.isIn(place) && !place.is_archived;
    this.composer.node.hidden = !isOpen || isHome;
    byId("composer").querySelector(".join")?.remove();
    if (isOpen || isHome || !place) return;
    const join = async () => {
      await act("join", { user: world.me, channel: place.id }).catch((refused) => toast(refused.message, "bad"));
      this.composer.box.focus();
    };
    const words = place.is_archived ? "This channel is archived." : `You are looking at #${place.name}.`;
    const joining = place.is_archived ? null : button("Join channel", join, { class: "button primary" });
    byId("composer").append(el("p", { class: "join" }, words, joining));
  }

  showThread() {
    byId("window").dataset.thread = this.world.threadTs ? "open" : "shut";
    this.thread.show();
  }

  showViews() {
    this.dialogs.show();
    showTabs(byId("conversation-tabs"), this.world);
    if (this.world.tab === "home") showHome(byId("home"), this.world);
  }

  announce({ channel, message, isEphemeral }) {
    const { world } = this;
    const where = channel === world.channel ? "" : `In ${world.place(channel)}: `;
    const words = `${where}${isEphemeral ? "Only to you: " : ""}${screenReaderText(message, world)}`;
    const log = byId("announcer");
    log.append(el("p", {}, words));
    while (log.childElementCount > 20) log.firstElementChild.remove();
    if (isEphemeral && channel === world.channel) this.showEnd(message.thread_ts);
  }

  /** Scroll to a new message that only this person sees. It often answers a button far above it. */
  showEnd(threadTs) {
    const pane = threadTs ? this.thread : this;
    if (!threadTs || threadTs === this.world.threadTs) pane.scroll.goToEnd();
  }

  showConnection() {
    const isLost = !this.world.isConnected;
    byId("connection-lost").hidden = !isLost;
    byId("connection-lost").textContent = isLost ? LOST : "";
  }

  onClick(event) {
    const link = event.target.closest("a[href^='http']");
    const showTask = (name) => this.coder.showTask(name);
    const places = { world: this.world, coderUrl: this.settings.coder_url, showTask };
    if (link && openHere(link.href, places)) event.preventDefault();
  }

  onKey(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    const isTyping = event.target.closest("input, textarea, select, [role=menu]");
    if (event.key === "/" && !isTyping) {
      event.preventDefault();
      this.composer.box.focus();
      if (!this.composer.box.value) this.composer.suggest("/");
      this.composer.hints.showHints();
    }
  }
}

try {
  await new Page(await settings()).start();
} catch (error) {
  fill(byId("conversation-name"), "This page could not start");
  fill(byId("conversation-note"), error.message);
  throw error;
}
