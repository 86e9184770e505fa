// The school: students, and what one click makes them do in the LMS.

import { make, post } from "./api.js";

const VERBS = [
  { verb: "start", says: "Start", mark: "📝", does: "starts" },
  { verb: "pass", says: "Pass", mark: "🎉", does: "passes" },
  { verb: "fail", says: "Fail", mark: "❌", does: "fails" },
  { verb: "watch", says: "Watch", mark: "👀", does: "watches" },
];

const place = (id) => document.getElementById(id);
let students = [];

export function fill(school) {
  students = school.students;
  place("exam").replaceChildren(...school.exams.map((one) => make("option", { value: one.slug }, one.title)));
  place("content").replaceChildren(
    ...school.contents.map((one) => make("option", { value: one.title }, `${one.title} (${one.type.toLowerCase()})`)),
  );
}

/** The students, the chosen mentor's own first. */
export function show(person) {
  const own = students.filter((one) => one.mentors.includes(person.username) || one.username === person.username);
  const others = students.filter((one) => !own.includes(one));
  const title = person.role === "student" ? "You" : "Your students";
  const groups = own.length ? [[title, own], ["Others", others]] : [["Students", others]];
  place("students").replaceChildren(...groups.map(([name, group]) => makeGroup(name, group)));
}

export function setAway(isAway) {
  complain(isAway ? "The LMS is away: nobody can work in it now." : "");
  place("students").querySelectorAll("button").forEach((button) => (button.disabled = isAway));
}

function makeGroup(name, group) {
  const list = make("ul", {}, ...group.map(makeStudent));
  return make("div", { className: "group" }, make("h3", {}, name), list);
}

function makeStudent(student) {
  const name = make("p", { className: "name" }, make("b", {}, student.name), make("span", {}, student.username));
  const buttons = VERBS.map((one) => makeButton(student, one));
  return make("li", {}, name, make("div", { className: "deeds" }, ...buttons));
}

function makeButton(student, { verb, says, mark, does }) {
  const button = make("button", {
    type: "button", className: `deed ${verb}`, "data-student": student.username, "data-verb": verb,
    "aria-label": `${says}: ${student.name} ${does} what is chosen above`,
    onclick: () => act(button, student.username, verb),
  });
  button.append(make("span", { "aria-hidden": "true" }, mark), says);
  return button;
}

async function act(button, student, verb) {
  const what = place(verb === "watch" ? "content" : "exam").value;
  button.classList.add("busy");
  try {
    await post("/act", { student, verb, what });
    complain("");
  } catch (error) {
    complain(error.message);
  } finally {
    button.classList.remove("busy");
  }
}

function complain(words) {
  place("lms-away").textContent = words;
  place("lms-away").hidden = words === "";
}
