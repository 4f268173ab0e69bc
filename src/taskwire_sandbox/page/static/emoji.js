// The emoji that the bot and the people of the demo use, by Slack's names.

const TABLE = {
  alarm_clock: "⏰",
  arrow_forward: "▶️",
  arrows_counterclockwise: "🔄",
  ballot_box_with_check: "☑️",
  bell: "🔔",
  bug: "🐛",
  bulb: "💡",
  clipboard: "📋",
  clock3: "🕒",
  double_vertical_bar: "⏸️",
  eyes: "👀",
  fire: "🔥",
  gear: "⚙️",
  grey_question: "❔",
  hammer_and_wrench: "🛠️",
  heart: "❤️",
  heavy_check_mark: "✔️",
  hourglass: "⌛",
  hourglass_flowing_sand: "⏳",
  information_source: "ℹ️",
  joy: "😂",
  key: "🔑",
  leftwards_arrow_with_hook: "↩️",
  large_blue_circle: "🔵",
  large_green_circle: "🟢",
  large_orange_circle: "🟠",
  link: "🔗",
  lock: "🔒",
  mag: "🔍",
  memo: "📝",
  mute: "🔇",
  no_bell: "🔕",
  no_entry: "⛔",
  no_entry_sign: "🚫",
  octagonal_sign: "🛑",
  page_facing_up: "📄",
  paperclip: "📎",
  pause_button: "⏸️",
  pencil2: "✏️",
  "+1": "👍",
  "-1": "👎",
  pray: "🙏",
  question: "❓",
  raised_hands: "🙌",
  raising_hand: "🙋",
  red_circle: "🔴",
  robot_face: "🤖",
  rocket: "🚀",
  rotating_light: "🚨",
  slightly_smiling_face: "🙂",
  smile: "😄",
  sparkles: "✨",
  speech_balloon: "💬",
  tada: "🎉",
  thinking_face: "🤔",
  thread: "🧵",
  thumbsdown: "👎",
  thumbsup: "👍",
  wastebasket: "🗑️",
  warning: "⚠️",
  wave: "👋",
  white_check_mark: "✅",
  white_circle: "⚪",
  wrench: "🔧",
  x: "❌",
  zap: "⚡",
};

/** The emoji that a person can pick from. */
export const PICKED = [
  "+1",
  "eyes",
  "white_check_mark",
  "tada",
  "heart",
  "raised_hands",
  "thinking_face",
  "octagonal_sign",
  "robot_face",
];

/** List the names that begin with these letters. */
export function namesBeginning(start) {
  return Object.keys(TABLE).filter((name) => name.startsWith(start));
}

/** Return the character for a name, or nothing if the table does not have it. */
export function emojiSign(name) {
  return Object.hasOwn(TABLE, name) ? TABLE[name] : "";
}

/** Make the node for an emoji. An unknown emoji shows its name. */
export function emojiNode(name) {
  const sign = emojiSign(name);
  const node = document.createElement("span");
  node.className = "emoji";
  node.setAttribute("role", "img");
  node.setAttribute("aria-label", name.replaceAll("_", " "));
  node.title = `:${name}:`;
  node.textContent = sign || `:${name}:`;
  return node;
}
