// Makes elements, and keeps lists of them in step with values. Text only ever becomes text nodes.

const NEAR_THE_END = 60;

/** Make an element: attributes, listeners as `onClick`, then children (nodes, strings, or nothing). */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2).toLowerCase(), value);
    else if (name === "class") node.className = value;
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  return add(node, ...children);
}

/** Make a button with words on it. */
export function button(words, onClick, more = {}) {
  return el("button", { type: "button", class: "button", onClick, ...more }, words);
}

/** Make a button that shows only a sign. Its label says what it does. */
export function signButton(label, sign, onClick, more = {}) {
  return el("button", { type: "button", class: "icon", "aria-label": label, title: label, onClick, ...more }, sign);
}

/** Make a short note. */
export function note(...words) {
  return el("p", { class: "note" }, words);
}

/** Append children. Lists are flattened, and empty values are skipped. */
export function add(node, ...children) {
  node.append(...children.flat(Infinity).filter((child) => child || child === 0));
  return node;
}

/** Replace all children. */
export function fill(node, ...children) {
  node.replaceChildren();
  return add(node, ...children);
}

/**
 * Keep the children of `parent` in step with `items` ({key, signature, make}). An unchanged child stays as it is,
 * with its focus, selection and scroll position. So does a child in which somebody is writing.
 */
export function reconcile(parent, items) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let next = parent.firstElementChild;
  for (const item of items) {
    let node = old.get(item.key);
    old.delete(item.key);
    if (!node || (node.signature !== item.signature && !node.querySelector(".edit-box"))) {
      const made = Object.assign(item.make(), { signature: item.signature });
      made.dataset.key = item.key;
      if (node) {
        if (next === node) next = made;
        replaceNode(node, made);
      }
      node = made;
    }
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
  for (const node of old.values()) node.remove();
}

/** Replace a node by its new version, and restore the focus in it. */
export function replaceNode(node, made) {
  const focused = node.contains(document.activeElement) ? document.activeElement : null;
  const name = focused?.closest("[data-focus]")?.dataset.focus;
  node.replaceWith(made);
  if (!focused) return;
  (withFocusName(made, name) ?? made).focus({ preventScroll: true });
}

/** Find the element with this focus name. */
export function withFocusName(node, name) {
  return [...node.querySelectorAll("[data-focus]")].find((each) => name && each.dataset.focus === name);
}

/** Keep a list scrolled to its end when its content or its size changes, until the person scrolls away. */
export function stayAtTheEnd(list) {
  let isAtEnd = true;
  let size = "";
  const sizeNow = () => `${list.clientWidth} ${list.clientHeight} ${list.scrollHeight}`;
  const settle = () => {
    if (isAtEnd) list.scrollTop = list.scrollHeight;
    size = sizeNow();
  };
  list.addEventListener("scroll", () => {
    // New layout scrolls the list too. That does not mean that the person has scrolled away.
    if (size !== sizeNow()) return settle();
    isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_THE_END;
  });
  new ResizeObserver(settle).observe(list);
  new MutationObserver(settle).observe(list, { childList: true, subtree: true, characterData: true });
  return { goToEnd: () => ((isAtEnd = true), settle()) };
}

/** Show a short message below the top bar for seven seconds. */
export function toast(words, kind = "note") {
  const shown = el("p", { class: `toast ${kind}` }, words);
  document.getElementById("toasts").append(shown);
  setTimeout(() => shown.remove(), 7000);
}

/** Mark a button as busy until the promise settles. */
export async function withBusy(button, promise) {
  button.setAttribute("aria-busy", "true");
  try {
    return await promise;
  } finally {
    button.removeAttribute("aria-busy");
  }
}
