// Two charts on one axis of days: the light curve, and what was said of it. Zoom and cursor are shared.
"use strict";

(() => {
const BANDS = "ugrizy";
const SIGMA = 5, ZERO_POINT = 31.4;
const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3], [5, 5], [12, 4]];
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const read = () => JSON.parse(document.getElementById("data").textContent);

let data = read(), inMagnitudes = false;
const hidden = new Set();
const charts = {};
const sync = uPlot.sync("days");

const magnitude = (flux) => (flux > 0 ? ZERO_POINT - 2.5 * Math.log10(flux) : null);

// What a row is drawn as: a point with an error, or of what is no detection, in magnitudes, a limit.
function drawn(k) {
  const { flux, error, detected } = data.rows;
  if (!inMagnitudes) return { y: flux[k], low: flux[k] - error[k], high: flux[k] + error[k], limit: false };
  if (!detected[k] || flux[k] <= 0) return { y: magnitude(Math.max(flux[k], 0) + SIGMA * error[k]), limit: true };
  return { y: magnitude(flux[k]), low: magnitude(Math.max(flux[k] - error[k], flux[k] * 0.05)), high: magnitude(flux[k] + error[k]), limit: false };
}

function shape(path, band, x, y, s) {
  const corner = (points) => points.forEach(([a, b], k) => (k ? path.lineTo(x + a * s, y + b * s) : path.moveTo(x + a * s, y + b * s)));
  path.beginPath();
  if (band === 0) path.arc(x, y, s * 0.95, 0, 2 * Math.PI);
  else if (band === 1) corner([[0, -1.2], [1.1, 0.85], [-1.1, 0.85]]);
  else if (band === 2) corner([[0, 1.2], [1.1, -0.85], [-1.1, -0.85]]);
  else if (band === 3) corner([[-0.88, -0.88], [0.88, -0.88], [0.88, 0.88], [-0.88, 0.88]]);
  else if (band === 4) corner(Array.from({ length: 10 }, (_, k) => { const r = k % 2 ? 0.55 : 1.3, a = -Math.PI / 2 + k * Math.PI / 5; return [r * Math.cos(a), r * Math.sin(a)]; }));
  else corner(Array.from({ length: 5 }, (_, k) => { const a = -Math.PI / 2 + k * 2 * Math.PI / 5; return [1.15 * Math.cos(a), 1.15 * Math.sin(a)]; }));
  path.closePath();
}

function drawRows(u) {
  const { ctx } = u, ratio = devicePixelRatio || 1, { left, top, width, height } = u.bbox;
  const colours = [...BANDS].map((band) => css(`--${band}`)), ground = css("--raised");
  const size = (data.rows.day.length > 150 ? 3 : data.rows.day.length > 60 ? 3.6 : 4.4) * ratio;
  ctx.save();
  ctx.beginPath(); ctx.rect(left, top, width, height); ctx.clip();
  if (!inMagnitudes) {
    const zero = u.valToPos(0, "y", true);
    ctx.strokeStyle = css("--rule-strong"); ctx.lineWidth = ratio; ctx.setLineDash([]);
    ctx.beginPath(); ctx.moveTo(left, zero); ctx.lineTo(left + width, zero); ctx.stroke();
  }
  const order = [...data.rows.day.keys()].sort((a, b) => data.rows.detected[a] - data.rows.detected[b]);
  for (const k of order) {
    const band = data.rows.band[k];
    if (hidden.has(band)) continue;
    const it = drawn(k);
    if (it.y === null) continue;
    const x = u.valToPos(data.rows.day[k], "x", true), y = u.valToPos(it.y, "y", true);
    if (x < left - 20 || x > left + width + 20) continue;
    const seen = data.rows.detected[k];
    ctx.strokeStyle = ctx.fillStyle = colours[band];
    ctx.lineWidth = 1.1 * ratio;
    ctx.globalAlpha = seen ? 1 : 0.62;
    if (it.limit) { // an upper limit: a bar and an arrow to fainter
      ctx.beginPath();
      ctx.moveTo(x - size, y); ctx.lineTo(x + size, y); ctx.moveTo(x, y); ctx.lineTo(x, y + 2.4 * size);
      ctx.moveTo(x - 0.7 * size, y + 1.5 * size); ctx.lineTo(x, y + 2.4 * size); ctx.lineTo(x + 0.7 * size, y + 1.5 * size);
      ctx.stroke();
      continue;
    }
    ctx.beginPath(); ctx.moveTo(x, u.valToPos(it.low, "y", true)); ctx.lineTo(x, u.valToPos(it.high, "y", true)); ctx.stroke();
    shape(ctx, band, x, y, size);
    ctx.globalAlpha = 1;
    if (seen) { ctx.fill(); ctx.strokeStyle = ground; ctx.lineWidth = 0.8 * ratio; ctx.stroke(); }
    else { ctx.fillStyle = ground; ctx.fill(); ctx.globalAlpha = 0.75; ctx.stroke(); }
  }
  ctx.restore();
}

