// The report of a comparison: figures, the sortable leaderboard, and the flips explorer. All text from data goes
// through textContent or is drawn on a canvas; nothing is ever parsed as markup, stored or requested.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;
// Okabe and Ito, "Color universal design" (2008); on dark ground their light forms.
const LIGHT = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#4b4b9b", "#7a3e00"];
const DARK = ["#56b4e9", "#ff9d5c", "#4fd0a8", "#e8a6cc", "#e6c454", "#9ad1f2", "#a9a9f0", "#d9a066"];
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "pin", "arrow", "roundRect", "circle"];
const MAX_LABEL = 46;
const MAX_ROWS = 60;
const ROWS_PER_PAGE = 30;
let look = null;
let charts = [];

/** Control characters as escapes, so that they neither hide nor reorder what stands around them. */
function visible(text) {
  return String(text).replace(CONTROLS, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
}

function short(text, length = MAX_LABEL) {
  const line = visible(text).replace(/\s+/g, " ");
  return line.length > length ? line.slice(0, length - 1) + "…" : line;
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) {
    made.textContent = visible(text);
    made.dir = "auto";
  }
  return made;
}

// ---------------------------------------------------------------- figures

function readLook(isPaper) {
  const dark = !isPaper && matchMedia("(prefers-color-scheme: dark)").matches;
  return dark
    ? { ink: "#e8e8ea", soft: "#a9a9b3", line: "#3a3a40", card: "#222225", colors: DARK }
    : { ink: "#1d1d1f", soft: "#5d5d66", line: "#dcdce1", card: "#ffffff", colors: LIGHT };
}

function color(number) {
  return look.colors[number % look.colors.length];
}

/** Names as short as can be: what all of them begin with is no difference. */
function labels(names, length = 34) {
  return names.map((name) => short(name, length));
}

function axis(name, more = {}) {
  return {
    name, nameLocation: "middle", nameGap: 28, nameTextStyle: { color: look.soft },
    axisLine: { lineStyle: { color: look.soft } }, axisLabel: { color: look.soft, hideOverlap: true },
    splitLine: { lineStyle: { color: look.line } }, scale: true, ...more,
  };
}

function draw(id, height, option) {
  const figure = document.getElementById(`figure-${id}`);
  const box = document.getElementById(`plot-${id}`);
  figure.hidden = false;
  box.style.height = `${height}px`;
  const chart = echarts.init(box, null, { renderer: "canvas" });
  chart.setOption({
    animation: false,
    textStyle: { color: look.ink, fontFamily: "system-ui, sans-serif" },
    aria: { enabled: false },
    ...option,
    tooltip: {
      confine: true, renderMode: "richText", backgroundColor: look.card, borderColor: look.soft,
      textStyle: { color: look.ink }, ...(option.tooltip || {}),
    },
  });
  charts.push(chart);
}

function number(value, digits = 1) {
  return value === null || value === undefined ? "-" : Number(value).toFixed(digits);
}

function range(row, digits = 1) {
  return row.low === null ? "no interval" : `[${number(row.low, digits)}, ${number(row.high, digits)}]`;
}

/** A bar from low to high with caps, across (forest) or upright; `encode` says where the numbers stand. */
function bars(rows, isAcross, at) {
  return {
    type: "custom",
    silent: true,
    clip: true,
    z: 1,
    encode: isAcross ? { x: [1, 2], y: 0 } : { x: 0, y: [1, 2] },
    data: rows.map((row, place) => [at(row, place), row.low, row.high, place]),
    renderItem: (params, api) => {
      const [from, to] = [1, 2].map((which) =>
        api.coord(isAcross ? [api.value(which), api.value(0)] : [api.value(0), api.value(which)]));
      const cap = 5;
      const [dx, dy] = isAcross ? [0, cap] : [cap, 0];
      const style = { stroke: api.visual("color"), lineWidth: 2 };
      const line = (x1, y1, x2, y2) => ({ type: "line", shape: { x1, y1, x2, y2 }, style });
      return {
        type: "group",
        children: [line(...from, ...to), line(from[0] - dx, from[1] - dy, from[0] + dx, from[1] + dy),
          line(to[0] - dx, to[1] - dy, to[0] + dx, to[1] + dy)],
      };
    },
  };
}

