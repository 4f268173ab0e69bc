// The question before an action: from a button's `confirm`, or one of the page's own.

import { button, el } from "./dom.js";

/** Ask. Resolves to whether the person confirmed. */
export function askToConfirm({ title, text, confirm, deny, style }) {
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
