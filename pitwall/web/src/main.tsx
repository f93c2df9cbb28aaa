// The page begins here: it follows the car, and draws.

import "./theme.css";
import "./shell.css";

import {render} from "preact";

import {live} from "./live/live";
import {Shell} from "./shell";

live.follow("/live");

const app = document.getElementById("app") as HTMLElement;
app.replaceChildren();
render(<Shell />, app);

// Elsewhere than on this machine, or over TLS, there is no service worker: the page is then as good as its connection.
if ("serviceWorker" in navigator) void navigator.serviceWorker.register("/service-worker.js").catch(() => {});
