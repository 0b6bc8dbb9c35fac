"use strict";

const MOST_BARS = 8;
const TINTS = 8;
const byId = (id) => document.getElementById(id);
const here = new URL(".", location.href);
let info = null;
let key = "";

function element(tag, text, className) {
  const node = document.createElement(tag);
  if (text !== undefined && text !== null) node.textContent = text;
  if (className) node.className = className;
  return node;
}

// Words

const percent = (share) => (share > 0 && share < 0.001 ? "< 0.1 %" : `${(share * 100).toFixed(1)} %`);
const written = (number) => (Number.isInteger(number) ? String(number) : String(Number(number.toPrecision(4))));
const title = (name) => name.replace(/[_-]+/g, " ").trim().replace(/^./u, (letter) => letter.toUpperCase());

// The server

class Refusal extends Error {}

async function ask(path, body) {
  const headers = {};
  if (body !== undefined) headers["content-type"] = "application/json";
  if (key) headers.authorization = `Bearer ${key}`;
  const options = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  let response;
  try {
    response = await fetch(new URL(path, here), options);
  } catch {
    throw new Refusal("The server does not answer.");
  }
  const text = await response.text();
  let content = {};
  try { content = JSON.parse(text); } catch { /* said below by the status */ }
  if (response.status === 401 || response.status === 403) {
    wantKey();
    throw new Refusal(key ? "The server does not take this key." : "");
  }
  if (!response.ok) {
    const wait = response.headers.get("retry-after");
    throw new Refusal((content.error ?? `The server answered with ${response.status}.`) + (wait ? ` Try again in ${wait} s.` : ""));
  }
  return content;
}

function wantKey() {
  byId("key").hidden = false;
  byId("form").hidden = true;
  byId("secret").focus();
}

function complain(error) {
  const box = byId("error");
  box.textContent = error instanceof Refusal ? error.message : String(error);
  box.hidden = !box.textContent;
}

// What is asked

const kinds = (schema) => [schema?.type ?? []].flat();

function inputs() {
  const properties = info.input_schema?.properties ?? {};
  const names = Object.keys(properties).length ? Object.keys(properties) : info.inputs;
  return names.map((name) => {
    const schema = properties[name] ?? {};
    const columns = info.fields?.[name] ?? [];
    const plain = !kinds(schema).length || kinds(schema).includes("string");
    return { name, plain, label: columns.length === 1 ? columns[0] : name, number: !plain && kinds(schema).includes("number") };
  });
}

function addFields() {
  const found = inputs();
  byId("fields").replaceChildren(...found.map(({ name, plain, label, number }) => {
    const field = element("div", undefined, "field");
    const box = element("textarea", undefined, found.length > 1 || !plain ? "short" : "");
    box.id = `field-${name}`;
    box.name = name;
    box.rows = 2;
    box.spellcheck = false;
    box.placeholder = plain ? "Write or paste a text" : number ? "A number" : "JSON";
    const caption = element("label", title(label));
    caption.htmlFor = box.id;
    if (!plain) caption.append(" ", element("small", number ? "a number" : "as JSON"));
    box.addEventListener("input", () => { showCall(); byId("answer").classList.add("stale"); });
    field.append(caption, box);
    return field;
  }));
}

function question() {
  return Object.fromEntries(inputs().map(({ name, plain, label, number }) => {
    const value = byId(`field-${name}`).value;
    if (plain) return [name, value];
    if (number) return [name, value.trim() === "" ? null : Number(value)];
    try {
      return [name, JSON.parse(value)];
    } catch {
      throw new Refusal(`${title(label)} should be JSON.`);
    }
  }));
}

function showCall() {
  let body;
  try { body = question(); } catch { return; }
  const quoted = JSON.stringify(body).replaceAll("'", "'\\''");
  const bearer = key ? ' \\\n  -H "authorization: Bearer $KEY"' : "";
  byId("curl").textContent = `curl ${new URL("predict", here)} \\\n  -H 'content-type: application/json'${bearer} \\\n  -d '${quoted}'`;
}

// What is answered

function bars(scores, chosen) {
  const ranked = Object.entries(scores).sort((one, other) => other[1] - one[1]);
  const list = element("ol", undefined, "bars");
  const rows = ranked.map(([name, share]) => {
    const row = element("li", undefined, chosen.includes(name) ? "chosen" : "");
    const track = element("span", undefined, "track");
    track.setAttribute("aria-hidden", "true");
    const bar = element("i");
    bar.style.setProperty("--share", String(Math.max(0, Math.min(1, share))));
    track.append(bar);
    row.append(element("span", name, "name"), element("span", percent(share), "value"), track);
    return row;
  });
  const shown = Math.max(MOST_BARS, ranked.findLastIndex(([name]) => chosen.includes(name)) + 1);
  list.append(...rows.slice(0, shown));
  if (rows.length <= shown) return [list];
  const more = element("button", `Show all ${rows.length}`, "quiet more");
  more.type = "button";
  more.addEventListener("click", () => { list.append(...rows.slice(shown)); more.remove(); });
  return [list, more];
}

function said(words, ...further) {
  const line = element("p", undefined, "said");
  line.append(element("strong", words), ...further);
  return line;
}

function classes(answer) {
  const unsure = answer.sure === false ? [element("span", "not sure", "badge")] : [];
  return [said(answer.label, element("span", percent(answer.score)), ...unsure), ...bars(answer.scores ?? { [answer.label]: answer.score }, [answer.label])];
}

