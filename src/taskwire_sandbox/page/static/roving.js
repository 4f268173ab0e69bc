// A list of messages is one stop for Tab. The arrows move between rows, and Tab goes on to the tools of the row.

/** Choose the row that Tab reaches: the focused one, else the one that Tab reached before, else the last. */
export function rove(list, focused = document.activeElement) {
  const rows = [...list.querySelectorAll(".message")];
  const inside = rows.find((row) => row.contains(focused));
  const entry = inside ?? rows.find((row) => row.tabIndex === 0) ?? rows.at(-1);
  for (const row of rows) {
    row.tabIndex = row === entry ? 0 : -1;
    for (const tool of row.querySelectorAll(".tools button")) tool.tabIndex = row === inside ? 0 : -1;
  }
}

/** Move the focus from a row by an arrow key. */
export function step(row, key) {
  const rows = [...row.parentElement.querySelectorAll(".message")];
  rows[rows.indexOf(row) + (key === "ArrowUp" ? -1 : 1)]?.focus();
}
