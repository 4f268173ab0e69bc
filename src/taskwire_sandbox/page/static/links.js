// Where links lead. Most open a new tab. A link to a place in this demo opens that place here instead.

import { toast } from "./dom.js";

const PERMALINK = /^https:\/\/[\w-]+\.slack\.com\/archives\/([A-Z0-9]+)\/p(\d+)(\d{6})$/;
// The stand-in's agents say that they push here. The address does not exist, so nobody should see its 404.
const INVENTED = "https://github.com/acme/";

/** Return the address if a browser may open it, else an empty string. */
export function safeAddress(address) {
  try {
    const url = new URL(String(address));
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : "";
  } catch {
    return "";
  }
}

/** Make a link. An address that may not be opened shows as text. */
export function linkNode(address, ...words) {
  const href = safeAddress(address);
  const node = document.createElement(href ? "a" : "span");
  if (href) Object.assign(node, { href, target: "_blank", rel: "noopener noreferrer", className: "link" });
  node.append(...words);
  return node;
}

/** Read a message's permalink. */
export function readPermalink(address) {
  const url = new URL(address);
  const found = PERMALINK.exec(url.origin + url.pathname);
  if (!found) return null;
  const ts = `${found[2]}.${found[3]}`;
  return { channel: found[1], ts, thread: url.searchParams.get("thread_ts") || ts };
}

/** Open a place in this demo. Returns false if the address leads elsewhere. */
export function openHere(address, { world, coderUrl, showTask }) {
  const message = readPermalink(address);
  if (message) {
    world.open(message.channel, message.thread);
    return true;
  }
  // Coder's page with a token is a real page of the stand-in.
  if (coderUrl && address.startsWith(coderUrl) && address !== `${coderUrl}/cli-auth`) {
    showTask(decodeURIComponent(new URL(address).pathname.split("/").pop()));
    return true;
  }
  if (address.startsWith(INVENTED)) {
    toast(`The agent only pretends to work, so this page does not exist: ${address}`);
    return true;
  }
  return false;
}
