// Sets the theme: light, dark, or that of the system. This runs before the page is drawn, so that no other theme
// appears first.
"use strict";
(() => {
  const KEY = "stratum-miner-theme";
  const ORDER = ["auto", "light", "dark"];

  const stored = () => {
    try {
      const found = localStorage.getItem(KEY);
      return ORDER.includes(found) ? found : "auto";
    } catch {
      return "auto"; // the browser may permit no storage
    }
  };

  const use = (theme) => {
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // without storage, the theme is kept until the page is closed
    }
  };

  document.documentElement.dataset.theme = stored();
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const show = () => {
      button.textContent = `Theme: ${document.documentElement.dataset.theme}`;
    };
    show();
    button.addEventListener("click", () => {
      use(ORDER[(ORDER.indexOf(document.documentElement.dataset.theme) + 1) % ORDER.length]);
      show();
    });
  });
})();
