// The markdown block, as far as messages use it: headings, lists, quotes, fences, emphasis, code and links.

import { el } from "./dom.js";
import { linkNode } from "./links.js";

const INLINE = new RegExp(
  [
    "`(?<code>[^`\\n]+)`",
    "\\*\\*(?=\\S)(?<bold>.+?)\\*\\*",
    "(?<![\\w*])[*_](?=\\S)(?<italic>[^*_\\n]*?\\S)[*_](?![\\w*])",
    "~~(?=\\S)(?<struck>.+?)~~",
    "\\[(?<label>[^\\]\\n]+)\\]\\((?<url>[^\\s)]+)\\)",
    "(?<bare>https?://[^\\s<>)]*[^\\s<>).,;:!?])",
  ].join("|"),
  "g",
);

/** Draw a Markdown text. */
export function markdown(text) {
  const node = el("div", { class: "rich" });
  let lines = text.replace(/\r/g, "").split("\n");
  while (lines.length) lines = takeBlock(lines, node);
  return node;
}

function takeBlock(lines, node) {
  const [first] = lines;
  if (/^\s*```/.test(first)) return takeFence(lines, node);
  const heading = /^(#{1,6})\s+(.*)$/.exec(first);
  if (heading) {
    node.append(el("p", { class: "heading" }, inline(heading[2])));
    return lines.slice(1);
  }
  if (/^\s*>/.test(first)) {
    return takeWhile(lines, /^\s*>\s?/, (body) => node.append(el("blockquote", {}, body.map(broken))));
  }
  if (/^\s*[-*+]\s+/.test(first)) {
    return takeWhile(lines, /^\s*[-*+]\s+/, (body) => node.append(el("ul", {}, body.map(item))));
  }
  if (/^\s*\d+[.)]\s+/.test(first)) {
    return takeWhile(lines, /^\s*\d+[.)]\s+/, (body) => node.append(el("ol", {}, body.map(item))));
  }
  if (first.trim()) node.append(el("p", {}, inline(first)));
  return lines.slice(1);
}

function takeFence(lines, node) {
  const end = lines.findIndex((line, number) => number > 0 && /^\s*```\s*$/.test(line));
  const body = lines.slice(1, end < 0 ? lines.length : end);
  node.append(el("pre", { tabindex: "0" }, body.join("\n")));
  return end < 0 ? [] : lines.slice(end + 1);
}

function takeWhile(lines, mark, put) {
  const end = lines.findIndex((line) => !mark.test(line));
  const body = end < 0 ? lines : lines.slice(0, end);
  put(body.map((line) => line.replace(mark, "")));
  return lines.slice(body.length);
}

const item = (words) => el("li", {}, inline(words));
const broken = (words, number) => [number ? el("br") : "", inline(words)];

function inline(text) {
  const made = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const { code, bold, italic, struck, label, url, bare } = match.groups;
    if (match.index > end) made.push(text.slice(end, match.index));
    end = match.index + match[0].length;
    if (code) made.push(el("code", {}, code));
    else if (bold) made.push(el("strong", {}, inline(bold)));
    else if (italic) made.push(el("em", {}, inline(italic)));
    else if (struck) made.push(el("s", {}, inline(struck)));
    else made.push(linkNode(url ?? bare, label ?? bare));
  }
  if (end < text.length) made.push(text.slice(end));
  return made;
}
