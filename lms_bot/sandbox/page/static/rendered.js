// Zulip's rendered messages made live: local times, spoilers that open, tables that scroll, files, emoji.
// The HTML is the sandbox Zulip's own rendering, which escapes all text; the page's policy allows no script besides.

import { decoded } from "./api.js";

// Zulip's own web app says every time in these words, whatever the reader's language: "Fri, Nov 27 2026, 11:23 PM".
const shownTime = new Intl.DateTimeFormat("en-US", {
  weekday: "short", month: "short", day: "numeric", year: "numeric", hour: "numeric", minute: "2-digit", hour12: true,
});
const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
// The page's policy allows no element a style of its own. Text cannot look like this: its "<" is escaped.
const ALIGNED_CELL = /<(t[hd]) style="text-align: (left|center|right);">/g;
const UPLOADS = "/user_uploads/";
let spoilers = 0;

/** The nodes of a rendered message, for `person`, who may see its files. */
export function fromRendered(html, person) {
  const aligned = html.replace(ALIGNED_CELL, '<$1 class="align-$2">');
  const parsed = new DOMParser().parseFromString(aligned, "text/html").body; // nothing in it is loaded or run yet
  parsed.querySelectorAll("time[datetime]").forEach(showLocally);
  parsed.querySelectorAll(".emoji").forEach(showEmoji);
  parsed.querySelectorAll(".spoiler-block").forEach(makeOpenable);
  parsed.querySelectorAll("table").forEach(letScroll);
  parsed.querySelectorAll("a[href]").forEach((link) => pointTo(link, person));
  parsed.querySelectorAll("img").forEach((image) => showImage(image, person));
  return [...parsed.childNodes].map((node) => document.adoptNode(node));
}

export function showLocally(time) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) return;
  time.textContent = inZulipsWords(at);
  time.title = fullTime.format(at);
}

function inZulipsWords(at) {
  const part = Object.fromEntries(shownTime.formatToParts(at).map(({ type, value }) => [type, value]));
  const { weekday, month, day, year, hour, minute, dayPeriod } = part;
  return `${weekday}, ${month} ${day} ${year}, ${hour}:${minute} ${dayPeriod}`;
}

/** The character of an emoji's code, as in "1f389" or "0031-20e3". */
export function emojiOf(code) {
  return String.fromCodePoint(...code.split("-").map((part) => parseInt(part, 16)));
}

function showEmoji(emoji) {
  const code = [...emoji.classList].find((name) => name.startsWith("emoji-"));
  if (code) emoji.textContent = emojiOf(code.slice("emoji-".length));
}

function makeOpenable(block) {
  const header = block.querySelector(":scope > .spoiler-header");
  const content = block.querySelector(":scope > .spoiler-content");
  if (!header || !content) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "spoiler-button";
  button.setAttribute("aria-expanded", "false");
  const title = header.textContent.trim();
  button.append(...(title ? inlineOf(header) : ["Spoiler"]));
  header.replaceChildren(button);
  content.id = `spoiler-${(spoilers += 1)}`;
  content.hidden = true;
  content.removeAttribute("aria-hidden");
  button.setAttribute("aria-controls", content.id);
  button.addEventListener("click", () => {
    content.hidden = !content.hidden;
    button.setAttribute("aria-expanded", String(!content.hidden));
  });
}

function inlineOf(header) {
  return [...header.children].flatMap((child) => [...child.childNodes]);
}

function letScroll(table) {
  const frame = document.createElement("div");
  frame.className = "table-frame";
  frame.tabIndex = 0;
  frame.setAttribute("role", "group");
  frame.setAttribute("aria-label", "Table");
  table.replaceWith(frame);
  frame.append(table);
}

function pointTo(link, person) {
  const address = link.getAttribute("href");
  if (address.startsWith(UPLOADS)) link.href = ownFile(address, person);
  link.target = "_blank";
  link.rel = "noopener noreferrer";
}

function showImage(image, person) {
  const address = image.getAttribute("data-original-src") ?? image.getAttribute("src") ?? "";
  if (!address.startsWith(UPLOADS)) return image.remove(); // pictures from elsewhere are not loaded
  const name = decoded(address.split("/").pop());
  image.src = ownFile(address, person);
  image.alt = name;
  image.closest("a")?.setAttribute("aria-label", `Open ${name}`);
}

function ownFile(address, person) {
  return `/files/${encodeURIComponent(person)}${address}`;
}