function rangeX() {
  const days = [...data.rows.day, ...data.track.day];
  if (!days.length) return [0, 1];
  const low = Math.min(...days), high = Math.max(...days), room = Math.max((high - low) * 0.03, 0.05);
  return [low - room, high + room];
}

function rangeY(u) {
  const [from, to] = [u.scales.x.min, u.scales.x.max];
  const heights = [];
  data.rows.day.forEach((day, k) => {
    if (hidden.has(data.rows.band[k]) || (from != null && (day < from || day > to))) return;
    const it = drawn(k);
    if (it.y === null) return;
    if (it.limit) heights.push(it.y, it.y + 0.2);
    else heights.push(it.low, it.high);
  });
  if (!heights.length) return inMagnitudes ? [20, 25] : [0, 1];
  let low = Math.min(...heights), high = Math.max(...heights);
  if (!inMagnitudes) { low = Math.min(low, 0); high = Math.max(high, 0); }
  const room = Math.max((high - low) * 0.07, 1e-3);
  return [low - room, high + room];
}

const axis = (more) => ({
  stroke: () => css("--faint"), font: `11px ${css("--sans")}`, labelFont: `11px ${css("--sans")}`, labelSize: 16,
  grid: { stroke: () => css("--rule"), width: 1 }, ticks: { show: false }, ...more,
});

function shared(extra) {
  return {
    width: 600, height: 300, legend: { show: false }, padding: [8, 14, 0, 0],
    cursor: { sync: { key: "days", setSeries: false, scales: ["x", null] }, y: false, points: { show: false }, drag: { x: true, y: false, uni: 12 } },
    ...extra,
  };
}

let zooming = false;
function follow(u) {
  if (zooming || !u.scales.x) return;
  zooming = true;
  const { min, max } = u.scales.x, [low, high] = rangeX();
  for (const other of Object.values(charts)) if (other !== u) other.setScale("x", { min, max });
  document.getElementById("whole").hidden = Math.abs(min - low) < 1e-6 && Math.abs(max - high) < 1e-6;
  zooming = false;
}

const day = (value) => `${value.toFixed(Math.abs(value) < 10 ? 2 : 1)} d`;

function readRow(u) {
  const { left, idx } = u.cursor, out = document.getElementById("read-curve");
  if (left < 0 || idx == null) { out.textContent = ""; return; }
  let best = -1, nearest = 30;
  data.rows.day.forEach((each, k) => {
    if (hidden.has(data.rows.band[k])) return;
    const it = drawn(k);
    if (it.y === null) return;
    const dx = u.valToPos(each, "x") - left, dy = (u.valToPos(it.y, "y") - u.cursor.top) * (u.cursor.top < 0 ? 0 : 0.5);
    const far = Math.hypot(dx, dy);
    if (far < nearest) { nearest = far; best = k; }
  });
  if (best < 0) { out.textContent = ""; return; }
  const { flux, error, detected, band } = data.rows, value = magnitude(flux[best]);
  const mag = detected[best] && value !== null ? `, ${value.toFixed(2)} mag` : "";
  out.textContent = `${day(data.rows.day[best])}  ${BANDS[band[best]]}  ${flux[best].toFixed(0)} ± ${error[best].toFixed(0)} nJy${mag}${detected[best] ? "" : ", no detection"}`;
}

function readTrack(u) {
  const { left } = u.cursor, out = document.getElementById("read-track");
  if (u.cursor.idx == null || left < 0 || !data.track.day.length) { out.textContent = ""; return; }
  const at = u.posToVal(left, "x"), idx = Math.max(0, data.track.day.findLastIndex((each) => each <= at));
  const parts = data.track.classes.slice(0, 3).map((each) => `${each.name} ${each.chance[idx].toFixed(2)}`);
  out.textContent = `${day(data.track.day[idx])}  ${parts.join("  ")}  promised: ${data.track.promised[idx]}`;
}

function curveData() {
  return [data.rows.day, data.rows.day.map(() => null)];
}

function makeCurve(holder) {
  const days = curveData();
  return new uPlot(shared({
    scales: {
      x: { time: false, range: (u, min, max) => (min == null || zoomed(min, max) ? [min, max] : rangeX()) },
      y: { range: (u) => rangeY(u), dir: 1 },
    },
    axes: [
      axis({ label: "days after the first detection", size: 34 }),
      axis({ label: "flux (nJy)", size: 58 }),
    ],
    series: [{}, { show: true, paths: () => null, points: { show: false } }],
    hooks: { draw: [drawRows], setScale: [(u, key) => key === "x" && follow(u)], setCursor: [readRow] },
  }), days, holder);
}

let whole = true;
function zoomed() { return !whole; }

// The last answer holds on: it is drawn up to the edge, without a point there.
function trackData() {
  const { day, classes } = data.track;
  return [[...day, Math.max(rangeX()[1], day.at(-1))], ...classes.map((each) => [...each.chance, each.chance.at(-1)])];
}

