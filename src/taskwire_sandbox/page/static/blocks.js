// Block Kit as nodes, for messages, dialogs and the Home tab. The inputs of dialogs are in `dialogs`.

import { el } from "./dom.js";
import { actionElement, imageNote } from "./elements.js";
import { emojiNode, emojiSign } from "./emoji.js";
import { linkNode } from "./links.js";
import { markdown } from "./markdown.js";
import { mrkdwn } from "./mrkdwn.js";
import { richText } from "./richtext.js";

const EMOJI = /:([a-z0-9_+'-]+):/g;

/** Draw a text object. */
export function text(given, names) {
  if (given.type === "mrkdwn") return mrkdwn(given.text, names);
  if (given.emoji === false) return document.createTextNode(given.text);
  const shown = document.createDocumentFragment();
  let end = 0;
  for (const match of given.text.matchAll(EMOJI)) {
    if (!emojiSign(match[1])) continue;
    shown.append(given.text.slice(end, match.index), emojiNode(match[1]));
    end = match.index + match[0].length;
  }
  shown.append(given.text.slice(end));
  return shown;
}

const DRAWERS = {
  section: (block, place) =>
    el(
      "div",
      { class: "block section" },
      el(
        "div",
        { class: "section-words" },
        block.text && el("div", {}, text(block.text, place.world)),
        block.fields && el("div", { class: "pairs" }, block.fields.map((each) => pair(each, place))),
      ),
      block.accessory && el("div", { class: "accessory" }, actionElement(block, block.accessory, place)),
    ),
  header: (block, place) => el(place.isPage ? "h2" : "h3", { class: "block header" }, text(block.text, place.world)),
  divider: () => el("hr", { class: "block" }),
  context: (block, place) =>
    el(
      "div",
      { class: "block context" },
      block.elements.map((each) =>
        each.type === "image" ? imageNote(each) : el("span", {}, text(each, place.world)),
      ),
    ),
  actions: (block, place) =>
    el("div", { class: "block actions" }, block.elements.map((element) => actionElement(block, element, place))),
  context_actions: (block, place) => {
    const elements = block.elements.filter((each) => each.text);
    return DRAWERS.actions({ ...block, elements }, place);
  },
  rich_text: (block, place) => el("div", { class: "block" }, richText(block, place.world)),
  markdown: (block) => el("div", { class: "block" }, markdown(block.text)),
  image: (block) => {
    const caption = block.title && el("figcaption", {}, block.title.text);
    return el("figure", { class: "block" }, imageNote(block), caption);
  },
  video: (block) => el("p", { class: "block" }, linkNode(block.video_url, block.title.text)),
  alert: (block, place) => el("p", { class: `block alert ${block.level ?? ""}` }, text(block.text, place.world)),
  table: (block, place) =>
    el(
      "table",
      { class: "block" },
      block.rows.map((row, number) => el("tr", {}, row.map((cell) => tableCell(cell, number, place)))),
    ),
};

function pair(given, place) {
  return el("div", {}, text(given, place.world));
}

function tableCell(cell, number, place) {
  const words = cell.type === "rich_text" ? richText(cell, place.world) : (cell.text ?? String(cell.value ?? ""));
  return el(number ? "td" : "th", {}, words);
}

/** Draw a block. A block of an unknown kind shows a note about that, so it is not lost silently. */
export function block(given, place) {
  const draw = DRAWERS[given.type];
  if (draw) return draw(given, place);
  return el("p", { class: "block note" }, `This page cannot show a block of type ${given.type}.`);
}

/** Draw blocks in their order. */
export function blocks(given, place) {
  return (given ?? []).map((each) => block(each, place));
}
