// Makes elements. Text is always a text node: nothing here parses markup.

// An element with properties ("on..." are listeners, "data-..." and "aria-..." attributes) and
// children: nodes, texts, or null for none.
export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role" || name === "for") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// One of the symbols that the page's HTML defines.
export function icon(name) {
  return svg("svg", { class: "icon", "aria-hidden": "true" }, svg("use", { href: `#i-${name}` }));
}

export function iconButton(name, label, onclick, className = "quiet") {
  return el("button", { type: "button", className, title: label, "aria-label": label, onclick },
    icon(name));
}

// What went wrong, read out by screen readers.
export function errorBox(text, ...actions) {
  return el("div", { className: "error", role: "alert" }, icon("alert"), el("p", {}, text), ...actions);
}

// Copies a text, and shows on the button that it did.
export async function copyFrom(button, text) {
  if (button.dataset.copied) return;
  button.dataset.copied = "true";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyBySelection(text);  // a page by http of another machine has no clipboard
  }
  const before = [...button.childNodes];
  button.replaceChildren(icon("check"), ...before.slice(1));
  setTimeout(() => {
    button.replaceChildren(...before);
    delete button.dataset.copied;
  }, 1500);
}

function copyBySelection(text) {
  const area = el("textarea", { value: text, className: "unseen" });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

// Loads one of the server's scripts or style sheets once.
const loading = new Map();
export function load(path) {
  if (!loading.has(path)) {
    loading.set(path, new Promise((resolve, reject) => {
      const node = path.endsWith(".css")
        ? el("link", { rel: "stylesheet", href: path })
        : el("script", { src: path });
      node.addEventListener("load", resolve);
      node.addEventListener("error", () => reject(new Error(`${path} cannot be loaded`)));
      document.head.append(node);
    }));
  }
  return loading.get(path);
}
