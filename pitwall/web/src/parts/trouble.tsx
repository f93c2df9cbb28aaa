// What was wrong with an answer, and what to do; or that there is nothing yet.

import type {ComponentChildren} from "preact";

import type {Answer} from "../api";

export function Trouble<T>({answer}: {answer: Answer<T>}) {
  if (!answer.trouble) return null;
  return (
    <p class="banner bad" role="alert">
      {answer.trouble.message}
      {answer.trouble.hint && <span class="hint"> {answer.trouble.hint}</span>}
      <button type="button" onClick={answer.again}>Try again</button>
    </p>
  );
}

// A place where something will be: says what it waits for, never just blank.
export function Empty({title, children}: {title: string; children?: ComponentChildren}) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}
