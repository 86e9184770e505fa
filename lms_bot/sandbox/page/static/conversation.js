// The conversation with the bot: messages as Zulip renders them, reactions, typing, and a box to write in.

import { make, post } from "./api.js";
import { emojiOf, fromRendered, showLocally } from "./rendered.js";

const OFFERED = [{ name: "check", code: "2705", says: "Done" }, { name: "eyes", code: "1f440", says: "Seen" }];
const TOGETHER_SECONDS = 120; // messages of one sender so close to each other share a heading
const TYPING_SECONDS = 4;

const place = (id) => document.getElementById(id);
const list = place("messages");
const text = place("compose-text");

let person = null;
let edited = null; // the id of the message being edited
let typingSince = 0;
let isFollowing = true; // whether the newest message is to stay in sight
let placedAt = 0; // where the list was scrolled to; elsewhere, somebody reads
const messages = new Map(); // id -> { told, element }

export function start(chosen, suggestions, welcome) {
  person = chosen;
  stopEditing();
  showTyping(false);
  place("welcome-text").textContent = welcome;
  place("chips").replaceChildren(
    ...suggestions.map((words) => make("button", { type: "button", className: "chip", onclick: () => say(words) }, words)),
  );
  showAll([]);
  list.setAttribute("aria-busy", "true"); // until the server tells what there is
}

/** The whole conversation anew, as after a reconnection; what is unchanged stays as it is. */
export function showAll(told) {
  list.setAttribute("aria-busy", "true");
  const ids = new Set(told.map((message) => message.id));
  for (const id of [...messages.keys()]) if (!ids.has(id)) remove(id);
  told.forEach(show);
  list.setAttribute("aria-busy", "false");
  isFollowing = true;
  place("welcome").hidden = messages.size > 0;
  scrollDown();
}

export function show(told) {
  const known = messages.get(told.id);
  if (known && JSON.stringify(known.told) === JSON.stringify(told)) return;
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < list.clientHeight / 2;
  isFollowing = told.is_own || isAtEnd || list.scrollTop === placedAt;
  if (known && known.told.html === told.html) {
    renewReactions(known.element, told);
    known.told = told;
    return;
  }
  const element = makeMessage(told);
  if (known) known.element.replaceWith(element);
  else list.append(element);
  messages.set(told.id, { told, element });
  place("welcome").hidden = true;
  if (!told.is_own) showTyping(false);
  if (isFollowing) scrollDown();
}

export function remove(id) {
  messages.get(id)?.element.remove();
  messages.delete(id);
}

export function showTyping(isTyping) {
  place("typing").textContent = isTyping ? "LMS Bot is typing …" : "";
}

/** To the end; but a long message is read from its beginning. */
export function scrollDown() {
  const last = list.lastElementChild;
  list.scrollTop = last.offsetHeight > list.clientHeight ? last.offsetTop : list.scrollHeight;
  placedAt = list.scrollTop;
}

function followPicture() {
  if (isFollowing) scrollDown();
}

function makeMessage(told) {
  const at = new Date(told.sent_at * 1000);
  const time = make("time", { dateTime: at.toISOString() });
  showLocally(time);
  time.textContent = at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
  const shown = told.choices ? [makeChoices(told)] : fromRendered(told.html, person);
  const content = make("div", { className: "content" }, ...shown);
  content.querySelectorAll("img").forEach((image) => image.addEventListener("load", followPicture));
  const heading = make(
    "header", {},
    make("h3", {}, told.sender),
    ...(told.is_own ? [] : [make("span", { className: "badge" }, "bot")]),
    time,
    ...(told.is_edited ? [make("span", { className: "edited" }, "edited")] : []),
  );
  const element = make("article", { className: `message ${told.is_own ? "own" : "theirs"}`, id: `message-${told.id}` });
  element.append(makeFace(told), heading, content, makeReactions(told));
  element.classList.toggle("follows", isContinued(told));
  return element;
}

function isContinued(told) {
  const before = [...messages.values()].map((one) => one.told).filter((one) => one.id < told.id).pop();
  return Boolean(before) && before.sender === told.sender && told.sent_at - before.sent_at < TOGETHER_SECONDS;
}

function makeFace(told) {
  if (!told.is_own) return make("span", { className: "face bot", "aria-hidden": "true" });
  const letters = [...told.sender].slice(0, 1).join("");
  return make("span", { className: "face", "aria-hidden": "true" }, letters);
}

// ---- buttons ----

