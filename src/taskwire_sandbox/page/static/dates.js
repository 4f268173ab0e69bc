// Times as people read them: the times of messages, and Slack's date tokens, which the page keeps up to date.

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

const show = (options) => new Intl.DateTimeFormat("en", options);
const TIME = show({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const TIME_SECONDS = show({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const LONG = show({ weekday: "long", year: "numeric", month: "long", day: "numeric" });
const PLAIN = show({ year: "numeric", month: "long", day: "numeric" });
const SHORT = show({ year: "numeric", month: "short", day: "numeric" });
const WEEKDAY = show({ weekday: "long", month: "long", day: "numeric" });

/** Return the time of day of a message's ts. */
export function timeOf(ts) {
  return TIME.format(new Date(Number(ts) * 1000));
}

/** Return the full date and time of a message's ts. */
export function momentOf(ts) {
  const date = new Date(Number(ts) * 1000);
  return `${LONG.format(date)} at ${TIME_SECONDS.format(date)}`;
}

/** Return the day of a message's ts: Today, Yesterday, or its date. */
export function dayOf(ts) {
  return pretty(new Date(Number(ts) * 1000), WEEKDAY);
}

/** Return how long ago something was, or how soon it will be. */
function relativeTime(seconds) {
  const distance = Math.abs(seconds);
  if (distance < 45) return seconds < 0 ? "in a few seconds" : "a few seconds ago";
  const [count, unit] =
    distance < 50 * MINUTE
      ? [Math.max(1, Math.round(distance / MINUTE)), "minute"]
      : distance < 22 * HOUR
        ? [Math.max(1, Math.round(distance / HOUR)), "hour"]
        : [Math.max(1, Math.round(distance / DAY)), "day"];
  const words = `${count} ${unit}${count === 1 ? "" : "s"}`;
  return seconds < 0 ? `in ${words}` : `${words} ago`;
}

function pretty(date, otherwise) {
  const day = (moment) => new Date(moment.getFullYear(), moment.getMonth(), moment.getDate());
  const days = Math.round((day(new Date()) - day(date)) / (DAY * 1000));
  return { 0: "Today", 1: "Yesterday", [-1]: "Tomorrow" }[days] ?? otherwise.format(date);
}

const FORMATS = {
  date_num: (date) => date.toISOString().slice(0, 10),
  date: (date) => PLAIN.format(date),
  date_slash: (date) => date.toLocaleDateString("en"),
  date_short: (date) => SHORT.format(date),
  date_long: (date) => LONG.format(date),
  date_pretty: (date) => pretty(date, PLAIN),
  date_short_pretty: (date) => pretty(date, SHORT),
  date_long_pretty: (date) => pretty(date, LONG),
  time: (date) => TIME.format(date),
  time_secs: (date) => TIME_SECONDS.format(date),
  ago: (date) => relativeTime((Date.now() - date) / 1000),
};

function written(format, date) {
  return format.replace(/\{(\w+)\}/g, (whole, name) => FORMATS[name]?.(date) ?? whole);
}

/** Make the node for a date token. If the timestamp is not valid, the node shows the fallback. */
export function dateNode(timestamp, format, fallback) {
  const date = new Date(Number(timestamp) * 1000);
  if (Number.isNaN(date.getTime())) return document.createTextNode(fallback);
  const node = document.createElement("time");
  node.dateTime = date.toISOString();
  node.dataset.format = format;
  node.title = `${LONG.format(date)} at ${TIME_SECONDS.format(date)}`;
  node.textContent = written(format, date);
  return node;
}

/** Update all relative times on the page every second. */
export function keepTime() {
  setInterval(() => {
    for (const node of document.querySelectorAll("time[data-format*='ago']")) {
      const words = written(node.dataset.format, new Date(node.dateTime));
      if (words !== node.textContent) node.textContent = words;
    }
  }, 1000);
}
