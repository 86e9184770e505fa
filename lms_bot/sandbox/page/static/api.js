// What the page asks of its server. Everything goes to where the page came from, with the token of this run.

const token = document.querySelector('meta[name="token"]').content;

/** Does something; resolves to the answer, rejects with an Error that says in words why not. */
export async function post(path, wish) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Demo-Token": token },
      body: JSON.stringify(wish),
    });
  } catch {
    throw new Error("The demo does not answer. Was it ended?");
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

export async function getSchool() {
  return (await fetch("/school")).json();
}

/** Percent-encoded text in plain; as it is where it says nothing. */
export function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** An element with these properties and children; strings become text, never markup. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
