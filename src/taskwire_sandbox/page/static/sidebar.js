// The left side: channels, direct messages and the app, and at the top the choice of the present person.

import { act } from "./control.js";
import { el, fill, toast, withFocusName } from "./dom.js";

const TINTS = 6;

/** Draw the initials of a person or the bot on a color of their own. */
export function avatar(id, world, kind = "") {
  const user = world.people.get(id);
  if (id === world.bot) return el("img", { class: `avatar ${kind}`, src: "/page/icon.svg", alt: "" });
  const name = world.person(id) || "?";
  const initials = name.split(/\s+/).slice(0, 2).map((word) => word[0]).join("");
  const tint = [...(user?.id ?? name)].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % TINTS;
  return el("span", { class: `avatar tint-${tint} ${kind}`, "aria-hidden": "true" }, initials.toUpperCase());
}

/** Show the present person and the people to choose from. */
export function showPeople(node, world) {
  const button = (user) => {
    const isMe = user.id === world.me;
    const name = `${world.person(user.id)}${world.isGuest(user.id) ? ", a guest" : ""}`;
    const label = isMe ? `You are ${name}` : `Be ${name}`;
    const given = { type: "button", class: "person", "aria-pressed": String(isMe), "aria-label": label };
    const more = { title: label, "data-focus": `person/${user.id}`, onClick: () => world.switchPerson(user.id) };
    const first = el("span", {}, world.person(user.id).split(" ")[0], world.isGuest(user.id) && " (guest)");
    return el("button", { ...given, ...more }, avatar(user.id, world, "tiny"), first);
  };
  keepingFocus(node, () => fill(node, el("span", { class: "people-label" }, "You are"), world.members().map(button)));
}

/** Show the conversations that can be opened. */
export function showSidebar(node, world) {
  const places = [...world.places.values()].filter((place) => world.canSee(place) && !place.is_archived);
  const channels = places.filter((place) => !place.is_im && !place.is_mpim);
  const withBot = world.direct(world.bot)?.id;
  const direct = places.filter((place) => (place.is_im || place.is_mpim) && place.id !== withBot);
  const list = (title, items) =>
    items.length ? [el("h2", {}, title), el("ul", {}, items.map((item) => el("li", {}, item)))] : null;
  keepingFocus(node, () =>
    fill(
      node,
      el("p", { class: "team" }, teamName(world)),
      list("Channels", channels.map((place) => entry(place, world))),
      list("Direct messages", direct.map((place) => entry(place, world))),
      list("Apps", [appEntry(world)]),
      list("Shortcuts", shortcuts(world)),
    ),
  );
}

function teamName(world) {
  const domain = world.team?.domain ?? "";
  return domain.charAt(0).toUpperCase() + domain.slice(1);
}

function keepingFocus(node, draw) {
  const name = node.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  draw();
  if (name) withFocusName(node, name)?.focus();
}

function line(world, { id, sign, name, isHere, onClick }) {
  const unread = world.unread.get(id) ?? 0;
  const given = {
    type: "button",
    class: unread ? "place unread" : "place",
    "aria-current": isHere ? "page" : undefined,
    "aria-label": unread ? `${name}, ${unread} new` : name,
    title: name,
    "data-focus": `place/${id}`,
    onClick,
  };
  const badge = unread ? el("span", { class: "count" }, String(unread)) : null;
  const signed = el("span", { class: "sign", "aria-hidden": "true" }, sign);
  return el("button", given, signed, el("span", { class: "name" }, name), badge);
}

function entry(place, world) {
  const sign = place.is_im ? "●" : place.is_private ? "🔒" : "#";
  const isHere = place.id === world.channel;
  return line(world, { id: place.id, sign, name: world.place(place.id), isHere, onClick: () => world.open(place.id) });
}

function appEntry(world) {
  const direct = world.direct(world.bot);
  const isHere = Boolean(direct) && direct.id === world.channel;
  const tab = world.hasHome ? "home" : "messages";
  const onClick = () => world.openApp(tab).catch((refused) => toast(refused.message, "bad"));
  const face = avatar(world.bot, world, "tiny");
  return line(world, { id: direct?.id ?? "app", sign: face, name: world.person(world.bot), isHere, onClick });
}

function shortcuts(world) {
  const use = (shortcut) => act("shortcut", { user: world.me, callback_id: shortcut.callback_id });
  const report = (answer) => answer?.failure && toast(answer.failure, "bad");
  return (world.shortcuts ?? [])
    .filter((each) => each.type === "global")
    .map((each) => {
      const onClick = () => use(each).then(report, (refused) => toast(refused.message, "bad"));
      return line(world, { id: each.callback_id, sign: "⚡", name: each.name, isHere: false, onClick });
    });
}
