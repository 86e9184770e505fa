// Puts the page together: who one is, what the server tells, tabs on narrow screens, the theme.

import { decoded, getSchool } from "./api.js";
import * as behind from "./behind.js";
import * as conversation from "./conversation.js";
import * as school from "./school.js";

const place = (id) => document.getElementById(id);
const BOT_STATES = { here: "at work", starting: "starting …", away: "killed: it does not run" };
let feed = null;
let people = [];
let students = [];

// ---- who one is ----

function choose(person) {
  place("who").elements.role.value = person.role;
  fillNames(person.role);
  place("person").value = person.username;
  history.replaceState(null, "", `#${person.username}`);
  conversation.start(person.username, suggestionsFor(person), welcome(person));
  school.show(person);
  listen(person.username);
}

function fillNames(role) {
  const options = people.filter((one) => one.role === role).map((one) => new Option(one.name, one.username));
  place("person").replaceChildren(...options);
}

function suggestionsFor(person) {
  if (person.role === "student") return ["help", "history", "chart"];
  const own = students.find((one) => one.mentors.includes(person.username))?.username;
  if (person.role === "admin") return ["help", "health", "errors", "summary 7 days", "stats all", "audit"];
  return ["help", "students", "summary today", `history ${own}`, `chart ${own}`, "stats"];
}

function welcome(person) {
  if (person.role === "student") return "Ask the bot how you are doing.";
  if (person.role === "admin") return "Ask the bot whether all is well, or how the school is doing.";
  return "Let one of your students pass an exam in the school, or ask the bot something.";
}

const named = (username) => people.find((one) => one.username === username);

place("who").addEventListener("submit", (event) => event.preventDefault());
place("who").addEventListener("change", (event) => {
  if (event.target.name === "role") fillNames(event.target.value);
  choose(named(place("person").value));
});
window.addEventListener("hashchange", () => {
  const person = named(decoded(location.hash.slice(1)));
  if (person && person.username !== place("person").value) choose(person);
});

// ---- what the server tells ----

const HEARD = {
  conversation: conversation.showAll,
  message: hearMessage,
  gone: conversation.remove,
  typing: conversation.showTyping,
  away: (isAway) => say(isAway ? "Zulip is away. What the bot has to say comes when it is back." : ""),
  paths: behind.showAllPaths,
  path: behind.showPath,
  counts: behind.showCounts,
  trouble: showTrouble,
};

function listen(username) {
  feed?.close();
  feed = new EventSource(`/feed?person=${encodeURIComponent(username)}`); // connects again by itself
  for (const [kind, hear] of Object.entries(HEARD)) {
    feed.addEventListener(kind, (event) => hear(JSON.parse(event.data)));
  }
  feed.addEventListener("open", () => say(""));
  feed.addEventListener("error", () => {
    place("bot-state").textContent = "out of sight";
    say("The demo cannot be reached: it may have been ended. Trying again …");
  });
}

function hearMessage(told) {
  conversation.show(told);
  place("news").hidden = told.is_own || tabs[0].getAttribute("aria-selected") === "true";
}

function showTrouble(told) {
  behind.showTrouble(told);
  school.setAway(told.lms);
  place("bot-state").textContent = BOT_STATES[told.bot];
  place("conversation").dataset.bot = told.bot;
}

function say(words) {
  place("banner").textContent = words;
  place("banner").hidden = words === "";
}

// ---- tabs ----

const tabs = [...document.querySelectorAll("[role=tab]")];

function select(tab) {
  for (const one of tabs) {
    const isSelected = one === tab;
    one.setAttribute("aria-selected", String(isSelected));
    one.tabIndex = isSelected ? 0 : -1;
    place(one.getAttribute("aria-controls")).classList.toggle("selected", isSelected);
  }
  if (tab === tabs[0]) {
    place("news").hidden = true;
    conversation.scrollDown(); // it could not while it was out of sight
  }
}

tabs.forEach((tab, number) => {
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(number + step + tabs.length) % tabs.length];
    select(next);
    next.focus();
  });
});
document.querySelector(".skip").addEventListener("click", () => select(tabs[0])); // to where it leads
select(tabs[0]);

// ---- theme ----

const root = document.documentElement;
const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

function setTheme(theme) {
  if (theme) root.dataset.theme = theme;
  place("theme").setAttribute("aria-label", isDark() ? "Change to the light theme" : "Change to the dark theme");
}

place("theme").addEventListener("click", () => {
  setTheme(isDark() ? "light" : "dark");
  localStorage.setItem("theme", root.dataset.theme);
});
setTheme(localStorage.getItem("theme"));

// ---- begin ----

const described = await getSchool();
({ people, students } = described);
school.fill(described);
behind.prepare(students);
choose(named(decoded(location.hash.slice(1))) ?? people[0]);
