// Editing a person's own message in place.

import { act } from "./control.js";
import { button, el, toast } from "./dom.js";
import { decodeEntities } from "./mrkdwn.js";

/**
 * Turn a message's content into a text box until it is saved or left. The row is not redrawn meanwhile.
 * `redraw` updates it afterwards.
 */
export function changeMessage(row, message, given, redraw) {
  const content = row.querySelector(".content");
  const before = [...content.childNodes];
  const value = asTyped(message.text);
  const box = el("textarea", { class: "edit-box", "aria-label": "Edit message", rows: "3", value });
  const leave = () => {
    content.replaceChildren(...before);
    row.focus();
    redraw();
  };
  const save = async () => {
    if (!box.value.trim()) return leave();
    try {
      await act("edit", { ...given, text: box.value });
      leave();
    } catch (refused) {
      toast(refused.message, "bad");
    }
  };
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave();
    else if (event.key === "Enter" && !event.shiftKey) save();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const buttons = el(
    "div",
    { class: "actions" },
    button("Cancel", leave),
    button("Save", save, { class: "button primary" }),
  );
  content.replaceChildren(box, buttons);
  box.focus();
}

/** Undo Slack's changes to the text: links lose their brackets, entities become characters. */
function asTyped(text) {
  return decodeEntities((text ?? "").replace(/<((?:https?|mailto):[^|>]+)(?:\|[^>]*)?>/g, "$1"));
}
