// Completion mode: a document that the model continues, for models without a chat template.
import { el, errorBox } from "./dom.js";
import { statsText } from "./message.js";

export class CompletionView {
  // `onContinue`, `onStop`; `changed`: after the text was edited.
  constructor(conversation, { onContinue, onStop, changed }) {
    this.conversation = conversation;
    this.before = null;  // the text before the last continuation
    this.area = el("textarea", {
      id: "document", value: conversation.text, spellcheck: false, "aria-label": "Text to continue",
      placeholder: "Begin a text, and let the model continue it…",
      oninput: () => {
        conversation.text = this.area.value;
        this.setBefore(null);
        this.fit();
        changed();
      },
    });
    this.area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        onContinue();
      }
    });
    const button = (label, onclick, className = "") =>
      el("button", { type: "button", className, onclick }, label);
    this.go = button("Continue", onContinue, "primary");
    this.stop = button("Stop", onStop);
    this.undo = button("Undo", () => this.takeBack(changed));
    this.again = button("Another", () => {
      this.takeBack(changed);
      onContinue();
    });
    this.stats = el("span", { className: "stats" });
    this.errors = el("div");
    this.node = el("section", { className: "completion" }, this.area, this.errors,
      el("div", { className: "buttons" }, this.stats, this.undo, this.again, this.stop, this.go),
      el("p", { className: "hint" }, "Ctrl+Enter continues, Esc stops."));
    this.setBefore(null);
    this.setBusy(false);
  }

  // The text area is as high as its text.
  fit() {
    this.area.style.height = "auto";
    this.area.style.height = `${this.area.scrollHeight + 2}px`;
  }

  setBefore(text) {
    this.before = text;
    this.undo.disabled = this.again.disabled = text === null;
  }

  setBusy(busy) {
    this.stop.hidden = !busy;
    this.go.hidden = busy;
    this.area.readOnly = busy;
    if (busy) this.undo.disabled = this.again.disabled = true;
    else this.setBefore(this.before);
  }

  takeBack(changed) {
    if (this.before === null) return;
    this.conversation.text = this.area.value = this.before;
    this.setBefore(null);
    this.stats.textContent = "";
    this.fit();
    changed();
  }

  begin() {
    this.before = this.conversation.text;
    this.errors.replaceChildren();
    this.stats.textContent = "";
    this.setBusy(true);
  }

  grow(piece) {
    this.conversation.text += piece;
    this.area.value = this.conversation.text;
    this.fit();
  }

  end(stats, error) {
    this.setBusy(false);
    if (stats) this.stats.textContent = statsText(stats);
    if (error) this.errors.replaceChildren(errorBox(error));
    this.area.focus();
  }
}
