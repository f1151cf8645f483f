// The predictions explorer: filters, searches and pages through the rows of the data block, at any null threshold.

const ROWS_PER_PAGE = 50;
const [ID, OUTCOME, WORD, TITLE, CONTEXT, QUESTION, GOLDS, ANSWER, EXACT, F1, DIFF, SPANS, SPAN_EXACT, SPAN_F1] =
  Array(14).keys();
const NUM_HAS_ANS_OUTCOMES = 3;
const [RIGHT_SPAN, WRONG_SPAN, MISSED, RIGHT_NOTHING, FALSE_ANSWER] = Array(5).keys();
const NO_SPAN_DIFF = 1e6;
const FIELDS = ["outcome", "word", "kind", "right", "order"];

const data = JSON.parse(document.getElementById("predictions").textContent);
const form = document.getElementById("filters");
const searched = data.rows.map((row) =>
  [row[QUESTION], ...row[GOLDS], data.titles[row[TITLE]], row[ID]].join("\n").toLowerCase());
const rows = new Rows(ROWS_PER_PAGE, hit);
let threshold = 0;
let judged = [];

const ORDERS = {
  file: () => 0,
  worst: (a, b) => judged[a].f1 - judged[b].f1 || distance(b) - distance(a),
  unsure: (a, b) => distance(a) - distance(b),
};

function distance(number) {
  return Math.abs(data.rows[number][DIFF] - threshold);
}

/** What a row answers at the threshold, and what that scores: the stored answer at 0, else the best span or nothing. */
function judge(row) {
  if (threshold === 0) {
    return { answer: row[ANSWER], outcome: row[OUTCOME], exact: row[EXACT], f1: row[F1], lower: row[ANSWER].toLowerCase() };
  }
  const isAnswered = row[DIFF] <= threshold && row[DIFF] < NO_SPAN_DIFF;
  const nothing = row[GOLDS].length ? 0 : 100;
  const [exact, f1] = isAnswered ? [row[SPAN_EXACT], row[SPAN_F1]] : [nothing, nothing];
  const answer = isAnswered ? bestSpan(row) : "";
  const outcome = row[GOLDS].length
    ? (isAnswered ? (exact === 100 ? RIGHT_SPAN : WRONG_SPAN) : MISSED)
    : (isAnswered ? FALSE_ANSWER : RIGHT_NOTHING);
  return { answer, outcome, exact, f1, lower: answer.toLowerCase() };
}

function bestSpan(row) {
  if (row[ANSWER]) return row[ANSWER];
  const [begin, end] = row[SPANS][0];
  return data.contexts[row[CONTEXT]].slice(begin, end) || "?";
}

function matches(row, number, words) {
  const { outcome, word, kind, right } = form.elements;
  const now = judged[number];
  return (outcome.value === "" || now.outcome === Number(outcome.value))
    && (word.value === "" || row[WORD] === Number(word.value))
    && (kind.value === "" || (now.outcome < NUM_HAS_ANS_OUTCOMES) === (kind.value === "has_ans"))
    && (right.value === "" || (now.exact === 100) === (right.value === "right"))
    && words.every((text) => searched[number].includes(text) || now.lower.includes(text));
}

/** A score as the rest of the page rounds it: of two equally near tenths the even one, where toFixed takes the higher. */
function percent(value) {
  return (value * 4) % 4 === 1 ? `${Math.floor(value)}.2` : value.toFixed(1);
}

function update(page = 0) {
  const words = form.elements.search.value.toLowerCase().split(/\s+/).filter(Boolean);
  rows.hits = [...data.rows.keys()].filter((number) => matches(data.rows[number], number, words))
    .sort(ORDERS[form.elements.order.value]);
  const mean = (name) => percent(rows.hits.reduce((sum, number) => sum + judged[number][name], 0) / rows.hits.length);
  const scores = rows.hits.length ? ` · exact ${mean("exact")} · f1 ${mean("f1")}` : "";
  const count = (number) => number.toLocaleString("en");
  const rule = threshold === 0 ? "" : ` · at null threshold ${Number(threshold.toFixed(4))}`;
  document.getElementById("count").textContent =
    `${count(rows.hits.length)} of ${count(data.rows.length)}${scores}${rule}`;
  rows.show(page);
}

function judgeAll(value) {
  threshold = Number.isFinite(value) && data.thresholds.length ? value : 0;
  judged = data.rows.map(judge);
  const answered = judged.filter((now) => now.answer).length;
  document.getElementById("answered").textContent = `${answered.toLocaleString("en")} answered`;
}

/** One prediction; its context and n-best are filled in when it is opened. */
function hit(number) {
  const row = data.rows[number];
  const now = judged[number];
  const box = element("details", "hit");
  const line = element("summary");
  const isRight = now.exact === 100;
  const answer = element("span", "answers");
  const look = [isRight ? "" : "given", now.answer ? "" : "none"].filter(Boolean).join(" ");
  answer.append(element("span", look, now.answer || "(no answer)"));
  if (!isRight) {
    const golds = row[GOLDS].length ? row[GOLDS] : ["(no answer)"];
    answer.append(" · right: ", element("span", row[GOLDS].length ? "" : "none", golds.join(" / ")));
  }
  line.append(element("span", isRight ? "kind" : "kind bad", data.outcomes[now.outcome]),
    element("span", "asked", row[QUESTION]), element("span", "score", `f1 ${percent(now.f1)}`), answer);
  box.append(line);
  box.addEventListener("toggle", () => box.childElementCount > 1 || box.append(...opened(row, now)), { once: true });
  return box;
}

