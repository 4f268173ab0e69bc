// Messages: a row with author, text, files, reactions and thread, and the tools to act on it.

import { act } from "./control.js";
import { dateNode, dayOf, momentOf, timeOf } from "./dates.js";
import { el, note, reconcile, toast } from "./dom.js";
import { blocks } from "./blocks.js";
import { emojiNode, PICKED } from "./emoji.js";
import { fileCard } from "./files.js";
import { linkNode } from "./links.js";
import { openMenu } from "./menu.js";
import { mrkdwn, plainText } from "./mrkdwn.js";
import { changeMessage } from "./editing.js";
import { rove, step } from "./roving.js";
import { avatar } from "./sidebar.js";

const TOGETHER_SECONDS = 300;
const QUIET_SUBTYPES = new Set(["channel_join", "channel_leave"]);

/** Keep a list of messages in step. `at` is {world, isThread}. */
export function showMessages(list, messages, at) {
  const items = [];
  let before = null;
  for (const message of messages) {
    if (!before || dayOf(before.ts) !== dayOf(message.ts)) items.push(dayItem(message.ts, at));
    const isTogether = continuesGroup(before, message) && items.at(-1).isMessage;
    items.push(rowItem(message, at, isTogether));
    before = message;
  }
  reconcile(list, items);
  rove(list);
}

function dayItem(ts, { isThread }) {
  const day = dayOf(ts);
  const make = () => el("div", { class: isThread ? "day hidden" : "day", role: "listitem" }, el("span", {}, day));
  return { key: `day-${day}`, signature: day, make };
}

function rowItem(message, at, isTogether) {
  const thread = `${at.world.channel}/${message.ts}`;
  const isUnread = at.world.unreadThreads.has(thread);
  const signature = JSON.stringify([message, isTogether, isUnread, at.world.me, at.world.places.size]);
  const key = `${message.isEphemeral ? "ephemeral" : "message"}-${message.ts}`;
  return { key, signature, isMessage: true, make: () => row(message, { ...at, isTogether, isUnread }) };
}

function continuesGroup(before, message) {
  if (!before || before.user !== message.user || before.isEphemeral !== message.isEphemeral) return false;
  if (before.subtype || message.subtype || before.reply_count) return false;
  if ([before, message].some((each) => each.bot_id && each.blocks)) return false;
  return message.ts - before.ts < TOGETHER_SECONDS;
}

function authorOf(message, world) {
  return message.username || world.person(message.user) || message.bot_profile?.name || "Somebody";
}

function row(message, at) {
  const { world } = at;
  if (QUIET_SUBTYPES.has(message.subtype)) return quietRow(message, world);
  const author = authorOf(message, world);
  const kind = ["message", at.isTogether && "together", message.isEphemeral && "ephemeral"].filter(Boolean).join(" ");
  const label = `${author}, ${timeOf(message.ts)}`;
  const given = { class: kind, role: "listitem", tabindex: "-1", "aria-label": label };
  const node = el("div", { ...given, "data-ts": message.ts });
  const body = el(
    "div",
    { class: "message-body" },
    message.isEphemeral && el("p", { class: "only-you" }, "👁 Only visible to you"),
    message.subtype === "thread_broadcast" && !at.isThread && broadcastNote(message, world),
    byline(message, author, world),
    content(message, at),
    reactions(message, world),
    !at.isThread && !message.isEphemeral && threadButton(message, at),
  );
  const face = at.isTogether ? el("span", { class: "small-time" }, timeOf(message.ts)) : avatar(message.user, world);
  node.append(face, body, tools(node, message, at));
  node.addEventListener("keydown", (event) => onKey(event, node, message, at));
  return node;
}

function quietRow(message, world) {
  return el("p", { class: "quiet-row", role: "listitem" }, mrkdwn(message.text ?? "", world));
}

function byline(message, author, world) {
  const isApp = Boolean(message.bot_id || world.people.get(message.user)?.is_bot);
  return el(
    "p",
    { class: "byline" },
    el("strong", {}, author),
    isApp && el("span", { class: "tag" }, "APP"),
    world.isGuest(message.user) && el("span", { class: "tag" }, "GUEST"),
    el("time", { title: momentOf(message.ts) }, timeOf(message.ts)),
  );
}

function broadcastNote(message, world) {
  const onClick = () => world.open(world.channel, message.thread_ts);
  return note(el("button", { type: "button", class: "quiet", onClick }, "Replied to a thread"));
}

function content(message, at) {
  if (message.subtype === "tombstone") return note("This message was deleted.");
  const place = placeOf(message, at.world);
  // Typed messages have blocks too, but Slack's client has already parsed the mrkdwn in them.
  const isTyped = message.blocks?.[0]?.block_id === "typed";
  const said = message.blocks?.length && !isTyped
    ? blocks(message.blocks, place)
    : message.text && el("div", { class: "block" }, mrkdwn(message.text, at.world));
  return el(
    "div",
    { class: "content" },
    said,
    message.edited && message.user !== at.world.bot && el("span", { class: "note" }, "(edited)"),
    (message.attachments ?? []).map((each) => drawAttachment(each, place)),
    (message.files ?? []).map(fileCard),
  );
}

