// Block Kit's rich_text as nodes: lines, lists, quotes and preformatted text, made of styled pieces.

import { dateNode } from "./dates.js";
import { el } from "./dom.js";
import { emojiNode } from "./emoji.js";
import { linkNode } from "./links.js";
import { personPill, placePill } from "./mrkdwn.js";

const STYLES = { bold: "strong", italic: "em", strike: "s", code: "code", underline: "u", highlight: "mark" };

/** Draw a rich_text block. */
export function richText(block, names) {
  return el("div", { class: "rich" }, (block.elements ?? []).map((part) => drawn(part, names)));
}

function drawn(part, names) {
  const pieces = () => (part.elements ?? []).map((piece) => styled(piece, names));
  switch (part.type) {
    case "rich_text_quote":
      return el("blockquote", {}, pieces());
    case "rich_text_preformatted":
      return el("pre", { tabindex: "0", "aria-label": "Preformatted text" }, pieces());
    case "rich_text_list":
      return list(part, names);
    default:
      return el("div", { class: "line" }, pieces());
  }
}

function list(part, names) {
  const isOrdered = part.style === "ordered";
  const node = el(isOrdered ? "ol" : "ul", { class: `indent-${Math.min(part.indent ?? 0, 8)}` });
  if (isOrdered && part.offset) node.start = part.offset + 1;
  for (const item of part.elements ?? []) {
    node.append(el("li", {}, (item.elements ?? []).map((piece) => styled(piece, names))));
  }
  return node;
}

function styled(piece, names) {
  const wanted = Object.keys(STYLES).filter((name) => piece.style?.[name]);
  return wanted.reduce((node, name) => el(STYLES[name], {}, node), bare(piece, names));
}

function bare(piece, names) {
  switch (piece.type) {
    case "text":
      return piece.text;
    case "link":
      return linkNode(piece.url, piece.text || piece.url);
    case "user":
      return personPill(piece.user_id, names);
    case "channel":
      return placePill(piece.channel_id, names);
    case "usergroup":
      return el("span", { class: "pill call" }, `@${piece.usergroup_id}`);
    case "broadcast":
      return el("span", { class: "pill call" }, `@${piece.range}`);
    case "emoji":
      return emojiNode(piece.name);
    case "date":
      return dateNode(piece.timestamp, piece.format, piece.fallback ?? "");
    default:
      return piece.value ?? piece.text ?? "";
  }
}
