// Making elements, and keeping a list of them in step with values. Text only ever becomes text nodes.

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

/** Make a button that shows only a sign; its label says what it does. */
export function signButton(label, sign, onClick, more = {}) {
  return el("button", { type: "button", class: "icon", "aria-label": label, title: label, onClick, ...more }, sign);
}

/** Make a short note. */
export function note(...words) {
  return el("p", { class: "note" }, words);
}

/** Append children; lists are flattened and nothing is left out. */
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
 * Keep the children of `parent` in step with `items` ({key, signature, make}): what has not changed stays as
 * it is, with its focus, selection and scroll position. So does what somebody is writing in.
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
        swap(node, made);
      }
      node = made;
    }
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
  for (const node of old.values()) node.remove();
}

/** Put a new version of something in its place, and the focus where it was. */
export function swap(node, made) {
  const focused = node.contains(document.activeElement) ? document.activeElement : null;
  const name = focused?.closest("[data-focus]")?.dataset.focus;
  node.replaceWith(made);
  if (!focused) return;
  (withFocusName(made, name) ?? made).focus({ preventScroll: true });
}

/** Find the element that is called so for the sake of keeping the focus. */
export function withFocusName(node, name) {
  return [...node.querySelectorAll("[data-focus]")].find((each) => name && each.dataset.focus === name);
}

/** Let a scrolled list stay at its end, whatever happens to its content or its size, until somebody leaves it. */
export function stayAtTheEnd(list) {
  let isAtEnd = true;
  let size = "";
  const sizeNow = () => `${list.clientWidth} ${list.clientHeight} ${list.scrollHeight}`;
  const settle = () => {
    if (isAtEnd) list.scrollTop = list.scrollHeight;
    size = sizeNow();
  };
  list.addEventListener("scroll", () => {
    // What is laid out anew moves too: that is nobody's wish to look elsewhere.
    if (size !== sizeNow()) return settle();
    isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_THE_END;
  });
  new ResizeObserver(settle).observe(list);
  new MutationObserver(settle).observe(list, { childList: true, subtree: true, characterData: true });
  return { goToEnd: () => ((isAtEnd = true), settle()) };
}

/** Say something short at the edge of the window for a few seconds. */
export function toast(words, kind = "note") {
  const shown = el("p", { class: `toast ${kind}` }, words);
  document.getElementById("toasts").append(shown);
  setTimeout(() => shown.remove(), 7000);
}

/** Let a button show that it waits, until the promise is settled; nobody presses it twice meanwhile. */
export async function waiting(button, promise) {
  button.setAttribute("aria-busy", "true");
  try {
    return await promise;
  } finally {
    button.removeAttribute("aria-busy");
  }
}
