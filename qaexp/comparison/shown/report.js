// The report of a comparison: the sortable leaderboard, the flips explorer, and when figures are drawn.

const ROWS_PER_PAGE = 30;

// ---------------------------------------------------------------- the leaderboard

/** Less important columns are hidden behind a checkbox; without JavaScript all are shown. */
function foldColumns(line) {
  const table = line.nextElementSibling.querySelector("table");
  const box = line.querySelector("input");
  const fold = () => table.classList.toggle("folded", !box.checked);
  line.hidden = false;
  box.addEventListener("change", fold);
  fold();
}

function sortBy(header, place) {
  const table = header.closest("table");
  const direction = header.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
  const key = (row) => row.cells[place].dataset.sort ?? row.cells[place].textContent.trim();
  const body = table.tBodies[0];
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    const [m, n] = [Number(x), Number(y)];
    return direction * (x !== "" && y !== "" && !Number.isNaN(m) && !Number.isNaN(n) ? m - n : x.localeCompare(y, "en", { numeric: true }));
  });
  body.append(...rows);
}

// ---------------------------------------------------------------- flips

function explorer(found) {
  const form = document.getElementById("filters");
  const searched = found.rows.map((row) =>
    [row.question, row.a, row.b, ...row.golds, row.title, row.id].join("\n").toLowerCase());
  const { search, kind, answerable } = form.elements;
  const rows = new Rows(ROWS_PER_PAGE, hit);

  function update(page = 0) {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    rows.hits = found.rows.filter((row, place) => (kind.value === "" || row.kind === Number(kind.value))
      && (answerable.value === "" || (row.golds.length > 0) === (answerable.value === "has_ans"))
      && words.every((word) => searched[place].includes(word)));
    document.getElementById("count").textContent =
      `${rows.hits.length.toLocaleString("en")} of ${found.rows.length.toLocaleString("en")}`;
    rows.show(page);
  }

  function hit(row) {
    const box = element("details", "hit");
    const line = element("summary");
    const [, , aF1, bF1] = row.scores;
    const answer = element("span", "answers");
    const isRight = (text) => row.golds.length ? row.golds.some((gold) => gold.toLowerCase() === text.toLowerCase()) : !text;
    const given = (text, f1) => element("span",
      [f1 < 100 && !isRight(text) ? "given" : "", text ? "" : "none"].join(" ").trim(), text || "(no answer)");
    answer.append(given(row.a, aF1), " → ", given(row.b, bF1), " · right: ",
      element("span", row.golds.length ? "" : "none", row.golds.join(" / ") || "(no answer)"));
    line.append(element("span", bF1 < aF1 ? "kind bad" : "kind", found.kinds[row.kind]),
      element("span", "asked", row.question), element("span", "score", `${aF1.toFixed(0)} → ${bF1.toFixed(0)}`), answer);
    box.append(line);
    box.addEventListener("toggle", () => box.childElementCount > 1 || box.append(...opened(row)), { once: true });
    return box;
  }

  function opened(row) {
    const context = found.contexts[row.context];
    const parts = context ? [marked(context, row)] : [];
    const pair = element("div", "pair");
    [[found.a, found.a_n], [found.b, found.b_n]].forEach(([name, n], place) => {
      const box = element("div");
      box.append(element("p", "soft", `${letterOf(name)} ${labelOf(name)} · right in ${(row.scores[place] * n / 100).toFixed(0)} of ${n} · f1 ${row.scores[place + 2].toFixed(1)}`));
      for (const [text, score] of row.spans[place]) {
        const best = element("p");
        best.append(element("span", "share", score === null ? "" : score.toFixed(2)), element("span", "", text));
        box.append(best);
      }
      pair.append(box);
    });
    parts.push(pair, element("p", "soft", `${row.title} · ${row.id}`));
    return parts;
  }

  /** The context; right answers underlined, the two answers marked. */
  function marked(context, row) {
    const ranges = [];
    const add = (text, tag) => {
      const begin = text ? context.indexOf(text) : -1;
      if (begin >= 0) ranges.push([begin, begin + text.length, tag]);
    };
    row.golds.forEach((gold) => add(gold, "u"));
    add(row.a, "mark");
    add(row.b, "mark");
    return tagged(context, ranges);
  }

  const address = new Address(
    (told) => {
      search.value = told.get("search") || "";
      choose(kind, told.get("flip"));
      choose(answerable, told.get("answer"));
      update((Number(told.get("page")) || 1) - 1);
    },
    () => {
      const told = new URLSearchParams();
      if (search.value) told.set("search", search.value);
      if (kind.value) told.set("flip", chosen(kind));
      if (answerable.value) told.set("answer", chosen(answerable));
      if (rows.page) told.set("page", rows.page + 1);
      return told;
    },
  );
  const changed = () => { update(); address.write(); };

  found.kinds.forEach((name, place) => {
    const option = new Option(`${name} (${found.counts[place]})`, place);
    option.dataset.name = name;
    kind.add(option);
  });
  form.addEventListener("input", changed);
  form.addEventListener("reset", () => setTimeout(changed));
  form.addEventListener("submit", (event) => event.preventDefault());
  rows.list.addEventListener("turned", () => address.write());
  listenToKeys(rows, search);
  const told = found.num_found > found.rows.length ? ` The ${found.rows.length} largest are shown.` : "";
  document.getElementById("flip-summary").textContent = visible(
    `From ${letterOf(found.a)} (${labelOf(found.a)}) to ${letterOf(found.b)} (${labelOf(found.b)}), ${found.num_found} of ${found.num_questions} questions are answered differently: `
    + found.kinds.map((name, place) => `${found.counts[place]} ${name}`).join(", ")
    + `. Right or wrong goes by more than half of a group's runs, and the texts are the most frequent ones of these.${told}`);
  document.getElementById("flip-explorer").hidden = false;
  if (!address.restore()) update();
}

function steadiness(rows) {
  if (!rows.length) return;
  const box = document.getElementById("stability");
  const table = element("table");
  const head = table.createTHead().insertRow();
  const columns = Object.keys(rows[0]);
  columns.forEach((name, place) => head.append(element("th", place ? "n" : "", place ? name : "questions over a group's seeds")));
  const body = table.createTBody();
  rows.forEach((row) => {
    const line = body.insertRow();
    columns.forEach((name, place) => line.append(element("td", place ? "n" : "", place ? row[name] : groupLabel(row[name], 400))));
  });
  box.append(table);
  box.hidden = false;
}

// ---------------------------------------------------------------- start

document.querySelectorAll("table.sortable th button").forEach((button) => {
  const header = button.closest("th");
  button.addEventListener("click", () => sortBy(header, header.cellIndex));
});
document.querySelectorAll("p.columns").forEach(foldColumns);
if (data.metric) {
  drawAll();
  if (data.flips && data.flips.rows.length) {
    steadiness(data.stability);
    explorer(data.flips);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll());
  addEventListener("beforeprint", () => drawAll(true));
  addEventListener("afterprint", () => drawAll());
  let [width, timer] = [innerWidth, 0];
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(timer);
    timer = setTimeout(drawAll, 100);
  });
}
