// What a person can use in messages, dialogs and the Home tab: buttons, menus, and fields that act at once.

import { el, toast, withBusy } from "./dom.js";
import { field, initialOf, valueOf } from "./fields.js";
import { safeAddress } from "./links.js";
import { askToConfirm } from "./confirm.js";
import { openMenu } from "./menu.js";

let count = 0;

/**
 * Make an element that acts when it is used. `place` is the surface that holds it: `press(block, element, value)`
 * sends the interaction, `state(block, element)` returns the entered value. It also has `world` and `suggest`.
 */
export function actionElement(block, element, place) {
  const focus = `${block.block_id}/${element.action_id}`;
  switch (element.type) {
    case "button":
    case "workflow_button":
      return button(block, element, place, focus);
    case "overflow":
      return overflow(block, element, place, focus);
    case "static_select":
      return isBareMenu(element, place, block)
        ? menuButton(block, element, place, focus)
        : actionField(block, element, place, focus);
    case "image":
      return imageNote(element);
    case "icon_button":
      return button(block, { ...element, type: "button" }, place, focus);
    default:
      return actionField(block, element, place, focus);
  }
}

/** Make a label in place of a picture, because the page loads nothing from other origins. */
export function imageNote(image) {
  const words = image.alt_text || image.title?.text || "picture";
  return el("span", { class: "picture", role: "img", "aria-label": words, title: image.image_url ?? "" }, words);
}

async function press(node, block, element, place, value) {
  if (element.confirm && !(await askToConfirm(element.confirm))) return false;
  try {
    const answer = await withBusy(node, place.press(block, element, value));
    if (answer?.failure) toast(answer.failure, "bad");
  } catch (refused) {
    toast(refused.message, "bad");
  }
  return true;
}

function button(block, element, place, focus) {
  const style = ["primary", "danger"].includes(element.style) ? element.style : "";
  const words = element.text.text;
  const given = { class: `button ${style}`, "data-focus": focus, "aria-label": element.accessibility_label };
  const href = safeAddress(element.url);
  // Slack opens the link, and also tells the app of the click.
  const onClick = () => press(node, block, element, place, element.value ?? null);
  const away = { href, target: "_blank", rel: "noopener noreferrer" };
  const node = href
    ? el("a", { ...given, ...away, onClick }, words, el("span", { class: "away", "aria-hidden": "true" }, "↗"))
    : el("button", { ...given, type: "button", onClick }, words);
  return node;
}

function overflow(block, element, place, focus) {
  const offered = element.options.map((option) => ({
    label: option.text.text,
    href: safeAddress(option.url),
    act: () => press(node, block, element, place, option.value),
  }));
  const onClick = () => openMenu(node, offered);
  const given = { class: "button", type: "button", "data-focus": focus, "aria-label": "More" };
  const node = el("button", { ...given, onClick }, "⋯");
  return node;
}

/** Return whether a select has nothing chosen and no groups, as the menu of a card. */
function isBareMenu(element, place, block) {
  return Boolean(element.options) && !(valueOf(place.state?.(block, element)) ?? initialOf(element));
}

/** As in Slack, what was chosen stays on the button until the app draws the row under another block id. */
function menuButton(block, element, place, focus) {
  const words = el("span", {}, element.placeholder?.text ?? "Choose");
  const offered = element.options.map((option) => ({
    label: option.text.text,
    description: option.description?.text,
    act: () => {
      words.textContent = option.text.text;
      press(node, block, element, place, option.value);
    },
  }));
  const given = { class: "button", type: "button", "data-focus": focus, "aria-haspopup": "menu" };
  const arrow = el("span", { class: "away", "aria-hidden": "true" }, "▾");
  const node = el("button", { ...given, onClick: () => openMenu(node, offered) }, words, arrow);
  return node;
}

function actionField(block, element, place, focus) {
  const value = valueOf(place.state?.(block, element)) ?? initialOf(element);
  const label = element.placeholder?.text ?? "Choose";
  const onChange = (given, isDone) => isDone && press(node, block, element, place, given);
  const node = field(element, { id: `acting-${(count += 1)}`, focus, label, value, onChange }, place);
  return node;
}
