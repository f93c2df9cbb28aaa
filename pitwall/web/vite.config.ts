// Builds the page into built/: two documents, their hashed assets, and the service worker, which is told what they are.

import {createHash} from "node:crypto";
import {defineConfig, type Plugin} from "vite";

const WORKER = "service-worker";

// The service worker keeps what was built, and no more: the names stand in its text where it says __SHELL__.
function shell(): Plugin {
  return {
    name: "shell",
    apply: "build",
    generateBundle: {
      order: "post", // the documents have been written by now
      handler(_, bundle) {
        const files = Object.keys(bundle).filter((name) => name.startsWith("assets/")).map((name) => `/${name}`);
        const version = createHash("sha256").update(files.sort().join()).digest("hex").slice(0, 12);
        const worker = bundle[`${WORKER}.js`];
        if (worker?.type !== "chunk") throw new Error(`${WORKER}.js is missing`);
        worker.code = worker.code.replace(/["'`]__SHELL__["'`]/, JSON.stringify(["/", "/icon.svg", "/manifest.webmanifest", ...files]))
          .replace(/["'`]__VERSION__["'`]/, JSON.stringify(version));
      },
    },
  };
}

export default defineConfig({
  esbuild: {jsx: "automatic", jsxImportSource: "preact"},
  worker: {format: "es"},
  build: {
    outDir: "built",
    target: "es2022",
    assetsInlineLimit: 0, // no data: URLs: the Content-Security-Policy has none
    modulePreload: {polyfill: false}, // nor inline scripts
    rollupOptions: {
      input: {index: "index.html", login: "login.html", [WORKER]: `src/workers/${WORKER}.ts`},
      output: {entryFileNames: ({name}) => (name === WORKER ? `${WORKER}.js` : "assets/[name]-[hash].js")},
    },
  },
  plugins: [shell()],
});
