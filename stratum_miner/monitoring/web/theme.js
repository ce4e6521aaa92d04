// Light, dark, or as the system has it: set before anything is drawn, so that nothing flashes.
"use strict";
(() => {
  const KEY = "stratum-miner-theme";
  const ORDER = ["auto", "light", "dark"];

  const stored = () => {
    try {
      const found = localStorage.getItem(KEY);
      return ORDER.includes(found) ? found : "auto";
    } catch {
      return "auto"; // storage can be switched off
    }
  };

  const use = (theme) => {
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // then it lasts as long as the page
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
