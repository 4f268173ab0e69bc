// Files: how they look below a message, a preview of text files, and the files that a person attaches.

import { fileAddress, fileText } from "./control.js";
import { el, fill, note } from "./dom.js";

const PREVIEW_LINES = 8;
const LARGEST = 10 * 1024 * 1024;

/** Return a size as text. */
export function sizeOf(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 ** 2 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1024 ** 2).toFixed(1)} MB`;
}

/** Draw a shared file. */
export function fileCard(file) {
  const name = file.title || file.name || "file";
  const head = el(
    "div",
    { class: "file-head" },
    el("span", { class: "file-icon", "aria-hidden": "true" }, "📄"),
    el("span", { class: "file-name" }, name),
    el("span", { class: "note" }, `${file.pretty_type ?? file.filetype ?? ""} · ${sizeOf(file.size ?? 0)}`),
    el("a", { class: "button small", href: fileAddress(file), download: file.name ?? name }, "Download"),
  );
  const card = el("div", { class: "file", role: "group", "aria-label": `File ${name}` }, head);
  if (file.mode === "snippet") card.append(preview(file));
  return card;
}

function preview(file) {
  const shown = el("div", { class: "file-preview" }, note("Reading…"));
  fileText(file)
    .then((text) => unfold(shown, text))
    .catch((refused) => fill(shown, note(refused.message)));
  return shown;
}

function unfold(shown, text) {
  const lines = text.split("\n");
  const code = el("pre", { tabindex: "0", "aria-label": "The file's text" }, lines.slice(0, PREVIEW_LINES).join("\n"));
  fill(shown, code);
  if (lines.length <= PREVIEW_LINES) return;
  const more = `Show all ${lines.length} lines`;
  const toggle = el("button", { type: "button", class: "quiet", "aria-expanded": "false" }, more);
  toggle.addEventListener("click", () => {
    const isOpen = toggle.getAttribute("aria-expanded") === "false";
    toggle.setAttribute("aria-expanded", String(isOpen));
    toggle.textContent = isOpen ? "Show less" : more;
    code.textContent = isOpen ? text : lines.slice(0, PREVIEW_LINES).join("\n");
  });
  shown.append(toggle);
}

/** Read a chosen file into the form in which it is posted, or null if it is too large. */
export async function attachment(file) {
  if (file.size > LARGEST) return null;
  const bytes = new Uint8Array(await file.arrayBuffer());
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return { name: file.name, base64: btoa(binary) };
}
