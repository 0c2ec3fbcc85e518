// The theme that was chosen, before anything is painted.
"use strict";
try {
  const chosen = localStorage.getItem("telperion-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch { /* no storage: the system's theme */ }
