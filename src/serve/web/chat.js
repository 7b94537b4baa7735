// The chat page: the list of conversations, the one that is open, and the answer under way.
import { apiKey, ApiError, generate, getJson, setApiKey } from "./api.js";
import { CompletionView } from "./completion.js";
import { el, errorBox, iconButton } from "./dom.js";
import { AnswerNode, questionNode } from "./message.js";
import { requestFields, showSettings } from "./settings.js";
import * as store from "./store.js";

const $ = (selector) => document.querySelector(selector);
const model = { name: "", context: 0, chats: true };
let conversation = null;
let completion = null;   // its view, in completion mode
let underway = null;     // an AbortController while an answer comes

// --- The server -----------------------------------------------------------------------------

function askForKey(wrong) {
  $("#key-form").hidden = false;
  $("#key-hint").textContent = wrong ? "The server refuses this key." : "It stays in this browser.";
  $("#key").focus();
}

async function connect() {
  $("#notice").replaceChildren();
  try {
    const [models, tokenizer] = await Promise.all([getJson("/v1/models"), getJson("/tokenizer_info")]);
    const [served] = models.data;
    model.name = served.id;
    model.context = served.max_model_len;
    model.chats = Boolean(tokenizer.chat_template);
    $("#key-form").hidden = true;
    $("#forget-key").hidden = !apiKey();
    showModel();
    $("#new span").textContent = model.chats ? "New chat" : "New text";
    if (!model.chats && isEmpty(conversation) && conversation.mode === "chat") begin("completion");
  } catch (error) {
    if (error.status === 401) return askForKey(Boolean(apiKey()));
    const again = el("button", { type: "button", onclick: connect }, "Try again");
    $("#notice").replaceChildren(errorBox(error.message, again));
  }
}

function showModel() {
  const name = model.name.split("/").filter(Boolean).slice(-2).join("/") || "Fathom";
  $("#model").textContent = name;
  $("#model").title = `${model.name}, context of ${model.context} tokens`;
  document.title = `${name} · Fathom`;
  const chat = $("#modes [data-mode=chat]");
  chat.disabled = !model.chats;
  chat.title = model.chats ? "" : "The model has no chat template: it only continues texts";
}

// --- Conversations --------------------------------------------------------------------------

const isEmpty = (one) => one.messages.length === 0 && !one.text;

function save() {
  conversation.updated = Date.now();
  conversation.title = titleOf(conversation);
  if (!isEmpty(conversation) && !store.keep(conversation)) {
    $("#notice").replaceChildren(errorBox(
      "The browser's storage is full, so this conversation will not survive a reload: export it, " +
      "or delete others."));
  }
  showList();
}

function titleOf(one) {
  const text = one.mode === "chat" ? one.messages[0]?.content ?? "" : one.text;
  const line = text.trim().split("\n")[0];
  return line.length > 60 ? `${line.slice(0, 57).trimEnd()}…` : line;
}

function showList() {
  $("#conversations").replaceChildren(...store.allConversations().map((one) => {
    const open = el("button", {
      type: "button", className: "open", onclick: () => show(one),
      "aria-current": one.id === conversation.id ? "true" : null,
    }, one.title || "Untitled");
    const remove = iconButton("trash", `Delete “${one.title}”`, () => removeConversation(one));
    return el("li", {}, open, remove);
  }));
}

function removeConversation(one) {
  if (!confirm(`Delete “${one.title || "Untitled"}”?`)) return;
  store.forget(one);
  if (one.id === conversation.id) {
    stop();
    begin(conversation.mode);
  } else {
    showList();
  }
}

function begin(mode) {
  show(store.newConversation(mode));
}

function show(one) {
  stop();
  conversation = one;
  try {
    sessionStorage.setItem("fathom.open", one.id);
  } catch {
    // a reload opens the newest
  }
  document.body.classList.remove("list-open");
  for (const button of document.querySelectorAll("#modes button")) {
    button.setAttribute("aria-pressed", String(button.dataset.mode === one.mode));
  }
  showSettings($("#fields"), one.settings, one.mode, () => {
    store.keepSettings(one.settings);
    if (!isEmpty(one)) store.keep(one);
  });
  showThread();
  showList();
}

// --- The thread -----------------------------------------------------------------------------

function showThread() {
  completion = null;
  $("#composer").hidden = conversation.mode !== "chat";
  if (conversation.mode === "completion") return showCompletion();
  const thread = $("#thread");
  thread.replaceChildren(...conversation.messages.map(messageNode));
  if (conversation.messages.length === 0) {
    thread.append(el("div", { className: "welcome" },
      el("img", { src: "/assets/icon.svg", alt: "", width: 48, height: 48 }),
      el("h2", {}, "What would you like to know?"),
      el("p", {}, "What you write goes to this server, and nowhere else.")));
  }
  $("#scroll").scrollTop = $("#scroll").scrollHeight;
  $("#input").focus();
}

function messageNode(message, index) {
  if (message.role === "user") return questionNode(message, (text) => goOnFrom(index, text));
  return new AnswerNode(message, () => answerAgain(index)).end().node;
}

function showCompletion() {
  completion = new CompletionView(conversation, {
    onContinue: continueText, onStop: stop, changed: save,
  });
  $("#thread").replaceChildren(completion.node);
  completion.fit();
  completion.area.focus();
}

function goOnFrom(index, text) {
  stop();
  conversation.messages.length = index;
  ask(text);
}

function answerAgain(index) {
  stop();
  conversation.messages.length = index;
  showThread();
  answer();
}

function ask(text) {
  conversation.messages.push({ role: "user", content: text });
  save();
  showThread();
  answer();
}

// --- Answers --------------------------------------------------------------------------------

function stop() {
  underway?.abort();
  underway = null;
}

