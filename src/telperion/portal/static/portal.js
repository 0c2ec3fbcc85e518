// Theme, keys and the polite voice: what every page has.
"use strict";

const root = document.documentElement;

function isDark() {
  if (root.dataset.theme) return root.dataset.theme === "dark";
  return !matchMedia("(prefers-color-scheme: light)").matches;
}

document.getElementById("theme").addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  try { localStorage.setItem("telperion-theme", root.dataset.theme); } catch { /* it lasts for this page */ }
  document.dispatchEvent(new Event("telperion:theme"));
});
matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => document.dispatchEvent(new Event("telperion:theme")));

function isTyping(element) {
  return element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && isTyping(document.activeElement)) { document.activeElement.blur(); return; }
  if (isTyping(event.target)) return;
  if (event.key === "/") {
    const search = document.getElementById("f-text");
    if (search) { event.preventDefault(); search.focus(); search.select(); }
  } else if (event.key === "j" || event.key === "k") {
    const names = [...document.querySelectorAll("#rows .name")];
    if (!names.length) return;
    const at = names.indexOf(document.activeElement);
    const next = at < 0 ? (event.key === "j" ? 0 : names.length - 1) : at + (event.key === "j" ? 1 : -1);
    if (names[next]) { event.preventDefault(); names[next].focus(); names[next].scrollIntoView({ block: "nearest" }); }
    else if (next >= names.length) document.querySelector("#more a")?.focus();
  }
});

// Screen readers hear at most one sentence in ten seconds, the latest.
let spoken = 0, waiting = 0;
window.telperionSay = (text) => {
  clearTimeout(waiting);
  waiting = setTimeout(() => { spoken = Date.now(); document.getElementById("said").textContent = text; },
    Math.max(0, spoken + 10000 - Date.now()));
};

document.getElementById("faults")?.focus();