/** In place of the text, as Zulip's own web app shows them: clients without buttons show the text. */
function makeChoices({ id, choices: { heading, choices } }) {
  const items = choices.map((choice) => make(
    "li", {},
    make("button", { type: "button", className: "choice", onclick: () => say(choice.reply) }, choice.short_name),
    ...(choice.long_name ? [` ${choice.long_name}`] : []),
  ));
  return make(
    "div", { className: "widget", role: "group", "aria-labelledby": `asked-${id}` },
    make("p", { id: `asked-${id}` }, heading), make("ul", {}, ...items),
  );
}

// ---- reactions ----

/** The focus stays on the emoji it was on. */
function renewReactions(element, told) {
  const old = element.querySelector(".reactions");
  const renewed = makeReactions(told);
  const focused = old.contains(document.activeElement) ? document.activeElement.dataset.emoji : null;
  old.replaceWith(renewed);
  [...renewed.children].find((one) => one.dataset.emoji === focused)?.focus();
}

function makeReactions(told) {
  const byName = new Map();
  for (const one of told.reactions) byName.set(one.name, [...(byName.get(one.name) ?? []), one]);
  const given = [...byName.values()].map((group) => makeGiven(told, group));
  const offered = told.is_own ? [] : OFFERED.filter((one) => !byName.has(one.name)).map((one) => makeOffered(told, one));
  return make("div", { className: "reactions" }, ...given, ...offered);
}

function makeGiven(told, group) {
  const [{ name, code }] = group;
  const isOwn = group.some((one) => one.is_own);
  const names = group.map((one) => one.who).join(", ");
  return make(
    "button",
    {
      type: "button", className: "reaction given", "data-emoji": name, "aria-pressed": String(isOwn),
      "aria-label": `${name}: ${names}`, title: names, onclick: () => react(told.id, name, !isOwn),
    },
    emojiOf(code), make("span", {}, String(group.length)),
  );
}

function makeOffered(told, { name, code, says }) {
  return make(
    "button",
    {
      type: "button", className: "reaction", "data-emoji": name, "aria-pressed": "false",
      "aria-label": `${says}: react with ${name}`, title: `${says} :${name}:`, onclick: () => react(told.id, name, true),
    },
    emojiOf(code),
  );
}

const react = (message, emoji, isOn) => attempt(() => post("/react", { person, message, emoji, is_on: isOn }));

// ---- writing ----

const say = (content) => attempt(() => post("/say", { person, content }));

/** Does it, and says so below the box where it cannot be done. True if it was done. */
async function attempt(deed) {
  place("compose-error").textContent = "";
  try {
    await deed();
    return true;
  } catch (error) {
    place("compose-error").textContent = error.message;
    return false;
  }
}

async function send() {
  const content = text.value.trim();
  if (!content) return;
  const message = edited;
  stopEditing(); // the box is free at once: another Enter sends nothing twice
  tellTyping(false);
  const isDone = message === null ? await say(content) : await attempt(() => post("/edit", { person, message, content }));
  if (isDone || text.value) return;
  if (message !== null) startEditing(message);
  write(content);
}

async function editLast() {
  const last = [...messages.values()].map((one) => one.told).filter((one) => one.is_own).pop();
  if (!last) return;
  await attempt(async () => {
    const { content } = await post("/source", { person, message: last.id });
    startEditing(last.id);
    write(content);
    text.focus();
    text.setSelectionRange(content.length, content.length);
  });
}

function startEditing(id) {
  edited = id;
  place("editing").hidden = false;
  messages.get(id)?.element.classList.add("being-edited");
}

function stopEditing() {
  messages.get(edited)?.element.classList.remove("being-edited");
  edited = null;
  place("editing").hidden = true;
  write("");
}

/** Puts this into the box. */
function write(content) {
  text.value = content;
  fit();
}

function fit() {
  text.style.height = "auto";
  text.style.height = `${text.scrollHeight + 2}px`;
}

/** Zulip shows others for some seconds that one writes; so it is told again while one does. */
function tellTyping(isOn) {
  const now = Date.now();
  if (isOn ? now - typingSince < TYPING_SECONDS * 1000 : typingSince === 0) return;
  typingSince = isOn ? now : 0;
  post("/typing", { person, is_on: isOn }).catch(() => {}); // no matter if nobody hears of it
}

place("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
place("stop-editing").addEventListener("click", () => {
  stopEditing();
  text.focus();
});
text.addEventListener("input", () => {
  fit();
  tellTyping(text.value !== "");
});
text.addEventListener("keydown", (event) => {
  if (event.isComposing) return; // Enter ends the choice of a character there
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    send();
  } else if (event.key === "ArrowUp" && text.value === "") {
    event.preventDefault();
    editLast();
  } else if (event.key === "Escape" && edited !== null) {
    stopEditing();
  }
});
