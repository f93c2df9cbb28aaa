// What stands behind `#` of a link, or a token that is typed in; out comes a cookie, and the page.

import "./theme.css";

const at = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;

async function enter(said: {code: string} | {token: string}): Promise<void> {
  at("why").hidden = true;
  try {
    const answer = await fetch("/login", {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify(said),
    });
    if (answer.ok) return location.replace("/");
    const problem = await answer.json() as {detail: string; hint: string};
    tell(`${problem.detail}. ${problem.hint}`);
  } catch {
    tell("The server does not answer.");
  }
}

function tell(words: string): void {
  at("why").textContent = words;
  at("why").hidden = false;
}

at("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  void enter({token: at<HTMLInputElement>("token").value.trim()});
});

const code = location.hash.slice(1);
history.replaceState(null, "", "/login"); // a used code is of no use in a browser's history
if (code) void enter({code});
