// The app's Home tab, as the bot publishes it for each person.

import { act } from "./control.js";
import { block as drawBlock } from "./blocks.js";
import { el, fill, note } from "./dom.js";

/** Show the tabs above the conversation with the bot, if the app's manifest has a Home. */
export function showTabs(node, world) {
  const isApp = world.currentPlace()?.id === world.direct(world.bot)?.id && Boolean(world.currentPlace());
  const tab = (name, words) => {
    const unread = name === "messages" ? world.unread.get(world.channel) : 0;
    const label = unread ? `${words}, ${unread} new` : undefined;
    const given = { type: "button", class: "tab", "aria-pressed": String(world.tab === name), "aria-label": label };
    const badge = unread ? el("span", { class: "count" }, String(unread)) : null;
    return el("button", { ...given, onClick: () => world.openApp(name) }, words, badge);
  };
  fill(node, isApp && world.hasHome ? [tab("home", "Home"), tab("messages", "Messages")] : []);
}

/** Show the blocks of the Home tab, or a note that it is empty. */
export function showHome(node, world) {
  const view = world.homeView;
  if (!view) {
    fill(node, note("The bot has not put anything here yet."));
    return;
  }
  if (node.dataset.version === `${view.id}/${view.hash}/${world.me}` && node.childElementCount) return;
  node.dataset.version = `${view.id}/${view.hash}/${world.me}`;
  const press = (block, element, value) => {
    const given = { user: world.me, view: view.id, action_id: element.action_id, block_id: block.block_id };
    return act("press", { ...given, value });
  };
  const state = (block, element) => view.state.values[block.block_id]?.[element.action_id];
  const place = { world, press, state, suggest: async () => [], isPage: true };
  fill(node, view.blocks.map((block) => (block.type === "input" ? null : drawBlock(block, place))));
}
