// What the page knows: people, conversations, the messages of the open one, and the present person.
//
// Everything is read from the stand-in, and read again when its stream announces a change. Nothing is computed
// from the stream itself, so a missed change is corrected at the next one.
// Events: "people", "messages", "thread", "views", "new-message" (detail: the message), "connection", "restarted".

import { act, followChanges, readState, settings } from "./control.js";

const MESSAGE_KINDS = new Set([
  "message",
  "message_changed",
  "message_deleted",
  "reaction_added",
  "reaction_removed",
]);
const PLACE_KINDS = new Set(["joined", "left", "archived"]);

export class World extends EventTarget {
  constructor(settings) {
    super();
    this.settings = settings;
    this.me = "";
    this.channel = "";
    this.threadTs = "";
    this.tab = "messages";
    this.people = new Map();
    this.places = new Map();
    this.messages = [];
    this.thread = [];
    this.ephemerals = [];
    this.localMessages = [];
    this.dismissed = new Set();
    this.views = [];
    this.homeView = null;
    this.marks = new Map();
    this.isConnected = false;
    this.wasConnected = false;
    this.pending = new Map();
    this.reads = new Map();
  }

  /** Read everything once, then follow the stream. */
  async start() {
    await this.readPeople();
    this.openAddress();
    await this.readAll();
    followChanges({
      onChange: (change) => this.onChange(change),
      onOpen: () => this.setConnected(true),
      onLost: () => this.setConnected(false),
    });
  }

  /** Return what a person has not read: the number of messages by conversation, and the threads. */
  unreadOf(id) {
    if (!this.marks.has(id)) this.marks.set(id, { places: new Map(), threads: new Set() });
    return this.marks.get(id);
  }

  get unread() {
    return this.unreadOf(this.me).places;
  }

  get unreadThreads() {
    return this.unreadOf(this.me).threads;
  }

  emit(topic, detail) {
    this.dispatchEvent(new CustomEvent(topic, { detail }));
  }

  async setConnected(isConnected) {
    this.isConnected = isConnected;
    this.emit("connection");
    if (!isConnected) return;
    if (this.wasConnected) await this.forgetOldDemo();
    this.wasConnected = true;
    await this.readPeople();
    await this.readAll();
  }

  /** If the demo was restarted, forget what this page remembers of the old one. */
  async forgetOldDemo() {
    const now = await settings();
    const isSame = now.run === this.settings.run;
    Object.assign(this.settings, now);
    if (isSame) return;
    this.localMessages = [];
    this.dismissed.clear();
    this.marks.clear();
    this.emit("restarted");
  }

  // Reading

  async readPeople() {
    const state = await readState("state");
    this.people = new Map(state.users.map((user) => [user.id, user]));
    this.places = new Map(state.channels.map((place) => [place.id, place]));
    this.bot = state.bot;
    this.team = state.team;
    this.commands = state.commands;
    this.shortcuts = state.shortcuts;
    this.hasHome = state.has_home;
    this.emit("people");
  }

  readAll() {
    return Promise.all([this.readMessages(), this.readThread(), this.readViews()]);
  }

  /** Begin to read. Returns a function that says whether no later read has begun: answers may overtake each other. */
  beginRead(name) {
    const number = (this.reads.get(name) ?? 0) + 1;
    this.reads.set(name, number);
    return () => this.reads.get(name) === number;
  }

  async readMessages() {
    const { channel, me } = this;
    const isLatest = this.beginRead("messages");
    const [found, ephemerals] = await Promise.all([
      channel ? readState("messages", { channel }) : { messages: [] },
      readState("ephemerals", { user: me }),
    ]);
    if (channel !== this.channel || me !== this.me || !isLatest()) return;
    this.messages = found.messages;
    this.ephemerals = ephemerals.ephemerals;
    this.emit("messages");
    // The open thread shows ephemeral messages too, and may have been read before them.
    this.emit("thread");
  }

