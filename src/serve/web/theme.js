// Sets the colours before the page is drawn: the system's, or the reader's own choice. Not a module,
// which would run too late.
"use strict";
{
  const root = document.documentElement;
  const kept = () => {
    try {
      return localStorage.getItem("fathom.theme");
    } catch {
      return null;  // the browser keeps nothing
    }
  };
  const show = (theme) => {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
  };
  show(kept());
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme || (systemDark.matches ? "dark" : "light")) === "dark";

  addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector("#theme");
    const label = () => {
      const name = isDark() ? "Light colours" : "Dark colours";
      button.setAttribute("aria-label", name);
      button.title = name;
      root.classList.toggle("dark", isDark());
    };
    button.addEventListener("click", () => {
      const theme = isDark() ? "light" : "dark";
      show(theme);
      try {
        localStorage.setItem("fathom.theme", theme);
      } catch {
        // the choice lasts as long as the page
      }
      label();
    });
    systemDark.addEventListener("change", label);
    label();
  });
}
