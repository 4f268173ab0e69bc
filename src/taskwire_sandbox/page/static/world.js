// What the page knows: people, conversations, the messages of the open one, and the present person.
//
// Everything is read from the stand-in, and read again when its stream announces a change. Nothing is computed
// from the stream itself, so a missed change is corrected at the next one.
// Events: "people", "room", "thread", "views", "said" (detail: the message), "connection".

import { act, follow, look } from "./control.js";

const MESSAGE_KINDS = new Set([
  "message",
  "message_changed",
  "message_deleted",
  "reaction_added",
  "reaction_removed",
]);
const PLACE_KINDS = new Set(["joined", "left", "archived"]);

export class World extends EventTarget {
  constructor(told) {
    super();
    this.told = told;
    this.me = "";
    this.channel = "";
    this.threadTs = "";
    this.tab = "messages";
    this.people = new Map();
    this.places = new Map();
    this.room = [];
    this.thread = [];
    this.whispers = [];
    this.own = [];
    this.dismissed = new Set();
    this.views = [];
    this.homeView = null;
    this.unread = new Map();
    this.unreadThreads = new Set();
    this.isConnected = false;
    this.pending = new Map();
    this.begun = new Map();
  }

  /** Read everything once, then follow the stream. */
  async start() {
    await this.readPeople();
    this.openAddress();
    await this.readAll();
    follow({
      onChange: (change) => this.onChange(change),
      onOpen: () => this.setConnected(true),
      onLost: () => this.setConnected(false),
    });
  }

  tell(topic, detail) {
    this.dispatchEvent(new CustomEvent(topic, { detail }));
  }

  async setConnected(isConnected) {
    this.isConnected = isConnected;
    this.tell("connection");
    if (isConnected) await this.readPeople().then(() => this.readAll());
  }

  // Reading

  async readPeople() {
    const state = await look("state");
    this.people = new Map(state.users.map((user) => [user.id, user]));
    this.places = new Map(state.channels.map((place) => [place.id, place]));
    this.bot = state.bot;
    this.team = state.team;
    this.commands = state.commands;
    this.shortcuts = state.shortcuts;
    this.tell("people");
  }

  readAll() {
    return Promise.all([this.readRoom(), this.readThread(), this.readViews()]);
  }

  /** Begin to read. Returns a function that says whether no later read has begun: answers may overtake each other. */
  begin(name) {
    const number = (this.begun.get(name) ?? 0) + 1;
    this.begun.set(name, number);
    return () => this.begun.get(name) === number;
  }

  async readRoom() {
    const { channel, me } = this;
    const isLatest = this.begin("room");
    const [room, whispers] = await Promise.all([
      channel ? look("messages", { channel }) : { messages: [] },
      look("ephemerals", { user: me }),
    ]);
    if (channel !== this.channel || me !== this.me || !isLatest()) return;
    this.room = room.messages;
    this.whispers = whispers.ephemerals;
    this.tell("room");
  }

  async readThread() {
    const { channel, threadTs } = this;
    const isLatest = this.begin("thread");
    const answer = threadTs
      ? await look("messages", { channel, thread_ts: threadTs }).catch(() => ({ messages: [] }))
      : { messages: [] };
    if (channel !== this.channel || threadTs !== this.threadTs || !isLatest()) return;
    this.thread = answer.messages;
    if (threadTs && !this.thread.length) return this.closeThread();
    this.tell("thread");
  }

  async readViews() {
    const { me } = this;
    const isLatest = this.begin("views");
    const { views, home } = await look("views", { user: me });
    if (me !== this.me || !isLatest()) return;
    Object.assign(this, { views, homeView: home });
    this.tell("views");
  }

  /** Read once for all changes that arrive within 15 milliseconds. */
  soon(name) {
    if (this.pending.has(name)) return;
    const later = setTimeout(() => {
      this.pending.delete(name);
      this[name]().catch(() => {});
    }, 15);
    this.pending.set(name, later);
  }

  onChange(change) {
    const isNewPlace = change.channel && !this.places.has(change.channel);
    if (PLACE_KINDS.has(change.kind) || isNewPlace) this.soon("readPeople");
    if (change.kind === "message") this.onMessage(change);
    if (change.kind.startsWith("view") && change.user === this.me) this.soon("readViews");
    const isWhisper = change.kind.startsWith("ephemeral") && change.user === this.me;
    if (isWhisper && change.kind === "ephemeral") this.onWhisper(change);
    if (isWhisper || (MESSAGE_KINDS.has(change.kind) && change.channel === this.channel)) {
      this.soon("readRoom");
      this.soon("readThread");
    }
  }