/** An axis ends where the metric's range does. */
function limitsOfMetric() {
  const [least, most] = data.limits;
  return {
    ...(least === null ? {} : { min: (value) => Math.max(least, Math.floor(value.min)) }),
    ...(most === null ? {} : { max: (value) => Math.min(most, Math.ceil(value.max)) }),
  };
}

/** Rows with a point and an interval each, from the top down; the first one given stands on top. */
function forest(id, all, { name, zero = false, filled = () => true, tip, inner = () => [], limits = {} }) {
  const rows = all.slice(0, MAX_ROWS);
  if (!rows.length) return;
  const told = all.length > rows.length ? ` · the first ${rows.length} of ${all.length}` : "";
  const names = labels(rows.map((row) => row.label || row.name), innerWidth < 600 ? 20 : 36);
  const left = 18 + 6.6 * Math.max(...names.map((text) => text.length));
  const withBars = rows.map((row, place) => ({ ...row, place })).filter((row) => row.low !== null);
  const at = (row) => row.place;
  const points = rows.map((row, place) => ({
    value: [row.y, place],
    itemStyle: filled(row) ? { color: color(0) } : { color: look.card, borderColor: color(0), borderWidth: 2 },
  }));
  const dots = rows.flatMap((row, place) => inner(row).map((value) => [value, place]));
  draw(id, 70 + 30 * rows.length, {
    grid: { left, right: 18, top: 8, bottom: 44 },
    xAxis: axis(short(name + told, innerWidth < 600 ? 34 : 80), { type: "value", ...limits }),
    yAxis: axis("", { type: "category", data: names, inverse: true, splitLine: { show: false }, axisLabel: { color: look.ink } }),
    tooltip: { trigger: "item", formatter: (found) => (found.seriesName === "points" ? tip(rows[found.value[1]]) : "") },
    series: [
      { ...bars(withBars, true, at), itemStyle: { color: color(0) } },
      { type: "scatter", name: "runs", silent: true, data: dots, symbolSize: 6, itemStyle: { color: look.soft, opacity: .8 }, z: 2 },
      {
        type: "scatter", name: "points", data: points, symbol: "diamond", symbolSize: 13, z: 3,
        markLine: zero
          ? { silent: true, symbol: "none", data: [{ xAxis: 0 }], label: { show: false }, lineStyle: { color: look.ink, type: "dashed" } }
          : undefined,
      },
    ],
  });
}

