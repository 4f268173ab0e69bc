// The inputs of dialogs and messages: all elements that hold a value, in the form that the stand-in's acts take.

import { el } from "./dom.js";

const FORMS = {
  email_text_input: "email",
  url_text_input: "url",
  number_input: "number",
  datepicker: "date",
  timepicker: "time",
};
const SIMPLE = [
  "selected_user",
  "selected_conversation",
  "selected_channel",
  "selected_date",
  "selected_time",
  "selected_date_time",
  "selected_users",
  "selected_conversations",
  "selected_channels",
];

/** Read a value from an element's part of the view state. */
export function valueOf(state) {
  if (!state) return null;
  if ("selected_option" in state) return state.selected_option?.value ?? null;
  if ("selected_options" in state) return (state.selected_options ?? []).map((option) => option.value);
  if ("rich_text_value" in state) return state.rich_text_value ?? null;
  const simple = SIMPLE.find((key) => key in state);
  return simple ? state[simple] : (state.value ?? null);
}

/** Read the initial value of an element of a message. */
export function initialOf(element) {
  const one = (key) => element[key];
  const options = one("initial_options")?.map((option) => option.value);
  const names = ["user", "users", "conversation", "conversations", "channel", "channels", "date", "time", "date_time"];
  const named = names.map((name) => one(`initial_${name}`)).find((value) => value !== undefined);
  return one("initial_value") ?? one("initial_option")?.value ?? options ?? named ?? null;
}

/**
 * Make an element that holds a value. It starts with `binding.value`. `binding.onChange(value, isDone)` is called for
 * each change; `isDone` means that the person has left the element or chosen. `binding.id` is for its label.
 */
export function field(element, binding, { world, suggest }) {
  const kind = element.type;
  if (kind === "plain_text_input") return textInput(element, binding);
  if (FORMS[kind]) return formInput(element, binding, FORMS[kind]);
  if (kind === "rich_text_input") return richInput(element, binding);
  if (kind === "datetimepicker") return momentInput(binding);
  if (kind === "radio_buttons") return choices(optionsOf(element), binding, "radio");
  if (kind === "checkboxes") return choices(optionsOf(element), binding, "checkbox");
  if (kind === "external_select") return searchInput(element, binding, suggest);
  if (kind === "file_input") return el("p", { class: "note" }, "Files cannot be chosen in this demo's dialogs.");
  const groups = groupsOf(element, world);
  if (kind.startsWith("multi_")) return choices(groups.flatMap((group) => group.options), binding, "checkbox", true);
  return menu(element, binding, groups);
}

function common(element, binding) {
  return {
    id: binding.id,
    placeholder: element.placeholder?.text,
    "data-focus": binding.focus,
    "data-autofocus": element.focus_on_load,
    "aria-label": binding.label,
    "aria-describedby": binding.describedBy,
  };
}

function typing(binding, read = (node) => node.value || null) {
  return {
    onInput: (event) => binding.onChange(read(event.target), false),
    onChange: (event) => binding.onChange(read(event.target), true),
  };
}

function textInput(element, binding) {
  const limits = { minlength: element.min_length, maxlength: element.max_length };
  const given = { ...common(element, binding), ...limits, ...typing(binding), value: binding.value ?? "" };
  if (element.multiline) return el("textarea", { rows: "4", ...given });
  return el("input", { type: "text", autocomplete: "off", ...given });
}

function formInput(element, binding, type) {
  const step = element.is_decimal_allowed ? "any" : undefined;
  const limits = { min: element.min_value, max: element.max_value, step };
  return el("input", { type, ...common(element, binding), ...limits, ...typing(binding), value: binding.value ?? "" });
}

function richInput(element, binding) {
  const lineOf = (part) => part.elements.map((piece) => piece.text ?? "").join("");
  const plain = (binding.value?.elements ?? []).map(lineOf).join("\n");
  const read = (node) => (node.value ? richOf(node.value) : null);
  return el("textarea", { rows: "4", ...common(element, binding), ...typing(binding, read), value: plain });
}

function richOf(text) {
  return { type: "rich_text", elements: [{ type: "rich_text_section", elements: [{ type: "text", text }] }] };
}

