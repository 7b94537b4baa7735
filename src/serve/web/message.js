// One message of a chat on the page.
import { copyFrom, el, errorBox, iconButton } from "./dom.js";
import { GrowingMarkdown } from "./markdown.js";

const FINISHES = { stopped: "stopped", length: "cut at its limit" };

export function statsText(stats) {
  const about = stats.exact ? "" : "about ";
  const parts = [`${about}${stats.tokens} token${stats.tokens === 1 ? "" : "s"}`];
  if (stats.rate !== null) parts.push(`${stats.rate.toFixed(stats.rate < 100 ? 1 : 0)} tokens/s`);
  if (stats.first !== null) parts.push(`first token after ${stats.first.toFixed(2)} s`);
  if (FINISHES[stats.finish]) parts.push(FINISHES[stats.finish]);
  return parts.join(" · ");
}

function copyButton(message) {
  const button = iconButton("copy", "Copy", () => copyFrom(button, message.content));
  return button;
}

// A question, which can be edited: `onEdit(text)` is told the new text.
export function questionNode(message, onEdit) {
  const bubble = el("div", { className: "bubble" }, message.content);
  const node = el("article", { className: "message question", "aria-label": "You" });
  const show = () => node.replaceChildren(bubble,
    el("div", { className: "actions" }, copyButton(message), iconButton("edit", "Edit", edit)));
  function edit() {
    const area = el("textarea", { value: message.content, rows: 3, "aria-label": "Edit the message" });
    const send = () => {
      if (area.value.trim()) onEdit(area.value);
    };
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        show();
      } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        send();
      }
    });
    node.replaceChildren(el("div", { className: "editor" }, area,
      el("div", { className: "buttons" },
        el("button", { type: "button", onclick: show }, "Cancel"),
        el("button", { type: "button", className: "primary", onclick: send }, "Send"))));
    area.focus();
  }
  show();
  return node;
}

// An answer, complete or growing: call grow() with the text so far, then end().
export class AnswerNode {
  // `onRegenerate`, `onEdit` as a question's.
  constructor(message, onRegenerate) {
    this.message = message;
    this.onRegenerate = onRegenerate;
    this.text = el("div", { className: "prose" });
    this.foot = el("div", { className: "foot" });
    this.node = el("article", { className: "message answer", "aria-label": "Model" },
      this.text, this.foot);
    this.markdown = new GrowingMarkdown(this.text);
  }

  // Draws at most once a frame, however fast the tokens come.
  grow() {
    this.node.classList.add("growing");
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.markdown.show(this.message.content);
    });
  }

  end() {
    if (this.frame) cancelAnimationFrame(this.frame);
    this.frame = null;
    this.node.classList.remove("growing");
    const { message } = this;
    this.markdown.show(message.content);
    this.text.hidden = !message.content;
    const again = iconButton("again", message.error ? "Try again" : "Regenerate", this.onRegenerate);
    this.foot.replaceChildren();
    if (message.error) this.foot.append(errorBox(message.error));
    this.foot.append(el("div", { className: "actions" },
      message.content ? copyButton(message) : null, again,
      message.stats ? el("span", { className: "stats" }, statsText(message.stats)) : null));
    return this;
  }
}
