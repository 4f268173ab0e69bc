// The question before a deed: what a button's `confirm` asks, and the page's own questions.

import { button, el } from "./dom.js";

/** Ask; resolves to whether the person confirmed. */
export function confirmed({ title, text, confirm, deny, style }) {
  return new Promise((resolve) => {
    const kind = style === "danger" ? "button danger" : "button primary";
    const dialog = el(
      "dialog",
      { class: "modal small", "aria-labelledby": "question" },
      el("header", {}, el("h2", { id: "question" }, title?.text ?? "Are you sure?")),
      el("div", { class: "modal-body" }, el("p", {}, text?.text ?? "")),
      el(
        "footer",
        {},
        button(deny?.text ?? "Cancel", () => dialog.close("")),
        button(confirm?.text ?? "Yes", () => dialog.close("yes"), { class: kind }),
      ),
    );
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
    document.getElementById("dialogs").append(dialog);
    dialog.showModal();
  });
}