function makeTrack(holder) {
  const { classes } = data.track;
  return new uPlot(shared({
    scales: { x: { time: false, range: (u, min, max) => (zoomed() ? [min, max] : rangeX()) }, y: { range: [0, 1.02] } },
    axes: [axis({ label: "days after the first detection", size: 34 }), axis({ label: "probability", size: 58, values: (u, ticks) => ticks.map((t) => (t <= 1 ? t.toFixed(1) : "")) })],
    series: [{}, ...classes.map((each, k) => ({
      label: each.name, stroke: () => css(`--c${k}`), width: k ? 1.6 : 2.4, dash: DASHES[k],
      paths: uPlot.paths.stepped({ align: 1 }), points: { show: true, filter: (u) => [...data.track.day.keys()], size: k ? 4 : 5.5, fill: () => css(`--c${k}`), stroke: () => css(`--c${k}`) },
    }))],
    hooks: { setScale: [(u, key) => key === "x" && follow(u)], setCursor: [readTrack] },
  }), trackData(), holder);
}

function legend() {
  const holder = document.getElementById("legend-track");
  if (!holder) return;
  holder.querySelectorAll(".key-line").forEach((each) => each.remove());
  data.track.classes.forEach((each, k) => {
    const key = document.createElement("span");
    key.className = `key-line t-${k}`;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    svg.setAttribute("viewBox", "0 0 20 8"); svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", "M0 4H20"); path.setAttribute("stroke", "currentColor"); path.setAttribute("stroke-width", k ? "1.6" : "2.6");
    path.setAttribute("stroke-dasharray", DASHES[k].join(" "));
    const name = document.createElement("b"), value = document.createElement("span");
    name.textContent = each.name;
    value.className = "num"; value.textContent = each.chance.at(-1).toFixed(2);
    svg.append(path); key.append(svg, name, value);
    holder.insertBefore(key, document.getElementById("read-track"));
  });
}

function fit() {
  for (const [name, chart] of Object.entries(charts)) {
    const holder = document.getElementById(`chart-${name}`);
    chart.setSize({ width: holder.clientWidth - 6, height: holder.clientHeight - 8 });
  }
}

function redraw() {
  for (const chart of Object.values(charts)) chart.redraw(false, true);
}

function start() {
  const curve = document.getElementById("chart-curve"), track = document.getElementById("chart-track");
  if (curve && data.rows.day.length) { charts.curve = makeCurve(curve); sync.sub(charts.curve); }
  if (track && data.track.day.length) { charts.track = makeTrack(track); sync.sub(charts.track); }
  for (const chart of Object.values(charts)) {
    chart.over.addEventListener("mousedown", () => { whole = false; });
    chart.over.addEventListener("dblclick", () => showWhole());
  }
  document.getElementById("early").hidden = !charts.curve || rangeX()[1] < 60;
  legend();
  fit();
  new ResizeObserver(fit).observe(document.getElementById("main"));
}

function showWhole() {
  whole = true;
  const [min, max] = rangeX();
  for (const chart of Object.values(charts)) chart.setScale("x", { min, max });
  document.getElementById("whole").hidden = true;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.id === "whole") showWhole();
  else if (button.id === "early") {
    whole = false;
    for (const chart of Object.values(charts)) chart.setScale("x", { min: -5, max: 30 });
  }
  else if (button.id === "unit") {
    inMagnitudes = !inMagnitudes;
    button.setAttribute("aria-pressed", String(inMagnitudes));
    if (charts.curve) {
      charts.curve.scales.y.dir = inMagnitudes ? -1 : 1;
      charts.curve.axes[1].label = inMagnitudes ? "AB magnitude" : "flux (nJy)";
      charts.curve.setData(curveData(), false);
      charts.curve.setScale("x", { min: charts.curve.scales.x.min, max: charts.curve.scales.x.max });
    }
  } else if (button.classList.contains("band-toggle")) {
    const band = Number(button.dataset.band), on = hidden.has(band);
    if (on) hidden.delete(band); else hidden.add(band);
    button.setAttribute("aria-pressed", String(on));
    if (charts.curve) charts.curve.setScale("x", { min: charts.curve.scales.x.min, max: charts.curve.scales.x.max });
  }
});

document.addEventListener("telperion:theme", redraw);
document.addEventListener("telperion:data", () => {
  const before = data.track.classes.map((each) => each.name).join("|");
  data = read();
  document.querySelectorAll(".band-toggle").forEach((each) => each.setAttribute("aria-pressed", String(!hidden.has(Number(each.dataset.band)))));
  document.getElementById("unit").setAttribute("aria-pressed", String(inMagnitudes));
  if (charts.curve) charts.curve.setData(curveData(), whole);
  const holder = document.getElementById("chart-track");
  if (charts.track && before === data.track.classes.map((each) => each.name).join("|")) {
    charts.track.setData(trackData(), whole);
  } else if (holder && data.track.day.length) {
    charts.track?.destroy();
    charts.track = makeTrack(holder);
    sync.sub(charts.track);
  }
  legend();
  fit();
  if (whole) showWhole();
});

start();
})();
