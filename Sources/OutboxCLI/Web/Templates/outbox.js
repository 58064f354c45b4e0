// Shows what has changed while the page is open, and gives the keyboard what a mouse has. The page reads well without it.
"use strict";

const live = document.getElementById("live");
if (live && "EventSource" in window) {
  const place = () => {
    const focused = document.activeElement;
    return focused && live.contains(focused) ? focused.getAttribute("href") : null;
  };
  const source = new EventSource(live.dataset.events);
  source.addEventListener("look", (event) => {
    const href = place();
    // Written by the server, which escapes what it has from others; the policy of the page lets nothing in it run.
    live.innerHTML = event.data;
    live.classList.remove("old");
    if (href !== null) live.querySelector(`a[href="${CSS.escape(href)}"]`)?.focus();
  });
  source.addEventListener("error", () => {
    // Closed for good: by an answer that is none. Otherwise the browser asks again by itself.
    if (source.readyState === EventSource.CLOSED) live.classList.add("old");
  });
  // The server ends a stream after a while; it is out of reach when none begins for longer than that takes.
  let seen = Date.now();
  source.addEventListener("look", () => { seen = Date.now(); });
  source.addEventListener("same", () => { seen = Date.now(); });
  setInterval(() => { if (Date.now() - seen > 20000) live.classList.add("old"); }, 5000);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isTyping = event.target.matches("input, select, textarea");
  if (event.key === "/" && !isTyping) {
    document.querySelector("[data-search]")?.focus();
    event.preventDefault();
  } else if (event.key === "Escape" && isTyping) {
    event.target.blur();
  }
});
