// Small menus that open beside a button. Arrows move, Enter chooses, Escape and a click elsewhere close them.

import { el } from "./dom.js";

/** Open a menu of {label, act, description?, name?, kind?, href?} below a button. The focus returns to the button. */
export function openMenu(button, items, { isRow = false } = {}) {
  document.querySelector(".menu")?.dispatchEvent(new Event("close"));
  const menu = el("div", { class: isRow ? "menu row" : "menu", role: "menu" });
  const close = ({ isBack = true } = {}) => {
    menu.remove();
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", onOutside, true);
    if (isBack && button.isConnected) button.focus();
  };
  const onOutside = (event) => {
    if (!menu.contains(event.target)) close({ isBack: false });
  };
  for (const item of items) {
    const onClick = () => {
      close();
      item.act();
    };
    const given = { role: "menuitem", class: item.kind, "aria-label": item.name, title: item.name, onClick };
    const away = { href: item.href, target: "_blank", rel: "noopener noreferrer" };
    const words = [item.label, item.description && el("small", {}, item.description)];
    menu.append(item.href ? el("a", { ...given, ...away }, words) : el("button", { type: "button", ...given }, words));
  }
  menu.addEventListener("keydown", (event) => move(event, menu, close));
  menu.addEventListener("close", () => close({ isBack: false }));
  document.addEventListener("pointerdown", onOutside, true);
  button.setAttribute("aria-expanded", "true");
  // In the same landmark as the button. In a dialog, anything outside it would be out of reach.
  (button.closest("dialog, main, aside, nav") ?? document.body).append(menu);
  place(menu, button);
  menu.firstElementChild?.focus();
}

function move(event, menu, close) {
  const items = [...menu.children];
  const at = items.indexOf(document.activeElement);
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (step) items.at((at + step) % items.length).focus();
  else if (event.key === "Escape") close();
  else if (event.key === "Tab") close({ isBack: true });
  else return;
  event.stopPropagation();
  event.preventDefault();
}

/** Place the menu beside the button. It must not cover another pane, whose buttons belong to something else. */
function place(menu, button) {
  const at = button.getBoundingClientRect();
  const pane = button.closest(".conversation, .thread");
  const { offsetWidth: width, offsetHeight: height } = menu;
  const end = pane ? pane.getBoundingClientRect().right : window.innerWidth;
  const left = Math.max(8, Math.min(at.left, end - width - 8));
  const isBelow = at.bottom + height + 8 < window.innerHeight;
  menu.style.left = `${left}px`;
  menu.style.top = `${isBelow ? at.bottom + 4 : Math.max(8, at.top - height - 4)}px`;
}
