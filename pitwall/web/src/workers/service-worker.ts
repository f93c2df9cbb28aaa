// The page's own files, kept so that it opens where nothing answers. What the API answers is never kept: it is asked
// for, or it is missing, and the page says so.

declare const self: ServiceWorkerGlobalScope;

const VERSION = "__VERSION__" as string;
const SHELL = "__SHELL__" as unknown as string[]; // the build puts their names here
const KEPT = `pitwall-${VERSION}`;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(SHELL)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) if (name !== KEPT) await caches.delete(name);
    await self.clients.claim();
  })());
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin || !SHELL.includes(url.pathname)) return;
  event.respondWith(url.pathname.startsWith("/assets/") ? kept(event.request) : newest(event.request));
});

// A hashed name means one content for ever.
async function kept(request: Request): Promise<Response> {
  return await caches.match(request) ?? fetch(request);
}

// The document is asked for first: a newer pitwall has a newer page. A redirect (to /login) goes through as it is.
async function newest(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch (trouble) {
    const found = await caches.match(request, {ignoreSearch: true});
    if (found) return found;
    throw trouble;
  }
}

export {};
