// The conversations, kept in this browser alone: each under a key of its own, so that two tabs do
// not overwrite each other's.
//
// A conversation: {id, title, mode, created, updated, messages, settings}; mode "chat", or
// "completion" with `text` in place of messages. A message: {role, content}, and of an answer
// `stats` (api.js) or `error`.

const PREFIX = "fathom.conversation.";

function read(key) {
  try {
    return JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

export function allConversations() {
  const found = [];
  try {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(PREFIX)) found.push(read(key));
    }
  } catch {
    // the browser keeps nothing
  }
  return found.filter((one) => one && Array.isArray(one.messages))
    .sort((a, b) => b.updated - a.updated);
}

export const isConversationKey = (key) => key === null || key.startsWith(PREFIX);

// False when the browser has no room for it.
export function keep(conversation) {
  try {
    localStorage.setItem(PREFIX + conversation.id, JSON.stringify(conversation));
    return true;
  } catch {
    return false;
  }
}

export function forget(conversation) {
  try {
    localStorage.removeItem(PREFIX + conversation.id);
  } catch {
    // it was never kept
  }
}

export function newConversation(mode) {
  const now = Date.now();
  return {
    id: `${now.toString(36)}-${Math.random().toString(36).slice(2, 10)}`,
    title: "", mode, created: now, updated: now, messages: [], text: "", settings: lastSettings(),
  };
}

// New conversations begin with the settings that were used last.
export const lastSettings = () => read("fathom.settings") ?? {};
export function keepSettings(settings) {
  try {
    localStorage.setItem("fathom.settings", JSON.stringify(settings));
  } catch {
    // they last as long as the conversation
  }
}

// A row of JSON that `fathom sft` reads.
export function exportText(conversation) {
  const messages = conversation.messages.filter((one) => !one.error || one.content)
    .map(({ role, content }) => ({ role, content }));
  if (conversation.settings.system) {
    messages.unshift({ role: "system", content: conversation.settings.system });
  }
  const shown = conversation.mode === "chat" ? { messages } : { text: conversation.text };
  return `${JSON.stringify({ ...shown, title: conversation.title })}\n`;
}