function setBusy(busy) {
  $("#send").hidden = busy;
  $("#stop").hidden = !busy;
  $("#thread").setAttribute("aria-busy", String(busy));
}

// Runs one generation of a conversation, which may not be the open one any more when it ends.
async function run(path, request, onPiece) {
  const mine = new AbortController();
  underway = mine;
  setBusy(true);
  try {
    const stats = await generate(path, { model: model.name || undefined, ...request }, mine.signal,
      onPiece);
    return { stats };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) askForKey(Boolean(apiKey()));
    return { error: error.message };
  } finally {
    if (underway === mine) underway = null;
    if (!underway) setBusy(false);
  }
}

// What the model is shown: answers that broke off with nothing are left out.
function shownMessages(one) {
  const shown = one.messages.filter((message) => message.content)
    .map(({ role, content }) => ({ role, content }));
  if (one.settings.system) shown.unshift({ role: "system", content: one.settings.system });
  return shown;
}

async function answer() {
  const mine = conversation;
  const request = { messages: shownMessages(mine), ...requestFields(mine.settings, "chat") };
  const message = { role: "assistant", content: "" };
  const index = mine.messages.push(message) - 1;
  const node = new AnswerNode(message, () => answerAgain(index));
  $("#thread").append(node.node);
  node.grow();
  const endFollowing = followEnd();
  const outcome = await run("/v1/chat/completions", request, (piece) => {
    // Templates put the space before an answer themselves.
    message.content = (message.content + piece).replace(/^\s+/, "");
    node.grow();
  });
  Object.assign(message, outcome);
  node.end();
  endFollowing();
  if (mine.messages[index] === message) saveOf(mine);
}

async function continueText() {
  if (underway || !conversation.text) return;
  const mine = conversation, view = completion;
  view.begin();
  const request = { prompt: mine.text, ...requestFields(mine.settings, "completion") };
  const endFollowing = followEnd();
  const { stats, error } = await run("/v1/completions", request, (piece) => view.grow(piece));
  view.end(stats, error);
  endFollowing();
  saveOf(mine);
}

function saveOf(one) {
  if (one === conversation) return save();
  one.updated = Date.now();
  store.keep(one);
  showList();
}

// Keeps the end in sight as the thread grows, unless the reader scrolls away from it. Returns how to
// end that; formulas are drawn a little later than their text.
function followEnd() {
  const scroll = $("#scroll");
  let following = true;
  const toEnd = () => {
    if (following) scroll.scrollTop = scroll.scrollHeight;
  };
  const look = () => {
    following = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
  };
  const observer = new ResizeObserver(toEnd);
  observer.observe($("#thread"));
  scroll.addEventListener("scroll", look);
  toEnd();
  return () => setTimeout(() => {
    observer.disconnect();
    scroll.removeEventListener("scroll", look);
  }, 1000);
}

// --- Controls -------------------------------------------------------------------------------

function send() {
  const input = $("#input");
  const text = input.value.trim();
  if (!text || underway) return;
  input.value = "";
  fitInput();
  ask(text);
}

function fitInput() {
  const input = $("#input");
  input.style.height = "auto";
  input.style.height = `${Math.min(input.scrollHeight, innerHeight * 0.4)}px`;
}

function toggleSettings(open) {
  $("#settings").hidden = !open;
  $("#open-settings").setAttribute("aria-expanded", String(open));
  document.body.classList.toggle("settings-open", open);
  if (open) $("#fields input, #fields textarea")?.focus();
  else $("#open-settings").focus();
}

function toggleList(open) {
  document.body.classList.toggle("list-open", open);
  if (open) $("#new").focus();
}

function download() {
  const blob = new Blob([store.exportText(conversation)], { type: "application/json" });
  const address = URL.createObjectURL(blob);
  const name = (conversation.title || "conversation").replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 40);
  el("a", { href: address, download: `${name}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

function onKey(event) {
  if (event.key !== "Escape") return;
  if (underway) stop();
  else if (document.body.classList.contains("list-open")) toggleList(false);
  else if (!$("#settings").hidden) toggleSettings(false);
}

function listen() {
  $("#composer").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  $("#input").addEventListener("keydown", (event) => {
    // An input method's Enter chooses a character.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  $("#input").addEventListener("input", fitInput);
  $("#stop").addEventListener("click", stop);
  $("#new").addEventListener("click", () => begin(model.chats ? "chat" : "completion"));
  $("#export").addEventListener("click", download);
  $("#open-settings").addEventListener("click", () => toggleSettings($("#settings").hidden));
  $("#close-settings").addEventListener("click", () => toggleSettings(false));
  $("#open-sidebar").addEventListener("click", () => toggleList(true));
  $("#close-sidebar").addEventListener("click", () => toggleList(false));
  $("#shade").addEventListener("click", () => {
    toggleList(false);
    if (!$("#settings").hidden) toggleSettings(false);
  });
  for (const button of document.querySelectorAll("#modes button")) {
    button.addEventListener("click", () => {
      if (button.dataset.mode !== conversation.mode) begin(button.dataset.mode);
    });
  }
  $("#key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    setApiKey($("#key").value.trim());
    $("#key").value = "";
    connect();
  });
  $("#forget-key").addEventListener("click", () => {
    setApiKey("");
    $("#forget-key").hidden = true;
    connect();
  });
  document.addEventListener("keydown", onKey);
  addEventListener("storage", (event) => {
    if (store.isConversationKey(event.key)) showList();
  });
}

function openLast() {
  const all = store.allConversations();
  let id = null;
  try {
    id = sessionStorage.getItem("fathom.open");
  } catch {
    // the newest, then
  }
  const last = all.find((one) => one.id === id);
  if (last) show(last);
  else begin("chat");
}

listen();
openLast();
connect();