  async onMessage({ channel, message }) {
    // The first message of a direct conversation opens it too.
    if (!this.places.has(channel)) await this.readPeople().catch(() => {});
    if (message.user === this.me || !this.places.get(channel)?.members.includes(this.me)) return;
    const isHere = channel === this.channel;
    const thread = message.thread_ts ?? message.ts;
    if (thread !== message.ts) {
      if (!isHere || thread !== this.threadTs) this.unreadThreads.add(`${channel}/${thread}`);
    }
    if (!isHere || this.tab !== "messages") this.unread.set(channel, (this.unread.get(channel) ?? 0) + 1);
    this.tell("said", { channel, message });
    this.tell("people");
  }

  onWhisper({ channel, message, ts, thread_ts: threadTs }) {
    if (channel !== this.channel) this.unread.set(channel, (this.unread.get(channel) ?? 0) + 1);
    const said = { user: this.bot, ts, thread_ts: threadTs, ...message };
    this.tell("said", { channel, message: said, isWhisper: true });
    this.tell("people");
  }

  // Going

  /** Read the person and the place from the address, so that two windows can be two people. */
  openAddress() {
    const query = new URLSearchParams(location.search);
    const [channel, thread] = location.hash.slice(1).split("/");
    const wanted = [query.get("as"), this.told.person];
    const known = wanted.map((name) => this.members().find((user) => user.name === name || user.id === name));
    this.me = (known.find(Boolean) ?? this.members()[0])?.id ?? "";
    this.channel = this.canSee(this.places.get(channel)) ? channel : this.firstPlace();
    this.threadTs = this.channel === channel ? (thread ?? "") : "";
    this.writeAddress();
    this.tell("people");
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
  async go(channel, threadTs = "", tab = "messages") {
    if (!this.places.has(channel)) await this.readPeople();
    if (!this.canSee(this.places.get(channel))) return;
    const isSame = channel === this.channel;
    Object.assign(this, { channel, tab, threadTs });
    if (!isSame) this.room = [];
    this.thread = [];
    this.unread.delete(channel);
    this.unreadThreads.delete(`${channel}/${threadTs}`);
    this.writeAddress();
    for (const topic of ["people", "room", "thread"]) this.tell(topic);
    await Promise.all([this.readRoom(), this.readThread()]);
  }

  closeThread() {
    this.threadTs = "";
    this.thread = [];
    this.writeAddress();
    this.tell("thread");
  }

  /** Open the conversation with the bot, or its Home tab. */
  async goToApp(tab) {
    await act("open_home", { user: this.me, tab });
    await this.readPeople();
    await this.go(this.direct(this.bot)?.id, "", tab);
  }

  /** Become another person. */
  async become(id) {
    this.me = id;
    this.unread.clear();
    this.unreadThreads.clear();
    Object.assign(this, { whispers: [], views: [], homeView: null });
    if (!this.canSee(this.here())) {
      Object.assign(this, { channel: this.firstPlace(), threadTs: "", thread: [], tab: "messages" });
    }
    if (this.tab === "home") return this.goToApp("home");
    this.writeAddress();
    this.tell("people");
    await this.readAll();
  }

  // Asking

  here() {
    return this.places.get(this.channel);
  }

  /** List the people to choose from. */
  members() {
    return [...this.people.values()].filter((user) => !user.is_bot && !user.deleted);
  }

  canSee(place) {
    if (!place) return false;
    return !(place.is_private || place.is_im || place.is_mpim) || place.members.includes(this.me);
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
  said() {
    return this.merged(this.room, (whisper) => !whisper.thread_ts);
  }

  saidInThread() {
    return this.merged(this.thread, (whisper) => whisper.thread_ts === this.threadTs);
  }

  merged(messages, belongs) {
    const whispers = [...this.whispers, ...this.own.filter((each) => each.user === this.me)]
      .filter((each) => each.channel === this.channel && belongs(each) && !this.dismissed.has(each.ts))
      .map((each) => this.asMessage(each));
    return [...messages, ...whispers].sort((a, b) => Number(a.ts) - Number(b.ts));
  }

  asMessage({ author, body, ts, thread_ts }) {
    return { user: author ?? this.bot, ...body, ts, thread_ts, isWhisper: true };
  }

  /** Show a message to this person alone, as Slack itself does when a command fails. */
  whisper(text, threadTs = "") {
    const ts = (Date.now() / 1000).toFixed(6);
    const place = { channel: this.channel, thread_ts: threadTs || null };
    this.own.push({ ts, user: this.me, author: "SLACK", ...place, body: { text } });
    this.tell("room");
    this.tell("thread");
  }
}