function momentInput(binding) {
  const local = (seconds) => {
    const date = new Date(seconds * 1000);
    return new Date(date - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  };
  const read = (node) => (node.value ? Math.floor(new Date(node.value).getTime() / 1000) : null);
  const given = { id: binding.id, "aria-label": binding.label, "data-focus": binding.focus, ...typing(binding, read) };
  return el("input", { type: "datetime-local", ...given, value: binding.value ? local(binding.value) : "" });
}

function optionsOf(element) {
  return (element.options ?? []).map(choice);
}

function choice(option) {
  return { value: option.value, label: option.text.text, description: option.description?.text };
}

function groupsOf(element, world) {
  if (element.option_groups) {
    return element.option_groups.map((group) => ({ label: group.label.text, options: group.options.map(choice) }));
  }
  if (element.options) return [{ label: "", options: optionsOf(element) }];
  if (element.type.includes("users")) {
    const options = world.members().map((user) => ({ value: user.id, label: world.person(user.id) }));
    return [{ label: "", options }];
  }
  const places = [...world.places.values()].filter((place) => world.canSee(place) && matchesFilter(place, element, world));
  const open = element.type.includes("channels") ? places.filter((place) => place.is_channel) : places;
  const named = (place) => (place.is_im ? world.place(place.id) : `#${place.name}`);
  return [{ label: "", options: open.map((place) => ({ value: place.id, label: named(place) })) }];
}

/** Return whether a select's own filter accepts a conversation. */
function matchesFilter(place, { filter = {} }, world) {
  const kind = place.is_im ? "im" : place.is_mpim ? "mpim" : place.is_private ? "private" : "public";
  if (filter.include && !filter.include.includes(kind)) return false;
  return !(filter.exclude_bot_users && place.is_im && place.members.some((id) => world.people.get(id)?.is_bot));
}

function menu(element, binding, groups) {
  const made = (option) => el("option", { value: option.value, selected: option.value === binding.value }, option.label);
  const listed = groups.map((group) =>
    group.label ? el("optgroup", { label: group.label }, group.options.map(made)) : group.options.map(made),
  );
  const empty = el("option", { value: "" }, element.placeholder?.text ?? "Choose…");
  const given = { ...common(element, binding), placeholder: undefined };
  const node = el("select", { ...given, onChange: () => binding.onChange(node.value || null, true) }, empty, listed);
  node.value = binding.value ?? "";
  return node;
}

function choices(options, binding, type, isScrolled = false) {
  const chosen = new Set([binding.value ?? []].flat());
  const read = (node) => {
    const values = [...node.querySelectorAll("input:checked")].map((input) => input.value);
    return type === "radio" ? (values[0] ?? null) : values;
  };
  const node = el("div", {
    class: isScrolled ? "choices scrolled" : "choices",
    id: binding.id,
    role: type === "radio" ? "radiogroup" : "group",
    "aria-label": binding.label,
    onChange: () => binding.onChange(read(node), true),
  });
  options.forEach((option, number) => {
    const focus = `${binding.focus}/${number}`;
    const checked = chosen.has(option.value);
    const given = { type, name: binding.id, value: option.value, checked, "data-focus": focus };
    const words = el("span", {}, option.label, option.description && el("small", {}, option.description));
    node.append(el("label", {}, el("input", given), words));
  });
  return node;
}

function searchInput(element, binding, suggest) {
  const found = new Map();
  const list = el("datalist", { id: `${binding.id}-list` });
  const offer = async (typed) => {
    if (typed.length < (element.min_query_length ?? 3)) return;
    const options = await suggest(element.action_id, typed);
    list.replaceChildren(...options.map((option) => el("option", { value: option.text.text })));
    for (const option of options) found.set(option.text.text, option.value);
  };
  const onInput = (event) => {
    const typed = event.target.value;
    if (found.has(typed)) binding.onChange(found.get(typed), true);
    else offer(typed);
  };
  const given = { ...common(element, binding), list: list.id, autocomplete: "off", value: binding.value ?? "", onInput };
  return el("span", { class: "search" }, el("input", { type: "text", ...given }), list);
}