/** One line a run, their mean, and a band from the lowest to the highest, a colour a group. */
function curves(id, groups, y, xName, yName) {
  const series = [];
  groups.forEach((group, place) => {
    const runs = group.runs.filter((run) => run.x.length);
    if (!runs.length) return;
    const xs = [...new Set(runs.flatMap((run) => run.x))].sort((a, b) => a - b)
      .filter((x) => runs.every((run) => run.x.includes(x)));
    const at = (run, x) => run[y][run.x.indexOf(x)];
    const columns = xs.map((x) => [x, runs.map((run) => at(run, x)).filter((value) => value !== null)])
      .filter(([, values]) => values.length);
    const ink = color(place);
    const shared = { type: "line", symbol: "none", name: short(group.group), color: ink };
    if (runs.length > 1) {
      const stack = `${id}-${place}`;
      series.push({ ...shared, stack, silent: true, lineStyle: { opacity: 0 }, z: 1, tooltip: { show: false },
        data: columns.map(([x, values]) => [x, Math.min(...values)]) });
      series.push({ ...shared, stack, silent: true, lineStyle: { opacity: 0 }, z: 1, tooltip: { show: false },
        areaStyle: { color: ink, opacity: .14 },
        data: columns.map(([x, values]) => [x, Math.max(...values) - Math.min(...values)]) });
    }
    runs.forEach((run) => series.push({
      ...shared, z: 2, symbol: "circle", symbolSize: 4, showSymbol: run.x.length < 12,
      lineStyle: { width: 1, opacity: runs.length > 1 ? .45 : 1 }, itemStyle: { opacity: .6 },
      data: run.x.map((x, index) => ({ value: [x, run[y][index]], run: run.name })),
    }));
    if (runs.length > 1) {
      series.push({ ...shared, z: 3, symbol: SYMBOLS[place % SYMBOLS.length], showSymbol: columns.length < 12, symbolSize: 9,
        lineStyle: { width: 2.6, type: ["solid", "dashed", "dotted"][Math.floor(place / 8) % 3] },
        data: columns.map(([x, values]) => ({ value: [x, values.reduce((a, b) => a + b) / values.length],
          run: `mean of ${values.length} seeds` })) });
    }
  });
  if (!series.length) return;
  const names = [...new Set(series.map((one) => one.name))];
  draw(id, 300 + 22 * Math.ceil(names.length / 2), {
    grid: { left: 48, right: 18, top: 16 + 22 * Math.ceil(names.length / 2), bottom: 44 },
    legend: { top: 0, left: 0, data: names, textStyle: { color: look.ink }, type: names.length > 8 ? "scroll" : "plain" },
    xAxis: axis(xName, { type: "value", minInterval: 1, min: "dataMin", max: "dataMax" }),
    yAxis: axis(yName, { type: "value", nameGap: 32, nameLocation: "middle" }),
    tooltip: { trigger: "item", formatter: (found) => `${short(found.data.run || "", 80)}\n${xName} ${found.value[0]}: ${number(found.value[1], 2)}` },
    series,
  });
}

function points(id, rows, xName, yName, isLine) {
  if (rows.length < 2) return;
  const withBars = rows.filter((row) => row.low !== null);
  draw(id, 320, {
    grid: { left: 52, right: 24, top: 24, bottom: 44 },
    xAxis: axis(xName, { type: "value", boundaryGap: ["8%", "8%"] }),
    yAxis: axis(yName, { type: "value", nameGap: 34, ...limitsOfMetric() }),
    tooltip: { trigger: "item", formatter: (found) => {
      const row = rows[found.dataIndex];
      return `${short(row.name, 80)}\n${yName} ${number(row.y, data.decimals)} ${range(row, data.decimals)}, n = ${row.n}\n${xName} ${number(row.x, 0)}`;
    } },
    series: [
      { ...bars(withBars, false, (row) => row.x), itemStyle: { color: color(0) } },
      {
        type: isLine ? "line" : "scatter", name: "points", symbol: "diamond", symbolSize: 13, z: 3, color: color(0),
        data: rows.map((row) => ({
          value: [row.x, row.y],
          itemStyle: isLine || row.is_best ? { color: color(0) } : { color: look.card, borderColor: color(0), borderWidth: 2 },
        })),
        label: { show: rows.length <= 10, formatter: (found) => short(rows[found.dataIndex].name, 24), position: "top",
          color: look.soft, fontSize: 11 },
        labelLayout: { hideOverlap: true },
      },
    ],
  });
}

function parallel() {
  const { dimensions, rows, names } = data.parallel || {};
  if (!dimensions) return;
  const last = dimensions.length - 1;
  const values = rows.map((row) => row[last]);
  draw("parallel", 340, {
    parallel: { left: 60, right: 80, top: 50, bottom: 26 },
    parallelAxis: dimensions.map((dimension, dim) => ({
      dim, name: short(dimension.name, 26), scale: true, nameTextStyle: { color: look.ink },
      axisLine: { lineStyle: { color: look.soft } }, axisLabel: { color: look.soft },
      ...(dimension.categories ? { type: "category", data: dimension.categories.map((text) => short(text, 18)) } : { type: "value" }),
    })),
    visualMap: {
      show: false, dimension: last, min: Math.min(...values), max: Math.max(...values),
      inRange: { color: [look.line, color(0)] },
    },
    tooltip: { trigger: "item", formatter: (found) => `${short(names[found.dataIndex], 90)}\n${data.metric} ${number(values[found.dataIndex])}` },
    series: [{ type: "parallel", data: rows, lineStyle: { width: 2, opacity: .8 }, smooth: false }],
  });
}