function opened(row, now) {
  const context = data.contexts[row[CONTEXT]];
  const parts = [];
  if (context) parts.push(marked(context, row));
  if (row[SPANS].length) parts.push(spans(row, context));
  parts.push(element("p", "soft", `${data.titles[row[TITLE]]} · ${row[ID]} · exact ${percent(now.exact)}`
    + ` · f1 ${percent(now.f1)} · null_score_diff ${Number(row[DIFF].toFixed(2))}`));
  return parts;
}

/** Where a right answer is: at a span with its text, else where its text first occurs; null if it does not. */
function place(context, spans, gold) {
  const span = spans.find(([begin, end]) => context.slice(begin, end) === gold);
  const begin = span ? span[0] : context.indexOf(gold);
  return begin < 0 || !gold ? null : [begin, begin + gold.length, "u"];
}

/** The context with the best span marked and the right answers underlined. */
function marked(context, row) {
  const ranges = row[GOLDS].map((gold) => place(context, row[SPANS], gold)).filter(Boolean);
  if (row[SPANS].length) ranges.push([row[SPANS][0][0], row[SPANS][0][1], "mark"]);
  return tagged(context, ranges);
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
  if (row[DIFF] < NO_SPAN_DIFF) entries.push([best + row[DIFF], "(no answer)", "none"]);
  for (const [score, text, className] of entries.sort((a, b) => b[0] - a[0])) {
    const line = body.insertRow();
    line.append(element("td", "n", score.toFixed(2)), element("td", `text ${className}`, text));
  }
  return table;
}

// ---------------------------------------------------------------- the threshold

/** The slider steps through all differences; its value is a number that can also be typed. */
function prepareThreshold() {
  const box = document.getElementById("threshold");
  if (!data.thresholds.length) return;
  const { slider, threshold: field } = form.elements;
  const diffs = data.rows.map((row) => row[DIFF]).filter((diff) => diff < NO_SPAN_DIFF);
  slider.min = Math.floor(Math.min(...bounds(diffs), ...data.thresholds)) - 1;
  slider.max = Math.ceil(Math.max(...bounds(diffs), ...data.thresholds)) + 1;
  slider.addEventListener("input", () => { field.value = Number(Number(slider.value).toFixed(2)); });
  field.addEventListener("input", () => { slider.value = Number(field.value) || 0; });
  data.thresholds.forEach((value, number) => {
    const button = document.getElementById(number ? "tuned" : "default");
    button.textContent = `${number ? "tuned" : "default"}: ${Number(value.toFixed(2))}`;
    button.hidden = false;
    button.addEventListener("click", () => { moveTo(value); changed(); });
  });
  moveTo(0);
  box.hidden = false;
}

function bounds(values) {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [0, 0]);
}

function moveTo(value) {
  form.elements.threshold.value = value;
  form.elements.slider.value = value;
}

function changed() {
  const wanted = Number(form.elements.threshold.value);
  if (wanted !== threshold) judgeAll(wanted);
  update();
  address.write();
}

// ---------------------------------------------------------------- the address

const address = new Address(
  (told) => {
    form.elements.search.value = told.get("search") || "";
    for (const name of FIELDS) choose(form.elements[name], told.get(name));
    const wanted = Number(told.get("threshold"));
    if (data.thresholds.length) moveTo(Number.isFinite(wanted) ? wanted : 0);
    judgeAll(Number(form.elements.threshold.value));
    update((Number(told.get("page")) || 1) - 1);
  },
  () => {
    const told = new URLSearchParams();
    const { search } = form.elements;
    if (search.value) told.set("search", search.value);
    for (const name of FIELDS) {
      const select = form.elements[name];
      if (select.value !== select.options[0].value) told.set(name, chosen(select));
    }
    if (threshold !== 0) told.set("threshold", threshold);
    if (rows.page) told.set("page", rows.page + 1);
    return told;
  },
);

function start() {
  for (const [name, texts] of [["outcome", data.outcomes], ["word", data.words]]) {
    texts.forEach((text, number) => form.elements[name].add(new Option(visible(text) || "-", number)));
  }
  prepareThreshold();
  form.addEventListener("input", changed);
  form.addEventListener("reset", () => setTimeout(() => { moveTo(0); changed(); }));
  form.addEventListener("submit", (event) => event.preventDefault());
  rows.list.addEventListener("turned", () => address.write());
  listenToKeys(rows, form.elements.search);
  document.getElementById("explorer").hidden = false;
  judgeAll(0);
  if (!address.restore()) update();
}

start();
for (const image of document.querySelectorAll(".pictures img")) {
  image.addEventListener("click", () => image.classList.toggle("large"));
}
for (const time of document.querySelectorAll("time[datetime]")) {
  time.title = time.textContent;
  time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
