// Slack's mrkdwn as nodes: tokens in angle brackets, *bold*, _italic_, ~struck~, `code`, fences and quotes.

import { dateNode } from "./dates.js";
import { el } from "./dom.js";
import { emojiNode, emojiSign } from "./emoji.js";
import { linkNode } from "./links.js";

const INLINE = new RegExp(
  [
    "<(?<token>(?:[@#!]|https?:|mailto:)[^<>\\n]+)>",
    "`(?<code>[^`\\n]+)`",
    "(?<![\\p{L}\\p{N}*])\\*(?=\\S)(?<bold>[^*\\n]*?[^\\s*])\\*(?![\\p{L}\\p{N}*])",
    "(?<![\\p{L}\\p{N}_])_(?=\\S)(?<italic>[^_\\n]*?[^\\s_])_(?![\\p{L}\\p{N}_])",
    "(?<![\\p{L}\\p{N}~])~(?=\\S)(?<struck>[^~\\n]*?[^\\s~])~(?![\\p{L}\\p{N}~])",
    ":(?<emoji>[a-z0-9_+'-]+):",
  ].join("|"),
  "gu",
);
const STYLES = { bold: "strong", italic: "em", struck: "s" };

/** Undo Slack's three entities. */
export function decodeEntities(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/** Draw a text of mrkdwn. `names` knows the names of people and conversations. */
export function mrkdwn(text, names) {
  const shown = document.createDocumentFragment();
  text.split(/```\n?/).forEach((part, number) => {
    if (number % 2) shown.append(el("pre", { tabindex: "0" }, decodeEntities(part.replace(/\n$/, ""))));
    else shown.append(...paragraphs(part, names));
  });
  return shown;
}

function paragraphs(text, names) {
  const made = [];
  let quote = null;
  for (const line of text.replace(/^\n|\n$/g, "").split("\n")) {
    const quoted = /^(?:&gt;|>(?!\S*>)) ?(.*)$/.exec(line);
    if (quoted) {
      if (quote) quote.append(el("br"));
      else made.push((quote = el("blockquote")));
      quote.append(...inline(quoted[1], names));
      continue;
    }
    if (made.length && !quote) made.push(el("br"));
    quote = null;
    made.push(...inline(line, names));
  }
  return made;
}

/** Draw one line. */
export function inline(text, names) {
  const made = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const { token, code, emoji } = match.groups;
    if (emoji && !emojiSign(emoji)) continue;
    if (match.index > end) made.push(decodeEntities(text.slice(end, match.index)));
    end = match.index + match[0].length;
    if (token) made.push(tokenNode(token, names));
    else if (code) made.push(el("code", {}, decodeEntities(code)));
    else if (emoji) made.push(emojiNode(emoji));
    else made.push(styled(match.groups, names));
  }
  if (end < text.length) made.push(decodeEntities(text.slice(end)));
  return made;
}

function styled(groups, names) {
  const [style, words] = Object.entries(groups).find(([name, found]) => STYLES[name] && found !== undefined);
  return el(STYLES[style], {}, inline(words, names));
}

function tokenNode(token, names) {
  const bar = token.indexOf("|");
  const target = bar < 0 ? token : token.slice(0, bar);
  const label = bar < 0 ? "" : decodeEntities(token.slice(bar + 1));
  if (target.startsWith("@")) return personPill(target.slice(1), names, label);
  if (target.startsWith("#")) return placePill(target.slice(1), names, label);
  if (target.startsWith("!")) return special(target.slice(1), label);
  return linkNode(decodeEntities(target), label || decodeEntities(target));
}

function special(target, label) {
  const [kind, ...rest] = target.split("^");
  if (kind === "date") {
    const moment = dateNode(rest[0], rest[1] ?? "{date}", label);
    return rest[2] ? linkNode(decodeEntities(rest[2]), moment) : moment;
  }
  return el("span", { class: "pill call" }, label || `@${kind === "subteam" ? rest[0] : kind}`);
}

/** Make the node for a mentioned person. */
export function personPill(id, names, label = "") {
  const isMe = id === names.me;
  return el("span", { class: isMe ? "pill me" : "pill" }, `@${names.person(id) || label || id}`);
}

/** Make the node for a mentioned conversation. A click opens the conversation. */
export function placePill(id, names, label = "") {
  const name = names.place(id) || label;
  if (!name) return el("span", { class: "pill" }, "#private-channel");
  return el("button", { type: "button", class: "pill", onClick: () => names.go(id) }, `#${name}`);
}

/** Return the plain text of mrkdwn, for a screen reader. */
export function plainText(text, names) {
  const node = el("div", {}, mrkdwn(text ?? "", names));
  return node.textContent.replace(/\s+/g, " ").trim();
}