  async readThread() {
    const { channel, threadTs } = this;
    const isLatest = this.beginRead("thread");
    const answer = threadTs
      ? await readState("messages", { channel, thread_ts: threadTs }).catch(() => ({ messages: [] }))
      : { messages: [] };
    if (channel !== this.channel || threadTs !== this.threadTs || !isLatest()) return;
    this.thread = answer.messages;
    if (threadTs && !this.thread.length) return this.closeThread();
    this.emit("thread");
  }

  async readViews() {
    const { me } = this;
    const isLatest = this.beginRead("views");
    const { views, home } = await readState("views", { user: me });
    if (me !== this.me || !isLatest()) return;
    Object.assign(this, { views, homeView: home });
    this.emit("views");
  }

  /** Read once for all changes that arrive within 15 milliseconds. */
  schedule(name) {
    if (this.pending.has(name)) return;
    const later = setTimeout(() => {
      this.pending.delete(name);
      this[name]().catch(() => {});
    }, 15);
    this.pending.set(name, later);
  }

  onChange(change) {
    const isNewPlace = change.channel && !this.places.has(change.channel);
    if (PLACE_KINDS.has(change.kind) || isNewPlace) this.schedule("readPeople");
    if (change.kind === "message") this.onMessage(change);
    if (change.kind.startsWith("view") && change.user === this.me) this.schedule("readViews");
    const isEphemeral = change.kind.startsWith("ephemeral") && change.user === this.me;
    if (change.kind === "ephemeral") this.onEphemeral(change);
    if (isEphemeral || (MESSAGE_KINDS.has(change.kind) && change.channel === this.channel)) {
      this.schedule("readMessages");
      this.schedule("readThread");
    }
  }

  async onMessage({ channel, message }) {
    // The first message of a direct conversation opens it too.
    if (!this.places.has(channel)) await this.readPeople().catch(() => {});
    const readers = (this.places.get(channel)?.members ?? []).filter((id) => id !== message.user);
    const thread = message.thread_ts ?? message.ts;
    for (const id of readers) {
      const isHere = id === this.me && channel === this.channel;
      const isOpen = isHere && thread === this.threadTs;
      if (thread !== message.ts && !isOpen) this.unreadOf(id).threads.add(`${channel}/${thread}`);
      if (!isHere || this.tab !== "messages") this.countUnread(id, channel);
    }
    if (!readers.includes(this.me)) return;
    this.emit("new-message", { channel, message });
    this.emit("people");
  }

  countUnread(id, channel) {
    const { places } = this.unreadOf(id);
    places.set(channel, (places.get(channel) ?? 0) + 1);
  }

  onEphemeral({ channel, message, ts, thread_ts: threadTs, user }) {
    if (user !== this.me || channel !== this.channel) this.countUnread(user, channel);
    if (user !== this.me) return;
    const said = { user: this.bot, ts, thread_ts: threadTs, ...message };
    this.emit("new-message", { channel, message: said, isEphemeral: true });
    this.emit("people");
  }

  // Going

  /** Read the person and the place from the address, so that two windows can be two people. */
  openAddress() {
    const query = new URLSearchParams(location.search);
    const [channel, thread] = location.hash.slice(1).split("/");
    const wanted = [query.get("as"), this.settings.person];
    const known = wanted.map((name) => this.members().find((user) => user.name === name || user.id === name));
    this.me = (known.find(Boolean) ?? this.members()[0])?.id ?? "";
    this.channel = this.canSee(this.places.get(channel)) ? channel : this.firstPlace();
    this.threadTs = this.channel === channel ? (thread ?? "") : "";
    this.writeAddress();
    this.emit("people");
  }

  writeAddress() {
    const who = this.people.get(this.me)?.name ?? "";
    const where = this.threadTs ? `${this.channel}/${this.threadTs}` : this.channel;
    history.replaceState(null, "", `?as=${encodeURIComponent(who)}#${where}`);
  }

  firstPlace() {
    const mine = [...this.places.values()].filter((place) => this.canSee(place));
    return (mine.find((place) => place.members.includes(this.me) && !place.is_im) ?? mine[0])?.id ?? "";
  }

