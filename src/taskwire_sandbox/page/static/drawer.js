// In a narrow window the sidebar is a drawer. A button opens it; a choice, Escape or a click elsewhere closes it.

/** Let `button` open the sidebar over the rest of `pane`. */
export function keepDrawer(pane, button, sidebar) {
  const isOpen = () => pane.dataset.places === "open";
  const setOpen = (wanted) => {
    pane.dataset.places = wanted ? "open" : "shut";
    button.setAttribute("aria-expanded", String(wanted));
  };
  button.addEventListener("click", () => {
    setOpen(!isOpen());
    if (isOpen()) (sidebar.querySelector("[aria-current]") ?? sidebar.querySelector("button"))?.focus();
  });
  sidebar.addEventListener("click", (event) => event.target.closest("button") && setOpen(false));
  document.addEventListener("pointerdown", ({ target }) => {
    if (isOpen() && !sidebar.contains(target) && !button.contains(target)) setOpen(false);
  });
  sidebar.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !isOpen()) return;
    setOpen(false);
    button.focus();
  });
}
