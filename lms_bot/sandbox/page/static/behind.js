// Behind the conversation: the path of each act from row to message, trouble to play, and what it all adds up to.

import { make, post } from "./api.js";

const DID = { start: "started", pass: "passed", fail: "failed", watch: "watched" };
const PATHS_SHOWN = 30;
const GATHERED = "What is started or watched is gathered for some minutes, so that nobody is flooded.";
const OVERTAKEN = "It was over before the bot looked, and a row says only what came last.";
const COUNTS = [
  ["rows", "Rows"], ["events", "Events"], ["deliveries", "Deliveries"], ["messages", "Messages"],
  ["waiting", "On the way"], ["lost", "Lost"], ["doubled", "Doubled"],
];
const TROUBLES = [
  { kind: "zulip", says: "Zulip is away", means: "It refuses connections, to the bot and to you." },
  { kind: "lms", says: "The LMS is away", means: "Its PostgreSQL is stopped." },
  { kind: "answers", says: "Answers get lost", means: "Zulip takes what the bot sends, without a word." },
  { kind: "bot", says: "The bot is killed", means: "kill -9; switching back starts it again." },
];

const place = (id) => document.getElementById(id);
const names = new Map();
const paths = new Map(); // id -> element
const switches = new Map();

export function prepare(students) {
  students.forEach((one) => names.set(one.username, one.name));
  place("troubles").replaceChildren(...TROUBLES.map(makeTrouble));
  place("counts").replaceChildren(...COUNTS.map(([name, says]) => makeCount(name, says)));
}

// ---- paths ----

export function showAllPaths(told) {
  place("paths").replaceChildren();
  paths.clear();
  told.forEach(showPath);
  place("latest").textContent = "";
}

export function showPath(told) {
  const known = paths.get(told.id);
  if (!known) {
    const element = makePath(told);
    paths.set(told.id, element);
    place("paths").prepend(element);
    while (place("paths").children.length > PATHS_SHOWN) place("paths").lastElementChild.remove();
  }
  place("no-paths").hidden = paths.size > 0;
  const element = paths.get(told.id);
  element.classList.toggle("done", told.is_done);
  element.querySelector(".total").textContent = told.is_done && told.total_ms !== null ? `${told.total_ms} ms` : "";
  if (told.id === Math.max(...paths.keys())) place("latest").textContent = summary(told);
  showHint(element.querySelector(".hint"), told);
  stagesOf(told).forEach((stage, number) => lightUp(element.querySelectorAll(".stage")[number], stage));
}

function showHint(hint, told) {
  hint.hidden = !told.is_overtaken && !told.delivery.waiting.includes("gathering");
  hint.textContent = told.is_overtaken ? OVERTAKEN : GATHERED;
}

/** The latest path in words, for where the lights are out of sight. */
function summary(told) {
  const deed = `${names.get(told.student) ?? told.student} ${DID[told.verb]} ${told.title}`;
  if (!told.messages.length) return `${deed}: written into the LMS …`;
  return `${deed}: ${told.messages.map((one) => one.to).join(" and ")} told after ${told.total_ms} ms.`;
}

function stagesOf(told) {
  const slowest = told.messages.reduce((most, one) => Math.max(most, one.ms ?? 0), 0);
  return [
    { isLit: true, ms: null, detail: told.row.replace("_", "_\u200b") },
    { isLit: Boolean(told.event), ms: told.event?.ms, detail: told.event ? `#${told.event.id}` : "" },
    {
      isLit: Boolean(told.delivery?.count), ms: told.delivery?.ms,
      detail: told.delivery?.count ? `for ${told.delivery.count}` : "",
    },
    {
      isLit: told.messages.length > 0, ms: told.messages.length ? slowest : null,
      detail: [...told.messages.map((one) => one.to), ...(told.delivery.waiting ?? []).map((one) => `${one} …`)].join(", "),
    },
  ];
}

function makePath(told) {
  const title = make(
    "p", { className: "title" },
    make("b", {}, names.get(told.student) ?? told.student), ` ${DID[told.verb]} `, make("q", {}, told.title),
  );
  const stages = ["Row", "Event", "Delivery", "Message"].map(makeStage);
  const hint = make("p", { className: "hint", hidden: true });
  const track = make("ol", { className: "track" }, ...stages);
  return make("li", { className: "path" }, title, make("span", { className: "total" }), track, hint);
}

function makeStage(name) {
  return make(
    "li", { className: "stage" },
    make("span", { className: "ms" }), make("span", { className: "light", "aria-hidden": "true" }),
    make("span", { className: "label" }, name), make("span", { className: "detail" }),
  );
}

function lightUp(element, { isLit, ms, detail }) {
  element.classList.toggle("lit", isLit);
  element.querySelector(".ms").textContent = isLit && ms !== null && ms !== undefined ? `${ms} ms` : "";
  element.querySelector(".detail").textContent = detail;
}

// ---- trouble ----

function makeTrouble({ kind, says, means }) {
  const button = make("button", {
    type: "button", className: "switch", role: "switch", "aria-checked": "false", id: `trouble-${kind}`,
    onclick: () => play(kind),
  });
  button.append(
    make("span", { className: "words" }, make("b", {}, says), make("span", {}, means)),
    make("span", { className: "knob", "aria-hidden": "true" }),
  );
  switches.set(kind, button);
  return button;
}

async function play(kind) {
  const button = switches.get(kind);
  const isOn = button.getAttribute("aria-checked") !== "true";
  button.classList.add("busy");
  place("trouble-error").textContent = "";
  try {
    await post("/trouble", { kind, is_on: isOn });
    setSwitch(kind, isOn);
  } catch (error) {
    place("trouble-error").textContent = error.message;
  } finally {
    button.classList.remove("busy");
  }
}

function setSwitch(kind, isOn) {
  switches.get(kind).setAttribute("aria-checked", String(isOn));
}

export function showTrouble(told) {
  for (const kind of ["zulip", "lms", "answers"]) setSwitch(kind, told[kind]);
  setSwitch("bot", told.bot === "away");
}

// ---- counts ----

function makeCount(name, says) {
  return make("div", { className: name, id: `count-${name}` }, make("dt", {}, says), make("dd", {}, "–"));
}

export function showCounts(told) {
  for (const [name] of COUNTS) {
    const element = place(`count-${name}`);
    const value = told[name] === null ? "–" : String(told[name]);
    const number = element.querySelector("dd");
    if (number.textContent === value) continue;
    number.textContent = value;
    element.classList.toggle("some", Number(told[name]) > 0);
  }
}
