// Draws a model's Markdown. marked cuts the text into tokens, and each token becomes an element made
// here, with text nodes for all that the model wrote: no markup of a model is ever parsed into the
// page. Links lead only to web and mail addresses; images are links, for loading one would tell
// another host what is read.
import { copyFrom, el, icon, load } from "./dom.js";

const MAX_HIGHLIGHTED = 50_000;  // characters of code: longer ones stay plain

// Formulas: $…$ hugs its text, as Pandoc has it, so that prices stay prices.
const INLINE_MATH = [
  /^\$\$((?:\\[^]|[^$\\])+?)\$\$/,
  /^\$(?!\s)((?:\\[^]|[^$\\\n])*?[^\s\\$])\$(?!\d)/,
  /^\\\(([^]+?)\\\)/,
  /^\\\[([^]+?)\\\]/,
];
const BLOCK_MATH = [/^ {0,3}\$\$([^]+?)\$\$[ \t]*(?:\n+|$)/, /^ {0,3}\\\[([^]+?)\\\][ \t]*(?:\n+|$)/];

function mathExtension(name, level, patterns, startPattern, display) {
  return {
    name, level,
    start: (source) => {
      const at = source.search(startPattern);
      return at < 0 ? undefined : at;
    },
    tokenizer: (source) => {
      for (const pattern of patterns) {
        const found = pattern.exec(source);
        if (found) return { type: name, raw: found[0], text: found[1].trim(), display: display(found[0]) };
      }
      return undefined;
    },
  };
}