const labels = (answer) => [said(answer.labels.join(", ") || "No label"), ...bars(answer.scores ?? {}, answer.labels)];

const score = (answer) => [element("p", written(answer.score), "number")];

const text = (answer) => [element("p", answer.text, "written")];

function entities(answer, asked) {
  const value = Object.values(asked)[0];
  const found = answer.entities;
  const groups = [...new Set(found.map((one) => one.entity_group))].sort();
  const tint = (group) => `c${groups.indexOf(group) % TINTS}`;
  const parts = [];
  if (typeof value === "string") {
    // Offsets count characters, of which some have two units in JavaScript's texts.
    const letters = Array.from(value);
    const marked = element("p", undefined, "marked");
    let at = 0;
    for (const one of [...found].sort((a, b) => a.start - b.start)) {
      if (one.start < at) continue;
      const mark = element("mark", letters.slice(one.start, one.end).join(""), tint(one.entity_group));
      mark.append(element("b", one.entity_group));
      marked.append(letters.slice(at, one.start).join(""), mark);
      at = one.end;
    }
    marked.append(letters.slice(at).join(""));
    parts.push(marked);
  }
  if (!found.length) return [said("Nothing found"), ...parts];
  const table = element("table");
  const head = table.createTHead().insertRow();
  for (const name of ["Entity", "Kind", "Probability"]) {
    const cell = element("th", name);
    cell.scope = "col";
    head.append(cell);
  }
  const body = table.createTBody();
  for (const one of found) {
    const row = body.insertRow();
    const kind = row.insertCell();
    kind.className = tint(one.entity_group);
    kind.append(element("b", one.entity_group));
    row.prepend(element("td", one.word));
    row.append(element("td", percent(one.score)));
  }
  const scroll = element("div", undefined, "scroll");
  scroll.append(table);
  return [...parts, scroll];
}

const SHOWN = { classes, labels, score, entities, text };

function showAnswer(answer, asked) {
  const show = SHOWN[info.answers] ?? ((one) => [element("pre", JSON.stringify(one, null, 2))]);
  const cut = answer.truncated ? [element("p", "The text is longer than the model reads: its end did not count.", "hint")] : [];
  const box = byId("answer");
  box.replaceChildren(...show(answer, asked), ...cut);
  box.classList.remove("stale");
  box.hidden = false;
}

async function predict(event) {
  event?.preventDefault();
  const send = byId("send");
  if (send.disabled) return;
  byId("error").hidden = true;
  send.disabled = true;
  const started = performance.now();
  try {
    const asked = question();
    const answer = await ask("predict", asked);
    byId("time").textContent = `${Math.max(1, Math.round(performance.now() - started))} ms`;
    showAnswer(answer, asked);
  } catch (error) {
    complain(error);
  } finally {
    send.disabled = false;
  }
}

// The model

function fact(name, value) {
  if (value === null || value === undefined || value === "") return;
  const pair = element("div");
  pair.append(element("dt", name), element("dd", value));
  byId("facts").append(pair);
}

function showFacts() {
  byId("facts").replaceChildren();
  if (info.provenance?.candidate !== info.name) fact("Model", info.provenance?.candidate);
  fact("Pretrained weights", info.provenance?.source);
  // A tag of words is a kind of entity with B- or I- before it, or O.
  const bare = (tag) => tag.replace(/^[BI]-/, "");
  const known = info.answers === "entities" ? [...new Set(info.labels.filter((tag) => tag !== "O").map(bare))] : info.labels;
  if (known?.length) fact(info.answers === "entities" ? "Kinds" : "Labels", known.length > 12 ? `${known.length}` : known.join(", "));
  fact("Longest text", info.max_length ? `${info.max_length} tokens` : null);
  const licences = Object.entries(info.licences ?? {}).map(([what, licence]) => `${licence} (${what})`).join(", ");
  fact("Licence", licences || "none stated");
  fact("Made", info.created ? new Date(info.created).toLocaleDateString(undefined, { year: "numeric", month: "long", day: "numeric" }) : null);
  const figures = Object.entries(info.figures?.test ?? {});
  const box = byId("figures");
  box.replaceChildren();
  if (figures.length) {
    const table = element("table");
    for (const [name, value] of figures) {
      const row = table.insertRow();
      row.insertCell().textContent = name;
      row.insertCell().textContent = typeof value === "number" ? value.toFixed(3) : String(value);
    }
    box.append(element("h3", "On test rows that it never learned from"), table);
  }
  byId("about").hidden = false;
}

async function copyCall() {
  const text = byId("curl").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Only pages of this machine and those with TLS have a clipboard.
    getSelection().selectAllChildren(byId("curl"));
    document.execCommand("copy");
  }
  byId("copy").textContent = "Copied";
  setTimeout(() => { byId("copy").textContent = "Copy"; }, 1500);
}

async function begin() {
  info = await ask("info");
  document.title = info.name;
  byId("name").textContent = info.name;
  byId("task").textContent = title(info.task);
  addFields();
  showFacts();
  showCall();
  byId("key").hidden = true;
  byId("form").hidden = byId("call").hidden = false;
  byId("fields").querySelector("textarea").focus({ preventScroll: true });
}

byId("form").addEventListener("submit", predict);
byId("form").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) predict(event);
});
byId("key").addEventListener("submit", (event) => {
  event.preventDefault();
  byId("error").hidden = true;
  key = byId("secret").value;
  begin().catch(complain);
});
byId("copy").addEventListener("click", copyCall);
begin().catch(complain);
