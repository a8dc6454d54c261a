// Before anything is painted: the theme that was chosen here before, if any.
(() => {
  try {
    const chosen = localStorage.getItem("mismartera-theme");
    if (chosen) document.documentElement.dataset.theme = chosen;
  } catch { /* storage is closed: the system's theme it is */ }
})();
