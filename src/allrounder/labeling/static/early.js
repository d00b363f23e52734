// Light or dark before anything is drawn, so that nothing flashes.
try {
  document.documentElement.dataset.theme = localStorage.getItem("allrounder/theme") || "auto";
} catch {
  // a browser that keeps nothing
}
