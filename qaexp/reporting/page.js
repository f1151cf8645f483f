// The predictions explorer: filters, searches and pages through the rows of the data block. All text from data goes
// through textContent; nothing is ever parsed as markup, stored or requested.
"use strict";

const ROWS_PER_PAGE = 50;
const [ID, OUTCOME, WORD, TITLE, CONTEXT, QUESTION, GOLDS, ANSWER, EXACT, F1, DIFF, SPANS] = Array(12).keys();
const NUM_HAS_ANS_OUTCOMES = 3;
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

const data = JSON.parse(document.getElementById("predictions").textContent);
const form = document.getElementById("filters");
const list = document.getElementById("hits");
const searched = data.rows.map((row) =>
  [row[QUESTION], row[ANSWER], ...row[GOLDS], data.titles[row[TITLE]], row[ID]].join("\n").toLowerCase());
let hits = [];
let page = 0;

const ORDERS = {
  file: () => 0,
  worst: (a, b) => a[F1] - b[F1] || Math.abs(b[DIFF]) - Math.abs(a[DIFF]),
  unsure: (a, b) => Math.abs(a[DIFF]) - Math.abs(b[DIFF]),
};

/** Control characters as escapes, so that they neither hide nor reorder what stands around them. */
function visible(text) {
  return text.replace(CONTROLS, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) {
    made.textContent = visible(String(text));
    made.dir = "auto";
  }
  return made;
}

function matches(row, number, words) {
  const { outcome, word, kind, right } = form.elements;
  return (outcome.value === "" || row[OUTCOME] === Number(outcome.value))
    && (word.value === "" || row[WORD] === Number(word.value))
    && (kind.value === "" || (row[OUTCOME] < NUM_HAS_ANS_OUTCOMES) === (kind.value === "has_ans"))
    && (right.value === "" || (row[EXACT] === 100) === (right.value === "right"))
    && words.every((text) => searched[number].includes(text));
}

/** A score as the rest of the page rounds it: of two equally near tenths the even one, where toFixed takes the higher. */
function percent(value) {
  return (value * 4) % 4 === 1 ? `${Math.floor(value)}.2` : value.toFixed(1);
}

function update() {
  const words = form.elements.search.value.toLowerCase().split(/\s+/).filter(Boolean);
  hits = data.rows.filter((row, number) => matches(row, number, words)).sort(ORDERS[form.elements.order.value]);
  const mean = (column) => percent(hits.reduce((sum, row) => sum + row[column], 0) / hits.length);
  const scores = hits.length ? ` · exact ${mean(EXACT)} · f1 ${mean(F1)}` : "";
  const count = (number) => number.toLocaleString("en");
  document.getElementById("count").textContent = `${count(hits.length)} of ${count(data.rows.length)}${scores}`;
  show(0);
}

function show(number) {
  page = number;
  const pages = Math.max(1, Math.ceil(hits.length / ROWS_PER_PAGE));
  list.replaceChildren(...hits.slice(page * ROWS_PER_PAGE, (page + 1) * ROWS_PER_PAGE).map(hit));
  document.getElementById("page").textContent = `page ${page + 1} of ${pages}`;
  document.getElementById("previous").disabled = page === 0;
  document.getElementById("next").disabled = page + 1 >= pages;
  document.getElementById("pager").hidden = pages === 1;
}

/** One prediction; its context and n-best are filled in when it is opened. */
function hit(row) {
  const box = element("details", "hit");
  const line = element("summary");
  const right = row[EXACT] === 100;
  const answer = element("span", "answers");
  answer.append(element("span", right ? "gold" : row[ANSWER] ? "given" : "given none", row[ANSWER] || "(no answer)"));
  if (!right) {
    const golds = row[GOLDS].length ? row[GOLDS] : ["(no answer)"];
    answer.append(" · right: ", element("span", "gold", golds.join(" / ")));
  }
  line.append(element("span", right ? "kind good" : "kind bad", data.outcomes[row[OUTCOME]]),
    element("span", "asked", row[QUESTION]), element("span", "score", `f1 ${percent(row[F1])}`), answer);
  box.append(line);
  box.addEventListener("toggle", () => box.childElementCount > 1 || box.append(...opened(row)), { once: true });
  return box;
}

function opened(row) {
  const context = data.contexts[row[CONTEXT]];
  const parts = [];
  if (context) parts.push(marked(context, row));
  if (row[SPANS].length) parts.push(spans(row, context));
  parts.push(element("p", "soft", `${data.titles[row[TITLE]]} · ${row[ID]} · exact ${percent(row[EXACT])}`
    + ` · f1 ${percent(row[F1])} · null_score_diff ${row[DIFF]}`));
  return parts;
}

/** Where a right answer stands: at a span with its text, else where its text first occurs; null where it does not. */
function place(context, spans, gold) {
  const span = spans.find(([begin, end]) => context.slice(begin, end) === gold);
  const begin = span ? span[0] : context.indexOf(gold);
  return begin < 0 || !gold ? null : [begin, begin + gold.length, "u"];
}

/** The context with the best span marked and the right answers underlined. */
function marked(context, row) {
  const ranges = row[GOLDS].map((gold) => place(context, row[SPANS], gold)).filter(Boolean);
  if (row[SPANS].length) ranges.push([row[SPANS][0][0], row[SPANS][0][1], "mark"]);
  const cuts = [...new Set([0, context.length, ...ranges.flatMap(([begin, end]) => [begin, end])])]
    .filter((cut) => cut <= context.length).sort((a, b) => a - b);
  const paragraph = element("p", "context");
  paragraph.dir = "auto";
  cuts.slice(1).forEach((end, number) => {
    const begin = cuts[number];
    const tags = new Set(ranges.filter((range) => range[0] <= begin && end <= range[1]).map((range) => range[2]));
    let piece = document.createTextNode(visible(context.slice(begin, end)));
    for (const tag of [...tags].sort()) {
      const around = document.createElement(tag);
      around.append(piece);
      piece = around;
    }
    paragraph.append(piece);
  });
  return paragraph;
}

function spans(row, context) {
  const table = element("table");
  const head = table.createTHead().insertRow();
  for (const [name, className] of [["score", "n"], ["best spans", ""]]) {
    const cell = head.appendChild(element("th", className, name));
    cell.scope = "col";
  }
  const body = table.createTBody();
  const best = row[SPANS][0][2];
  const entries = row[SPANS].map(([begin, end, score]) => [score, context ? context.slice(begin, end) : "?", ""]);
  if (row[DIFF] < 1e6) entries.push([best + row[DIFF], "(no answer)", "none"]);
  for (const [score, text, className] of entries.sort((a, b) => b[0] - a[0])) {
    const line = body.insertRow();
    line.append(element("td", "n", score.toFixed(2)), element("td", `text ${className}`, text));
  }
  return table;
}

function turn(number) {
  show(number);
  document.getElementById("count").scrollIntoView({ block: "start" });
}

function start() {
  for (const [name, texts] of [["outcome", data.outcomes], ["word", data.words]]) {
    texts.forEach((text, number) => form.elements[name].add(new Option(visible(text) || "-", number)));
  }
  form.addEventListener("input", update);
  form.addEventListener("reset", () => setTimeout(update));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("previous").addEventListener("click", () => turn(page - 1));
  document.getElementById("next").addEventListener("click", () => turn(page + 1));
  document.getElementById("explorer").hidden = false;
  update();
}

start();