function drawAttachment(given, place) {
  const words = given.text || given.fallback;
  const title = given.title_link ? linkNode(given.title_link, given.title) : el("strong", {}, given.title);
  return el(
    "div",
    { class: "attached" },
    given.title && el("p", {}, title),
    given.blocks ? blocks(given.blocks, place) : words && words !== given.title && mrkdwn(words, place.world),
  );
}

function placeOf(message, world) {
  const press = (block, element, value) =>
    act("click", {
      user: world.me,
      channel: world.channel,
      message_ts: message.ts,
      action_id: element.action_id,
      block_id: blockOf(message, block, element),
      value,
    });
  return { world, press, suggest: async () => [] };
}

/**
 * Return the id of the element's block if the message has several such elements. Otherwise the action's id is enough:
 * while a menu is open, the app may draw the message again under another block id.
 */
function blockOf(message, block, element) {
  const all = (message.blocks ?? []).flatMap((each) => [each.accessory, ...(each.elements ?? [])]);
  const isOnly = all.filter((each) => each?.action_id === element.action_id).length === 1;
  return isOnly ? undefined : block.block_id;
}

function reactions(message, world) {
  if (!message.reactions?.length) return null;
  const chip = (each) => {
    const isMine = each.users.includes(world.me);
    const names = each.users.map((id) => world.person(id)).join(", ");
    const onClick = () => react(message, each.name, isMine, world);
    const label = `${each.name.replaceAll("_", " ")}, ${each.count}: ${names}`;
    const given = { type: "button", class: "reaction", "aria-pressed": String(isMine), "aria-label": label };
    const more = { title: names, "data-focus": `reaction/${each.name}`, onClick };
    return el("button", { ...given, ...more }, emojiNode(each.name), el("span", {}, String(each.count)));
  };
  return el("div", { class: "reactions", role: "group", "aria-label": "Reactions" }, message.reactions.map(chip));
}

async function react(message, name, isMine, world) {
  const given = { user: world.me, channel: world.channel, ts: message.ts, name };
  await act(isMine ? "unreact" : "react", given).catch((refused) => toast(refused.message, "bad"));
}

function threadButton(message, { world, isUnread }) {
  if (!message.reply_count) return null;
  const words = message.reply_count === 1 ? "1 reply" : `${message.reply_count} replies`;
  const faces = (message.reply_users ?? []).slice(0, 4).map((id) => avatar(id, world, "tiny"));
  const last = el("span", { class: "note" }, "last ", dateNode(message.latest_reply, "{ago}", ""));
  const onClick = () => world.open(world.channel, message.ts);
  const fresh = isUnread && el("span", { class: "fresh" }, "new");
  const given = { type: "button", class: "thread-button", "data-focus": "thread", onClick };
  return el("button", given, faces, el("span", {}, words), last, fresh);
}

function tools(node, message, at) {
  const { world, isThread } = at;
  const bar = el("div", { class: "tools", role: "toolbar", "aria-label": "What to do with this message" });
  const tool = (name, sign, onClick) => {
    const given = { type: "button", tabindex: "-1", "aria-label": name, title: name, "data-focus": `tool/${name}` };
    bar.append(el("button", { ...given, onClick }, sign));
  };
  if (message.isEphemeral) {
    tool("Dismiss message", "✕", () => dismiss(message, world));
    return bar;
  }
  tool("Add reaction", "☺", (event) => pick(event.currentTarget, message, world));
  if (!isThread) tool("Reply in thread", "💬", () => world.open(world.channel, message.thread_ts ?? message.ts));
  const more = moreItems(node, message, world);
  if (more.length) tool("More actions", "⋯", (event) => openMenu(event.currentTarget, more));
  return bar;
}

function dismiss(message, world) {
  world.dismissed.add(message.ts);
  redraw(world);
}

function redraw(world) {
  world.emit("messages");
  world.emit("thread");
}

function pick(button, message, world) {
  const usersOf = (name) => message.reactions?.find((each) => each.name === name)?.users ?? [];
  const isMine = (name) => usersOf(name).includes(world.me);
  const items = PICKED.map((name) => ({
    label: emojiNode(name),
    name: name.replaceAll("_", " "),
    act: () => react(message, name, isMine(name), world),
  }));
  openMenu(button, items, { isRow: true });
}

function moreItems(node, message, world) {
  const given = { user: world.me, channel: world.channel, ts: message.ts };
  const attempt = (promise) => promise.catch((refused) => toast(refused.message, "bad"));
  const items = (world.shortcuts ?? [])
    .filter((each) => each.type === "message")
    .map((each) => ({
      label: each.name,
      act: () => attempt(act("message_shortcut", { ...given, callback_id: each.callback_id })),
    }));
  if (message.user === world.me) {
    items.push({ label: "Edit message", act: () => changeMessage(node, message, given, () => redraw(world)) });
    items.push({ label: "Delete message", kind: "danger", act: () => attempt(act("delete", given)) });
  }
  return items;
}

function onKey(event, node, message, at) {
  if (event.target !== node) return;
  if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    step(node, event.key);
  } else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
    node.querySelector(".tools button").focus();
  } else if ((event.key === "Enter" || event.key === "t") && !at.isThread && !message.isEphemeral) {
    at.world.open(at.world.channel, message.thread_ts ?? message.ts);
  } else return;
  event.preventDefault();
}

/** Return the start of a message for a screen reader. */
export function screenReaderText(message, world) {
  return `${authorOf(message, world)}: ${plainText(message.text, world).slice(0, 300)}`;
}
