// Before anything is painted: the theme that was chosen, or the system's.
(function () {
  var chosen = null;
  try {
    chosen = localStorage.getItem("taggram.theme");
  } catch (error) {
    chosen = null; // storage may be forbidden; the system's theme stands
  }
  var dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