marked.use({
  gfm: true,
  breaks: true,  // a line of a model's stays a line
  mangle: false,
  extensions: [
    mathExtension("blockMath", "block", BLOCK_MATH, /(?:^|\n) {0,3}(?:\$\$|\\\[)/, () => true),
    mathExtension("inlineMath", "inline", INLINE_MATH, /\$|\\\(|\\\[/,
      (raw) => raw.startsWith("$$") || raw.startsWith("\\[")),
  ],
});

// marked escapes text for HTML. A template's content is inert: it runs and loads nothing.
const inert = document.createElement("template");
function decode(text) {
  if (!text.includes("&")) return text;
  inert.innerHTML = text.replaceAll("<", "&lt;");
  return inert.content.textContent;
}

function safeAddress(href) {
  try {
    const url = new URL(href);  // relative addresses would lead into this server
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

function link(href, title, children, source) {
  const address = safeAddress(decode(href));
  if (!address) return document.createTextNode(source);
  const properties = { href: address, target: "_blank", rel: "noopener noreferrer nofollow" };
  if (title) properties.title = decode(title);
  return el("a", properties, ...children);
}

async function drawMath(place, token) {
  try {
    await Promise.all([load("/assets/katex.min.js"), load("/assets/katex.min.css")]);
    katex.render(token.text, place, {
      displayMode: token.display, throwOnError: false, trust: false, strict: "ignore", maxSize: 20,
      maxExpand: 500, errorColor: "var(--bad)",
    });
  } catch {
    place.textContent = token.raw;
  }
}

function math(token) {
  const place = el(token.display ? "div" : "span", { className: token.display ? "math" : "" }, token.raw);
  drawMath(place, token);
  return place;
}

// highlight.js returns markup: of it only the nesting, the classes and the texts are taken over.
function copyHighlighted(from, to) {
  for (const node of from.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) {
      to.append(node.data);
    } else {
      const span = el("span", { className: node.className });
      copyHighlighted(node, span);
      to.append(span);
    }
  }
}

async function highlight(place, code, language) {
  if (!language || code.length > MAX_HIGHLIGHTED) return;
  await load("/assets/highlight.min.js");
  if (!hljs.getLanguage(language)) return;
  inert.innerHTML = hljs.highlight(language, code, true).value;
  place.replaceChildren();
  copyHighlighted(inert.content, place);
}

function codeBlock(token) {
  // In an indented block there is no language; a fence's may have attributes behind it.
  const language = decode(token.lang || "").split(/[\s{,]/)[0].toLowerCase();
  const code = el("code", {}, token.text);
  const button = el("button", { type: "button", className: "quiet", "aria-label": "Copy code",
    onclick: () => copyFrom(button, token.text) }, icon("copy"), " Copy");
  highlight(code, token.text, language).catch(() => {});
  return el("figure", { className: "code" },
    el("figcaption", {}, el("span", {}, language || "text"), button),
    el("pre", { tabIndex: 0 }, code));
}

function table(token) {
  const cell = (tag, content, column) => {
    const node = el(tag, {}, ...inlines(content.tokens));
    if (token.align[column]) node.classList.add(`align-${token.align[column]}`);
    return node;
  };
  const row = (tag, cells) => el("tr", {}, ...cells.map((content, i) => cell(tag, content, i)));
  return el("div", { className: "wide", tabIndex: 0 }, el("table", {},
    el("thead", {}, row("th", token.header)),
    el("tbody", {}, ...token.rows.map((cells) => row("td", cells)))));
}

function listItem(item) {
  const node = el("li", {}, ...blocks(item.tokens));
  if (item.task) {
    node.classList.add("task");
    node.prepend(el("input", { type: "checkbox", checked: item.checked, disabled: true }), " ");
  }
  return node;
}

function list(token) {
  const node = el(token.ordered ? "ol" : "ul", {}, ...token.items.map(listItem));
  if (token.ordered && token.start !== "") node.start = token.start;
  return node;
}

function block(token) {
  switch (token.type) {
    case "space": case "def": return null;
    case "heading": return el(`h${Math.min(6, token.depth + 1)}`, {}, ...inlines(token.tokens));
    case "paragraph": return el("p", {}, ...inlines(token.tokens));
    case "code": return codeBlock(token);
    case "blockquote": return el("blockquote", {}, ...blocks(token.tokens));
    case "list": return list(token);
    case "table": return table(token);
    case "hr": return el("hr");
    case "blockMath": return math(token);
    case "html": return el("p", { className: "markup" }, token.raw.trimEnd());
    default: return inline(token);
  }
}

function inline(token) {
  switch (token.type) {
    case "strong": case "em": case "del": return el(token.type, {}, ...inlines(token.tokens));
    case "codespan": return el("code", {}, decode(token.text));
    case "br": return el("br");
    case "link": return link(token.href, token.title, inlines(token.tokens), token.raw);
    case "image":
      return link(token.href, token.title, ["Image: ", decode(token.text) || token.href], token.raw);
    case "inlineMath": return math(token);
    case "html": return document.createTextNode(token.raw);
    case "text": case "escape":
      if (token.tokens) {
        const group = document.createDocumentFragment();
        group.append(...inlines(token.tokens));
        return group;
      }
      return document.createTextNode(decode(token.text));
    default: return document.createTextNode(token.raw);
  }
}

const blocks = (tokens) => tokens.map(block).filter((node) => node !== null);
const inlines = (tokens) => tokens.map(inline);

// The text as tokens; null when it nests deeper than the page can follow.
function tokensOf(text) {
  try {
    return marked.lexer(text);
  } catch {
    return null;
  }
}

function drawToken(token) {
  try {
    return block(token);
  } catch {
    return el("p", { className: "markup" }, token.raw);
  }
}

// Draws a text that grows into `place`: only blocks that changed are made anew, so that a selection
// and the reader's place stay.
export class GrowingMarkdown {
  #drawn = [];  // {raw, node} of each block; node null: it shows nothing
  #definitions = 0;

  constructor(place) {
    this.place = place;
  }

  show(text) {
    const tokens = tokensOf(text) ?? [{ type: "html", raw: text }];
    // An address that is defined at the end makes links of earlier words.
    const definitions = Object.keys(tokens.links ?? {}).length;
    if (definitions !== this.#definitions) this.#clear();
    this.#definitions = definitions;
    let same = 0;
    while (same < tokens.length && same < this.#drawn.length &&
           tokens[same].raw === this.#drawn[same].raw) {
      ++same;
    }
    this.#clear(same);
    for (const token of tokens.slice(same)) {
      const node = drawToken(token);
      if (node) this.place.append(node);
      this.#drawn.push({ raw: token.raw, node });
    }
  }

  #clear(from = 0) {
    for (const { node } of this.#drawn.splice(from)) node?.remove();
  }
}