function drawAll(isPaper = false) {
  charts.forEach((chart) => chart.dispose());
  charts = [];
  look = readLook(isPaper);
  const metric = data.metric;
  forest("intervals", data.intervals, {
    name: metric, inner: (row) => row.values, filled: (row) => !row.is_collapsed,
    limits: limitsOfMetric(),
    tip: (row) => `${short(row.name, 80)}\n${metric} ${number(row.y, data.decimals)} ${range(row, data.decimals)} over ${row.over || "-"}, n = ${row.n}`,
  });
  forest("contrasts", data.contrasts, {
    name: `points of ${data.contrasts.length ? data.contrasts[0].score : ""} against ${short(data.baseline || "", 40)}`, zero: true,
    filled: (row) => row.verdict === "better" || row.verdict === "worse",
    tip: (row) => `${short(row.name, 80)}\n${number(row.y)} ${range(row)}: ${row.verdict}`,
  });
  curves("curves", data.curves, "f1", "epoch", "dev f1 (%)");
  curves("losses", data.losses, "y", "step", "training loss");
  points("learning", data.learning, "training examples", metric, true);
  points("cost", data.cost, "train seconds", metric, false);
  forest("effects", data.effects.map((row) => ({ ...row, y: row.effect, label: `${row.key} = ${row.value} (${row.n})` })), {
    name: `effect on ${metric} (runs in brackets)`, zero: true, filled: (row) => row.low !== null && (row.low > 0 || row.high < 0),
    tip: (row) => `${short(row.label, 80)}\n${number(row.effect, 2)} ${range(row)}`,
  });
  forest("seeds", Object.entries(data.seed_shares).map(([name, y]) => ({ name, y, low: null, high: null })), {
    name: "share of the variance (%)", tip: (row) => `${row.name}: ${number(row.y)} %`,
  });
  forest("slices", data.slices.map((row) => ({ ...row, y: row.difference, label: `${row.dimension}: ${row.name} (${row.n})` })), {
    name: "points of f1, b - a", zero: true, filled: (row) => row.p_holm <= .05,
    tip: (row) => `${short(row.label, 80)}\na ${number(row.a)}, b ${number(row.b)}: ${number(row.y)} ${range(row)}\np (Holm) ${number(row.p_holm, 3)}`,
  });
  parallel();
  // Each figure that is shown makes room for the next one: only now all have their width.
  charts.forEach((chart) => chart.resize());
}

