// What changes comes in by server-sent events. Rows that are shown change in their places, under the reader's eyes and
// focus; whatever would move them waits behind a button, unless the reader is at the top and holds nothing.
"use strict";

const main = document.getElementById("main");
const pulse = document.getElementById("pulse");
const kind = main.dataset.live;
let known = Number(main.dataset.version), busy = false, later = 0;
const changed = new Set(), fresh = new Set();

function show(state, text) {
  pulse.hidden = false;
  pulse.className = `pulse ${state}`;
  pulse.querySelector(".pulse-text").textContent = text;
}

function rowsById() {
  return new Map([...document.querySelectorAll("#rows .row")].map((row) => [row.dataset.id, row]));
}

function isReading() {
  const active = document.activeElement;
  const holds = active && active !== document.body && active !== main;
  return scrollY > 120 || holds || document.querySelector("#rows .row:hover") || getSelection()?.toString();
}

async function fetchPart(address) {
  const answer = await fetch(address, { headers: { "HX-Request": "true" }, cache: "no-store" });
  if (!answer.ok) throw new Error(answer.status);
  return answer.text();
}

async function updateRows() {
  const there = rowsById();
  const wanted = [...changed].filter((id) => there.has(id)).slice(0, 100);
  for (const id of changed) if (!there.has(id)) fresh.add(id);
  changed.clear();
  if (wanted.length) {
    const query = new URLSearchParams(wanted.map((id) => ["id", id]));
    const holder = document.createElement("template");
    holder.innerHTML = `<table><tbody>${await fetchPart(`/rows?${query}`)}</tbody></table>`;
    for (const made of holder.content.querySelectorAll(".row")) {
      const row = there.get(made.dataset.id);
      if (!row || !row.isConnected) continue;
      Idiomorph.morph(row, made.outerHTML, { morphStyle: "outerHTML", ignoreActiveValue: true });
      light(made.dataset.id);
    }
    telperionSay(`${wanted.length} of the objects shown ${wanted.length === 1 ? "was" : "were"} answered again`);
  }
  if (fresh.size) {
    if (!isReading()) await reload();
    else announce();
  }
}

function light(id) {
  const row = rowsById().get(id);
  if (!row) return;
  row.classList.remove("lit");
  void row.offsetWidth; // so that the animation begins anew
  row.classList.add("lit");
}

function announce() {
  const text = `${fresh.size}${fresh.size >= 200 ? "+" : ""} more ${fresh.size === 1 ? "object" : "objects"} answered`;
  document.getElementById("fresh-count").textContent = text;
  document.getElementById("fresh").hidden = false;
  telperionSay(text);
}

async function reload() {
  const page = new DOMParser().parseFromString(await fetchPart(location.href), "text/html");
  if (isReading()) { announce(); return; }
  const before = new Set(rowsById().keys());
  Idiomorph.morph(document.getElementById("list"), page.getElementById("list").outerHTML, { morphStyle: "outerHTML" });
  document.getElementById("count").innerHTML = page.getElementById("count").innerHTML;
  document.getElementById("fresh").hidden = true;
  const came = [...rowsById().keys()].filter((id) => !before.has(id) && fresh.has(id));
  came.forEach(light);
  fresh.clear();
  if (window.htmx) htmx.process(document.getElementById("list"));
  if (came.length) telperionSay(`${came.length} new in the list`);
}

async function updateObject() {
  const mine = changed.has(main.dataset.id);
  changed.clear();
  if (!mine) return;
  const page = new DOMParser().parseFromString(await fetchPart(location.href), "text/html");
  const keep = new Set(["chart-curve", "chart-track", "legend-track", "near"]);
  const open = [...document.querySelectorAll("#object details")].map((each) => each.open);
  Idiomorph.morph(document.getElementById("object"), page.getElementById("object").outerHTML, {
    morphStyle: "outerHTML",
    callbacks: { beforeNodeMorphed: (old) => !(old.id && keep.has(old.id)) },
  });
  document.querySelectorAll("#object details").forEach((each, k) => { each.open = Boolean(open[k]); });
  document.dispatchEvent(new Event("telperion:data"));
  telperionSay("This object was answered again");
}

async function settle() {
  if (busy) return;
  busy = true;
  try {
    await (kind === "list" ? updateRows() : updateObject());
  } catch (error) { console.debug("live", error); } finally { // the next message tries again
    busy = false;
    if (changed.size) schedule(1000);
  }
}

function schedule(wait) {
  if (later) return;
  later = setTimeout(() => { later = 0; settle(); }, wait);
}

let last = 0;
function listen() {
  const source = new EventSource(`/events?since=${known}`);
  source.addEventListener("hello", () => show("on", "live"));
  source.addEventListener("answered", (event) => {
    const about = JSON.parse(event.data);
    known = about.version;
    about.ids.forEach((id) => changed.add(id));
    schedule(Math.max(0, last + 1000 - Date.now()));
    last = Date.now();
  });
  source.onerror = () => {
    show("lost", "not connected");
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  };
  addEventListener("pagehide", () => source.close(), { once: true });
}
listen();
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
