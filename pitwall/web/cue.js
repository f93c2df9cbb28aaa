// What the coach says to the driver: shown for some seconds, and spoken where that was asked for, in the chosen words.

const SHOWN_MS = 8000;
const KEPT = "pitwall-coach"; // the choice, from one visit to the next

const at = (id) => document.getElementById(id);
let newest = null;
let hiding = 0;

// A cue comes once; a page that takes the stream up again may get the same one once more.
export function tell(cue) {
  if (newest !== null && cue.t === newest.t && cue.what === newest.what) return;
  newest = cue;
  const words = cue.words[at("level").value];
  at("cue").textContent = words;
  at("cue").dataset.priority = cue.priority;
  clearTimeout(hiding);
  hiding = setTimeout(() => { at("cue").textContent = ""; }, SHOWN_MS);
  if (at("speak").checked) speak(words);
}

export function forget() {
  newest = null;
  at("cue").textContent = "";
  globalThis.speechSynthesis?.cancel();
}

function speak(words) {
  const speech = globalThis.speechSynthesis;
  if (!speech) return;
  speech.cancel(); // what has not been said by now is old
  const utterance = new SpeechSynthesisUtterance(words);
  utterance.lang = "en";
  speech.speak(utterance);
}

function keep() {
  try {
    localStorage.setItem(KEPT, JSON.stringify({level: at("level").value, speak: at("speak").checked}));
  } catch {} // a private window keeps nothing
}

try {
  const kept = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
  if ([...at("level").options].some(({value}) => value === kept.level)) at("level").value = kept.level;
  at("speak").checked = kept.speak === true;
} catch {}
at("speak").disabled = !globalThis.speechSynthesis;
at("level").addEventListener("change", keep);
at("speak").addEventListener("change", () => {
  keep();
  // a browser speaks only after somebody has touched the page: this is that touch
  if (at("speak").checked) speak("ready");
});