// ---------------------------------------------------------------- the leaderboard

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
  const list = document.getElementById("hits");
  const searched = found.rows.map((row) =>
    [row.question, row.a, row.b, ...row.golds, row.title, row.id].join("\n").toLowerCase());
  let hits = [];
  let page = 0;

  function update() {
    const words = form.elements.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const { kind, answerable } = form.elements;
    hits = found.rows.filter((row, place) => (kind.value === "" || row.kind === Number(kind.value))
      && (answerable.value === "" || (row.golds.length > 0) === (answerable.value === "has_ans"))
      && words.every((word) => searched[place].includes(word)));
    document.getElementById("count").textContent = `${hits.length.toLocaleString("en")} of ${found.rows.length.toLocaleString("en")}`;
    show(0);
  }

  function show(wanted) {
    page = wanted;
    const pages = Math.max(1, Math.ceil(hits.length / ROWS_PER_PAGE));
    list.replaceChildren(...hits.slice(page * ROWS_PER_PAGE, (page + 1) * ROWS_PER_PAGE).map(hit));
    document.getElementById("page").textContent = `page ${page + 1} of ${pages}`;
    document.getElementById("previous").disabled = page === 0;
    document.getElementById("next").disabled = page + 1 >= pages;
    document.getElementById("pager").hidden = pages === 1;
  }

  function hit(row) {
    const box = element("details", "hit");
    const line = element("summary");
    const kind = found.kinds[row.kind];
    const [, , aF1, bF1] = row.scores;
    const answer = element("span", "answers");
    answer.append(element("span", "given", row.a || "(no answer)"), " → ",
      element("span", bF1 >= aF1 ? "gold" : "given", row.b || "(no answer)"),
      " · right: ", element("span", "gold", row.golds.join(" / ") || "(no answer)"));
    line.append(element("span", bF1 > aF1 ? "kind good" : bF1 < aF1 ? "kind bad" : "kind", kind),
      element("span", "asked", row.question), element("span", "score", `${aF1.toFixed(0)} → ${bF1.toFixed(0)}`), answer);
    box.append(line);
    box.addEventListener("toggle", () => box.childElementCount > 1 || box.append(...opened(row)), { once: true });
    return box;
  }

  function opened(row) {
    const context = found.contexts[row.context];
    const parts = context ? [marked(context, row)] : [];
    const pair = element("div", "pair");
    [["a", found.a, found.a_n], ["b", found.b, found.b_n]].forEach(([, name, n], place) => {
      const side = element("div");
      side.append(element("p", "soft", `${place ? "b" : "a"}: ${name} · right in ${(row.scores[place] * n / 100).toFixed(0)} of ${n} · f1 ${row.scores[place + 2].toFixed(1)}`));
      for (const [text, score] of row.spans[place]) {
        const best = element("p");
        best.append(element("span", "share", score === null ? "" : score.toFixed(2)), element("span", "", text));
        side.append(best);
      }
      pair.append(side);
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
    const cuts = [...new Set([0, context.length, ...ranges.flatMap(([begin, end]) => [begin, end])])].sort((x, y) => x - y);
    const paragraph = element("p", "context");
    paragraph.dir = "auto";
    cuts.slice(1).forEach((end, place) => {
      const begin = cuts[place];
      const tags = new Set(ranges.filter((one) => one[0] <= begin && end <= one[1]).map((one) => one[2]));
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

  found.kinds.forEach((kind, place) => form.elements.kind.add(new Option(`${kind} (${found.counts[place]})`, place)));
  form.addEventListener("input", update);
  form.addEventListener("reset", () => setTimeout(update));
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("previous").addEventListener("click", () => show(page - 1));
  document.getElementById("next").addEventListener("click", () => show(page + 1));
  const told = found.num_found > found.rows.length ? ` The ${found.rows.length} largest are shown.` : "";
  document.getElementById("flip-summary").textContent = visible(
    `From a (${found.a}) to b (${found.b}), ${found.num_found} of ${found.num_questions} questions are answered differently: `
    + found.kinds.map((kind, place) => `${found.counts[place]} ${kind}`).join(", ")
    + `. Right or wrong goes by more than half of a group's runs, and the texts are the most frequent ones of these.${told}`);
  document.getElementById("flip-explorer").hidden = false;
  update();
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
    columns.forEach((name, place) => line.append(element("td", place ? "n" : "", row[name])));
  });
  box.append(table);
  box.hidden = false;
}

// ---------------------------------------------------------------- start

document.querySelectorAll("table.sortable th button").forEach((button) => {
  const header = button.closest("th");
  button.addEventListener("click", () => sortBy(header, header.cellIndex));
});
if (data.metric) {
  drawAll();
  if (data.flips) {
    steadiness(data.stability);
    explorer(data.flips);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll());
  addEventListener("beforeprint", () => drawAll(true));
  addEventListener("afterprint", () => drawAll());
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth !== width) charts.forEach((chart) => chart.resize());
    width = innerWidth;
  });
}
