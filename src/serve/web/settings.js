// The form of a conversation's settings. A field left empty is not sent: the server's default holds.
import { el } from "./dom.js";

// name: as in the request.
const NUMBERS = [
  { name: "temperature", label: "Temperature", hint: "0: always the likeliest token", min: 0, max: 2,
    step: 0.05, placeholder: "1" },
  { name: "top_p", label: "Top-p", hint: "fewest tokens that reach p together", min: 0.01, max: 1,
    step: 0.01, placeholder: "1" },
  { name: "top_k", label: "Top-k", hint: "the k likeliest tokens; 0: all", min: 0, step: 1,
    placeholder: "0" },
  { name: "min_p", label: "Min-p", hint: "at least p times the likeliest", min: 0, max: 1, step: 0.01,
    placeholder: "0" },
  { name: "max_tokens", label: "Max tokens", hint: "longest answer", min: 1, step: 1,
    placeholder: "the context's rest" },
  { name: "seed", label: "Seed", hint: "the same seed, the same text", min: 0, step: 1,
    placeholder: "random" },
  { name: "repetition_penalty", label: "Repetition penalty", hint: "above 1: fewer repeats",
    min: 0.01, max: 10, step: 0.01, placeholder: "1" },
  { name: "presence_penalty", label: "Presence penalty", hint: "of tokens that appeared", min: -2,
    max: 2, step: 0.1, placeholder: "0" },
  { name: "frequency_penalty", label: "Frequency penalty", hint: "by how often they appeared",
    min: -2, max: 2, step: 0.1, placeholder: "0" },
];

// A base model rarely ends by itself.
const COMPLETION_TOKENS = 256;

function numberField(spec, settings, changed) {
  const id = `setting-${spec.name}`;
  const input = el("input", {
    id, type: "number", min: spec.min, step: "any", placeholder: spec.placeholder,
    "aria-describedby": `${id}-hint`, value: settings[spec.name] ?? "", inputMode: "decimal",
    oninput: () => {
      const valid = input.value !== "" && input.checkValidity();
      if (valid) settings[spec.name] = Number(input.value);
      else delete settings[spec.name];
      input.setAttribute("aria-invalid", String(!input.checkValidity()));
      changed();
    },
  });
  if (spec.max !== undefined) input.max = spec.max;
  if (Number.isInteger(spec.step)) input.step = 1;
  return el("div", { className: "field" }, el("label", { for: id }, spec.label), input,
    el("small", { id: `${id}-hint` }, spec.hint));
}

function systemField(settings, changed) {
  const area = el("textarea", {
    id: "setting-system", rows: 4, value: settings.system ?? "", placeholder: "the template's own",
    oninput: () => {
      if (area.value.trim()) settings.system = area.value;
      else delete settings.system;
      changed();
    },
  });
  return el("div", { className: "field broad" }, el("label", { for: area.id }, "System text"), area);
}

// Fills `place` with the fields of `settings`, which they change; `changed` is told.
export function showSettings(place, settings, mode, changed) {
  const fields = NUMBERS.map((spec) => {
    const completes = spec.name === "max_tokens" && mode === "completion";
    return numberField(completes ? { ...spec, placeholder: String(COMPLETION_TOKENS) } : spec,
      settings, changed);
  });
  if (mode === "chat") fields.unshift(systemField(settings, changed));
  place.replaceChildren(...fields);
}

// The settings as fields of a request.
export function requestFields(settings, mode) {
  const { system, ...fields } = settings;
  if (mode === "completion") fields.max_tokens ??= COMPLETION_TOKENS;
  return fields;
}