  /** Open a conversation, and a thread in it. */
  async open(channel, threadTs = "", tab = "messages") {
    if (!this.places.has(channel)) await this.readPeople();
    if (!this.canSee(this.places.get(channel))) return;
    const isSame = channel === this.channel;
    Object.assign(this, { channel, tab, threadTs });
    if (!isSame) this.messages = [];
    this.thread = [];
    this.markRead();
    this.writeAddress();
    for (const topic of ["people", "messages", "thread"]) this.emit(topic);
    await Promise.all([this.readMessages(), this.readThread()]);
  }

  /** Take the marks from what the present person now sees. */
  markRead() {
    if (this.tab === "messages") this.unread.delete(this.channel);
    this.unreadThreads.delete(`${this.channel}/${this.threadTs}`);
  }

  closeThread() {
    this.threadTs = "";
    this.thread = [];
    this.writeAddress();
    this.emit("thread");
  }

  /** Open the conversation with the bot, or its Home tab. */
  async openApp(tab) {
    await act("open_home", { user: this.me, tab });
    await this.readPeople();
    await this.open(this.direct(this.bot)?.id, "", tab);
  }

  /** Become another person. */
  async switchPerson(id) {
    this.me = id;
    Object.assign(this, { ephemerals: [], views: [], homeView: null });
    if (!this.canSee(this.currentPlace())) {
      Object.assign(this, { channel: this.firstPlace(), threadTs: "", thread: [], tab: "messages" });
    }
    if (this.tab === "home") return this.openApp("home");
    this.markRead();
    this.writeAddress();
    this.emit("people");
    await this.readAll();
  }

  // Asking

  currentPlace() {
    return this.places.get(this.channel);
  }

  /** List the people to choose from. */
  members() {
    return [...this.people.values()].filter((user) => !user.is_bot && !user.deleted);
  }

  isGuest(id) {
    const user = this.people.get(id);
    return Boolean(user?.is_restricted || user?.is_ultra_restricted);
  }

  /** Whether the present person sees a conversation. A guest sees only those that they are in. */
  canSee(place) {
    if (!place) return false;
    const isOpen = !(place.is_private || place.is_im || place.is_mpim || this.isGuest(this.me));
    return isOpen || place.members.includes(this.me);
  }

  isIn(place) {
    return place?.members.includes(this.me) ?? false;
  }

  /** Find the present person's direct conversation with somebody. */
  direct(id) {
    const pair = (place) => place.is_im && place.members.includes(id) && place.members.includes(this.me);
    return [...this.places.values()].find(pair);
  }

  person(id) {
    if (id === "SLACK") return "Slack’s stand-in";
    const user = this.people.get(id);
    return user ? user.real_name || user.name : "";
  }

  /** Return a conversation's name, or nothing if the person may not see it. */
  place(id) {
    const place = this.places.get(id);
    if (!this.canSee(place)) return "";
    if (!place.is_im) return place.name;
    return this.person(place.members.find((member) => member !== this.me) ?? this.me);
  }

  /** List the messages of the open conversation in order: everybody's, and those that only this person sees. */
  placeMessages() {
    return this.mergeEphemerals(this.messages, (ephemeral) => !ephemeral.thread_ts);
  }

  threadMessages() {
    return this.mergeEphemerals(this.thread, (ephemeral) => ephemeral.thread_ts === this.threadTs);
  }

  mergeEphemerals(messages, belongs) {
    const ephemerals = [...this.ephemerals, ...this.localMessages.filter((each) => each.user === this.me)]
      .filter((each) => each.channel === this.channel && belongs(each) && !this.dismissed.has(each.ts))
      .map((each) => this.asMessage(each));
    return [...messages, ...ephemerals].sort((a, b) => Number(a.ts) - Number(b.ts));
  }

  asMessage({ author, body, ts, thread_ts }) {
    return { user: author ?? this.bot, ...body, ts, thread_ts, isEphemeral: true };
  }

  /** Show a message to this person alone, as Slack itself does when a command fails. */
  showEphemeral(text, threadTs = "") {
    const ts = (Date.now() / 1000).toFixed(6);
    const place = { channel: this.channel, thread_ts: threadTs || null };
    this.localMessages.push({ ts, user: this.me, author: "SLACK", ...place, body: { text } });
    this.emit("messages");
    this.emit("thread");
  }
}
