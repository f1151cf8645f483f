// The figures of a comparison, drawn on canvases: every label is measured and fits, and groups go by their letters.

const data = JSON.parse(document.getElementById("data").textContent);
// After Okabe and Ito, "Color universal design" (2008); each has a contrast of at least three to one.
const LIGHT = ["#0072b2", "#d55e00", "#00966d", "#c4679a", "#8a6d00", "#2f93c8", "#4b4b9b", "#7a3e00"];
const DARK = ["#56b4e9", "#ff9d5c", "#4fd0a8", "#e8a6cc", "#e6c454", "#9ad1f2", "#a9a9f0", "#d9a066"];
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "roundRect", "circle", "rect", "triangle"];
const LINES = ["solid", "dashed", "dotted"];
const FONT = "system-ui, sans-serif";
const FONT_SIZE = 12;
const MAX_ROWS = 60;
const MAX_LEGEND_LINES = 3;
const TALL = 560;
const pen = document.createElement("canvas").getContext("2d");
const letters = new Map((data.groups || []).map((group) => [group.name, group.letter]));
const shownNames = new Map((data.groups || []).map((group) => [group.name, group.label]));
const places = new Map((data.groups || []).map((group, place) => [group.name, place]));
let look = null;
let charts = [];

// ---------------------------------------------------------------- words that fit

function line(text) {
  return visible(text).replace(/\s+/g, " ");
}

function widthOf(text) {
  pen.font = `${FONT_SIZE}px ${FONT}`;
  return pen.measureText(text).width;
}

/** The text, cut in the middle to at most this many pixels. */
function cut(text, room) {
  const whole = [...line(text)];
  if (widthOf(whole.join("")) <= room) return whole.join("");
  let [least, most] = [0, whole.length];
  const part = (kept) => {
    const right = Math.floor(kept / 2);
    return whole.slice(0, kept - right).join("") + "…" + (right ? whole.slice(-right).join("") : "");
  };
  while (most - least > 1) {
    const middle = Math.floor((least + most) / 2);
    if (widthOf(part(middle)) <= room) least = middle;
    else most = middle;
  }
  return part(least);
}

/** Head and tail within a width, on two lines if one is too short: the tail is the value that tells rows apart. */
function fitted(head, tail, room) {
  return widthOf(head + tail) <= room ? head + tail : `${cut(head, room)}\n${cut(tail.trimStart(), room)}`;
}

/** The first of several wordings that fits; if none does, the last one, cut. */
function fitting(wordings, room) {
  return cut(wordings.find((words) => widthOf(line(words)) <= room) || wordings.at(-1), room);
}

function widthOfLines(text) {
  return Math.max(...text.split("\n").map(widthOf));
}

function short(text, length = 80) {
  return cut(text, length * 7);
}

function letterOf(name) {
  return letters.get(name) || "";
}

/** A group's name as it is shown: long numbers with fewer digits. */
function labelOf(name) {
  return shownNames.get(name) || name;
}

/** A group's letter and, where there is room, its name. */
function groupLabel(whole, room) {
  const name = labelOf(whole);
  const start = letterOf(whole) ? `${letterOf(whole)}  ` : "";
  const left = room - widthOf(start);
  return left < 50 && widthOf(line(name)) > left ? start.trim() : start + cut(name, left);
}

// ---------------------------------------------------------------- axes

function readLook(isPaper) {
  const dark = !isPaper && matchMedia("(prefers-color-scheme: dark)").matches;
  return dark
    ? { ink: "#e8e8ea", soft: "#a9a9b3", line: "#3a3a40", card: "#222225", colors: DARK, low: "#ff9d5c", high: "#7cc8f5" }
    : { ink: "#1d1d1f", soft: "#5d5d66", line: "#dcdce1", card: "#ffffff", colors: LIGHT, low: "#c65400", high: "#0072b2" };
}

function color(number) {
  return look.colors[number % look.colors.length];
}

/** Ends and ticks of an axis that holds all values: round numbers at equal distances. */
function scale(values, { room = 0.04, whole = false, limits = [null, null], ticks = 5 } = {}) {
  const known = values.filter((value) => Number.isFinite(value));
  let [low, high] = [Math.min(...known), Math.max(...known)];
  const pad = (high - low) * room || (whole ? 1 : Math.abs(high) * 0.05 || 1);
  [low, high] = [low - pad, high + pad];
  const size = (high - low) / ticks;
  const power = 10 ** Math.floor(Math.log10(size));
  let interval = power * [1, 2, 2.5, 5, 10].find((step) => step * power >= size * 0.999);
  if (whole) interval = Math.max(1, Math.ceil(interval));
  let [min, max] = [Math.floor(low / interval + 1e-9) * interval, Math.ceil(high / interval - 1e-9) * interval];
  const [least, most] = limits;
  if (least !== null) min = Math.max(min, Math.floor(least));
  if (most !== null) max = Math.min(max, Math.ceil(most));
  const exact = (value) => Number(value.toPrecision(12));
  return { min: exact(min), max: exact(max), interval: exact(interval) };
}

/** An axis of epochs: each of a few whole ones, else round numbers from 0 on. */
function epochScale(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (values.every(Number.isInteger) && high - low <= 10) return { min: low, max: high, interval: 1 };
  return fromZero(values, values.every(Number.isInteger));
}

function fromZero(values, whole = true) {
  return { ...scale([0, ...values], { room: 1e-9, whole }), min: 0 };
}

function tidy(value) {
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential().replace("e-0", "e-")
    : Number(value.toPrecision(6)).toLocaleString("en", { maximumSignificantDigits: 6 });
}

function axis(name, more = {}) {
  return {
    name, nameLocation: "middle", nameGap: 28, nameTextStyle: { color: look.soft },
    axisLine: { show: true, lineStyle: { color: look.soft } }, axisTick: { show: true },
    axisLabel: { color: look.soft, hideOverlap: true, formatter: tidy },
    splitLine: { lineStyle: { color: look.line } }, type: "value", ...more,
  };
}

/** How wide the numbers beside an upright axis are. */
function labelRoom({ min, max, interval }) {
  const texts = [];
  for (let value = min; value <= max + interval / 2; value += interval) {
    texts.push(tidy(value));
  }
  return Math.max(...texts.map(widthOf));
}

// ---------------------------------------------------------------- drawing

/** Show a figure and draw what `optionOf` makes for its width. */
function draw(id, height, optionOf) {
  const figure = document.getElementById(`figure-${id}`);
  const box = document.getElementById(`plot-${id}`);
  figure.hidden = false;
  box.style.minHeight = `${height}px`;
  figure.classList.toggle("full", id === "parallel" || height > TALL);
  charts.push({ figure, box, optionOf });
}

/** Two figures share a row; one that would be alone gets the whole row, so that no gap is left. */
function fillRows() {
  let alone = null;
  for (const { figure } of charts) {
    if (figure.classList.contains("full")) {
      if (alone) alone.classList.add("full");
      alone = null;
    } else {
      alone = alone ? null : figure;
    }
  }
  if (alone) alone.classList.add("full");
}

function render({ box, optionOf }) {
  const chart = echarts.init(box, null, { renderer: "canvas" });
  const option = optionOf(box.clientWidth);
  chart.setOption({
    animation: false,
    textStyle: { color: look.ink, fontFamily: FONT, fontSize: FONT_SIZE },
    aria: { enabled: false },
    ...option,
    tooltip: {
      confine: true, renderMode: "richText", backgroundColor: look.card, borderColor: look.soft,
      textStyle: { color: look.ink }, ...(option.tooltip || {}),
    },
  });
  return chart;
}

function number(value, digits = 1) {
  return value === null || value === undefined ? "-" : Number(value).toFixed(digits);
}

function range(row, digits = 1) {
  return row.low === null ? "no interval" : `[${number(row.low, digits)}, ${number(row.high, digits)}]`;
}

function stroke(x1, y1, x2, y2, style) {
  return { type: "line", shape: { x1, y1, x2, y2 }, style };
}

/** A bar from low to high with caps, across (forest) or upright; `encode` says where the numbers are. */
function bars(rows, isAcross, at) {
  return {
    type: "custom",
    silent: true,
    clip: true,
    z: 1,
    itemStyle: { color: color(0) },
    encode: isAcross ? { x: [1, 2], y: 0 } : { x: 0, y: [1, 2] },
    data: rows.map((row, place) => [at(row, place), row.low, row.high, place]),
    renderItem: (params, api) => {
      const [from, to] = [1, 2].map((which) =>
        api.coord(isAcross ? [api.value(which), api.value(0)] : [api.value(0), api.value(which)]));
      const [dx, dy] = isAcross ? [0, 5] : [5, 0];
      const style = { stroke: api.visual("color"), lineWidth: 2 };
      return {
        type: "group",
        children: [stroke(...from, ...to, style), stroke(from[0] - dx, from[1] - dy, from[0] + dx, from[1] + dy, style),
          stroke(to[0] - dx, to[1] - dy, to[0] + dx, to[1] + dy, style)],
      };
    },
  };
}

/** Rows with a point and an interval each, from the top down. */
function forest(id, all, { zero = false, filled = () => true, tip, inner = () => [], limits, words }) {
  const rows = all.slice(0, MAX_ROWS);
  if (!rows.length) return;
  const told = all.length > rows.length ? ` · the first ${rows.length} of ${all.length}` : "";
  const values = rows.flatMap((row) => [row.y, row.low, row.high, ...inner(row)]).filter((value) => value !== null);
  const withBars = rows.map((row, place) => ({ ...row, place })).filter((row) => row.low !== null);
  const points = rows.map((row, place) => ({
    value: [row.y, place],
    itemStyle: filled(row) ? { color: color(0) } : { color: look.card, borderColor: color(0), borderWidth: 2 },
  }));
  const dots = rows.flatMap((row, place) => inner(row).map((value) => [value, place]));
  draw(id, 74 + 32 * rows.length, (width) => {
    const names = rows.map((row) => words(row, width * 0.46));
    const left = 14 + Math.max(...names.map(widthOfLines));
    const room = width - left - 22;
    const ticks = Math.max(2, Math.min(6, Math.floor(room / 60)));
    return {
      grid: { left, right: 22, top: 8, bottom: 46 },
      xAxis: axis(fitting(data.captions[id].x.flatMap((words) => [words + told, words]), room), scale(zero ? [0, ...values] : values, { limits, ticks })),
      yAxis: {
        type: "category", data: names.map((text, place) => ({ value: `${place}` })), inverse: true,
        splitLine: { show: false }, axisTick: { show: false }, axisLine: { lineStyle: { color: look.soft } },
        axisLabel: { color: look.ink, interval: 0, lineHeight: 14, formatter: (place) => names[Number(place)] },
      },
      tooltip: { trigger: "item", formatter: (found) => (found.seriesName === "points" ? tip(rows[found.value[1]]) : "") },
      series: [
        bars(withBars, true, (row) => row.place),
        { type: "scatter", name: "runs", silent: true, data: dots, symbolSize: 6, itemStyle: { color: look.soft, opacity: .8 }, z: 2 },
        {
          type: "scatter", name: "points", data: points, symbol: "diamond", symbolSize: 13, z: 3,
          markLine: zero
            ? { silent: true, symbol: "none", data: [{ xAxis: 0 }], label: { show: false }, lineStyle: { color: look.ink, type: "dashed" } }
            : undefined,
        },
      ],
    };
  });
}

// ---------------------------------------------------------------- curves

/** The names of a legend and how many lines it takes: letters with names where that is not too much, else letters. */
function legendOf(groups, width) {
  const lines = (texts) => {
    let [count, used] = [1, 0];
    for (const text of texts) {
      const needed = 14 + 5 + widthOf(text) + 12;
      if (used && used + needed > width) [count, used] = [count + 1, 0];
      used += needed;
    }
    return count;
  };
  const long = groups.map((name) => groupLabel(name, width - 60));
  if (lines(long) <= MAX_LEGEND_LINES) return { names: long, count: lines(long) };
  const only = groups.map(letterOf);
  return { names: only, count: lines(only) };
}

/** One line a run, their mean, and a band from the lowest to the highest, a colour a group. */
function curves(id, groups, y) {
  const { x: [xName], y: yName } = data.captions[id];
  const drawn = groups.map((group) => ({ name: group.group, place: places.get(group.group) || 0,
    runs: group.runs.filter((run) => run.x.length) })).filter((group) => group.runs.length);
  const xs = [...new Set(drawn.flatMap((group) => group.runs.flatMap((run) => run.x)))];
  if (xs.length < 2) return;
  const ys = drawn.flatMap((group) => group.runs.flatMap((run) => run[y])).filter((value) => value !== null);
  draw(id, 340, (width) => {
    const { names, count } = legendOf(drawn.map((group) => group.name), width);
    const upright = scale(ys, { limits: y === "f1" ? [0, 100] : [0, null] });
    const left = 30 + labelRoom(upright);
    return {
      grid: { left, right: 22, top: 14 + 22 * count, bottom: 46 },
      legend: { top: 0, left: 0, width, itemGap: 12, itemWidth: 14, padding: 0,
        data: names.map((name, place) => ({ name, icon: SYMBOLS[drawn[place].place % SYMBOLS.length] })), textStyle: { color: look.ink } },
      xAxis: axis(xName, id === "curves" ? epochScale(xs) : fromZero(xs)),
      yAxis: axis(cut(yName, 260), { nameGap: labelRoom(upright) + 14, ...upright }),
      tooltip: { trigger: "item", formatter: (found) => `${short(found.data.run || "")}\n${xName} ${found.value[0]}: ${number(found.value[1], 2)}` },
      series: drawn.flatMap((group, place) => curve(group, names[place], y)),
    };
  });
}

function curve({ runs, place }, name, y) {
  const shared = runs.map((run) => run.x).reduce((one, other) => one.filter((x) => other.includes(x)));
  const at = (run, x) => run[y][run.x.indexOf(x)];
  const columns = shared.map((x) => [x, runs.map((run) => at(run, x)).filter((value) => value !== null)])
    .filter(([, values]) => values.length);
  const common = { type: "line", symbol: "none", name, color: color(place) };
  const hidden = { ...common, stack: name, silent: true, lineStyle: { opacity: 0 }, z: 1, tooltip: { show: false } };
  const single = runs.map((run) => ({
    ...common, z: 2, symbol: "circle", symbolSize: 4, showSymbol: run.x.length < 12,
    lineStyle: { width: runs.length > 1 ? 1 : 2, opacity: runs.length > 1 ? .45 : 1 }, itemStyle: { opacity: .6 },
    data: run.x.map((x, index) => ({ value: [x, run[y][index]], run: run.name })),
  }));
  if (runs.length < 2) return single;
  return [
    { ...hidden, data: columns.map(([x, values]) => [x, Math.min(...values)]) },
    { ...hidden, areaStyle: { color: color(place), opacity: .14 },
      data: columns.map(([x, values]) => [x, Math.max(...values) - Math.min(...values)]) },
    ...single,
    { ...common, z: 3, symbol: SYMBOLS[place % SYMBOLS.length], showSymbol: columns.length < 12, symbolSize: 9,
      lineStyle: { width: 2.6, type: LINES[Math.floor(place / LIGHT.length) % LINES.length] },
      data: columns.map(([x, values]) => ({ value: [x, values.reduce((a, b) => a + b) / values.length],
        run: `mean of ${values.length} seeds` })) },
  ];
}

/** For each group the share of runs and sets above each score: steps from 1 down to 0. */
function profiles(id, groups) {
  if (!groups.length) return;
  const xs = groups.flatMap((group) => group.points.map(([x]) => x));
  const across = scale(xs, { ticks: 6 });
  draw(id, 340, (width) => {
    const { names, count } = legendOf(groups.map((group) => group.group), width);
    const upright = { min: 0, max: 1, interval: .25 };
    return {
      grid: { left: 30 + labelRoom(upright), right: 22, top: 14 + 22 * count, bottom: 46 },
      legend: { top: 0, left: 0, width, itemGap: 12, itemWidth: 14, padding: 0, data: names.map((name) => ({ name, icon: "roundRect" })),
        textStyle: { color: look.ink } },
      xAxis: axis(fitting(data.captions[id].x, width - 80), across),
      yAxis: axis(data.captions[id].y, { nameGap: labelRoom(upright) + 14, ...upright }),
      tooltip: { trigger: "item", formatter: (found) => `${found.seriesName}\n${number(found.value[1], 2)} above ${number(found.value[0])}` },
      series: groups.map((group, place) => {
        const own = places.get(group.group) || 0;
        return {
          type: "line", step: "end", name: names[place], color: color(own), symbol: "circle", symbolSize: 5,
          lineStyle: { width: 2.2, type: LINES[Math.floor(own / LIGHT.length) % LINES.length] },
          data: [[across.min, 1], ...group.points, [across.max, 0]],
        };
      }),
    };
  });
}

// ---------------------------------------------------------------- points

/** Places moved apart until neighbours are `gap` apart, between two ends. */
function spread(wanted, gap, low, high) {
  const order = wanted.map((_, place) => place).sort((a, b) => wanted[a] - wanted[b]);
  const found = [...wanted];
  let least = low;
  for (const place of order) {
    found[place] = Math.max(found[place], least);
    least = found[place] + gap;
  }
  let most = high;
  for (const place of [...order].reverse()) {
    found[place] = Math.min(found[place], most);
    most = found[place] - gap;
  }
  return found;
}

/** The letters of points in a row above them, each with a thin line down to its own: no bar goes through a letter. */
function strip(rows, width) {
  const gap = 8 + Math.max(...rows.map((row) => widthOf(letterOf(row.name))));
  const fit = rows.length * gap <= width ? rows : rows.filter((row) => row.is_best).slice(0, Math.floor(width / gap));
  return {
    type: "custom",
    silent: true,
    z: 4,
    data: fit.map((row) => [row.x, row.high === null ? row.y : row.high]),
    renderItem: (params, api) => {
      const { x, y, width: room } = params.coordSys;
      const centers = spread(fit.map((row) => api.coord([row.x, row.y])[0]), gap, x + gap / 2, x + room - gap / 2);
      const center = centers[params.dataIndex];
      const end = api.coord([api.value(0), api.value(1)]);
      return {
        type: "group",
        children: [
          stroke(center, y - 4, end[0], Math.max(end[1] - 3, y), { stroke: look.soft, lineWidth: 1, lineDash: [2, 3] }),
          { type: "text", style: { text: letterOf(fit[params.dataIndex].name), x: center, y: y - 6, align: "center",
            verticalAlign: "bottom", fill: look.ink, font: `bold ${FONT_SIZE}px ${FONT}` } },
        ],
      };
    },
  };
}

function points(id, rows, isLine) {
  const { x: [xName], y: yName } = data.captions[id];
  if (rows.length < 2 || new Set(rows.map((row) => row.x)).size < 2) return;
  const withBars = rows.filter((row) => row.low !== null);
  const upright = scale(rows.flatMap((row) => [row.y, row.low, row.high]).filter((value) => value !== null), { limits: data.limits });
  draw(id, 340, (width) => {
    const left = 34 + labelRoom(upright);
    const across = scale(rows.map((row) => row.x), { room: .08, limits: [0, null], ticks: Math.max(2, Math.min(6, Math.floor(width / 75))) });
    return {
      grid: { left, right: 26, top: 28, bottom: 46 },
      xAxis: axis(xName, across),
      yAxis: axis(cut(yName, 260), { nameGap: labelRoom(upright) + 16, ...upright }),
      tooltip: { trigger: "item", formatter: (found) => {
        const row = rows[found.dataIndex];
        return `${letterOf(row.name)} ${short(labelOf(row.name))}\n${data.metric} ${number(row.y, data.decimals)} ${range(row, data.decimals)}, n = ${row.n}\n${xName} ${number(row.x, 0)}`;
      } },
      series: [
        bars(withBars, false, (row) => row.x),
        strip(rows, width - left - 26),
        {
          type: isLine ? "line" : "scatter", name: "points", symbol: "diamond", symbolSize: 13, z: 3, color: color(0),
          data: rows.map((row) => ({
            value: [row.x, row.y],
            itemStyle: isLine || row.is_best ? { color: color(0) } : { color: look.card, borderColor: color(0), borderWidth: 2 },
          })),
        },
      ],
    };
  });
}

function parallel() {
  const { dimensions, rows, names } = data.parallel || {};
  if (!dimensions) return;
  const last = dimensions.length - 1;
  const values = rows.map((row) => row[last]);
  draw("parallel", 340, (width) => {
    const [left, right] = [Math.min(70, width / 8), Math.min(80, width / 6)];
    const distance = (width - left - right) / last;
    const ends = scale(values, { limits: data.limits });
    return {
      parallel: { left, right, top: 44, bottom: 26 },
      parallelAxis: dimensions.map((dimension, dim) => ({
        dim,
        // Names are centered above their axes: the first and the last one must not leave the picture.
        name: cut(dimension.name, Math.min(distance - 10, 2 * (dim === 0 ? left : dim === last ? right : distance) - 6)),
        nameTextStyle: { color: look.ink }, nameGap: 16,
        axisLine: { lineStyle: { color: look.soft } },
        axisLabel: { color: look.ink, hideOverlap: true, backgroundColor: look.card, padding: [1, 3], formatter: tidy },
        ...(dimension.categories
          ? { type: "category", data: dimension.categories.map((_, place) => `${place}`),
            axisLabel: { color: look.ink, interval: 0, backgroundColor: look.card, padding: [1, 3],
              formatter: (place) => cut(dimension.categories[Number(place)], (dim === last ? right : distance) - 20) } }
          : dimension.is_log ? { type: "log" } : { type: "value", ...(dim === last ? ends : scale(rows.map((row) => row[dim]))) }),
      })),
      visualMap: {
        show: false, dimension: last, min: Math.min(...values), max: Math.max(...values) + (new Set(values).size < 2),
        inRange: { color: [look.low, look.high] },
      },
      tooltip: { trigger: "item", formatter: (found) => `${short(names[found.dataIndex])}\n${data.metric} ${number(values[found.dataIndex], data.decimals)}` },
      series: [{ type: "parallel", data: rows, lineStyle: { width: 2, opacity: .85 }, smooth: false }],
    };
  });
}

function drawAll(isPaper = false) {
  charts.forEach(({ chart }) => chart.dispose());
  charts = [];
  look = readLook(isPaper === true);
  const metric = data.metric;
  const between = (score) => data.differences[score].width === null ? [null, null] : [-data.differences[score].width, data.differences[score].width];
  const tested = data.contrasts.length ? data.contrasts[0].score : metric;
  const digits = (score) => data.differences[score].decimals;
  const named = (row, room) => groupLabel(row.name, room);
  forest("intervals", data.intervals, {
    inner: (row) => row.values, filled: (row) => !row.is_collapsed, limits: data.limits, words: named,
    tip: (row) => `${letterOf(row.name)} ${short(labelOf(row.name))}\n${metric} ${number(row.y, data.decimals)} ${range(row, data.decimals)} over ${row.over || "-"}, n = ${row.n}`,
  });
  forest("contrasts", data.contrasts, {
    zero: true, limits: between(tested),
    filled: (row) => row.verdict === "better" || row.verdict === "worse", words: named,
    tip: (row) => `${letterOf(row.name)} ${short(labelOf(row.name))}\n${number(row.y, digits(tested))} ${range(row, digits(tested))}: ${row.verdict}`,
  });
  curves("curves", data.curves, "f1");
  curves("losses", data.losses, "y");
  profiles("profile", data.profile);
  points("learning", data.learning, true);
  points("cost", data.cost, false);
  forest("effects", data.effects.map((row) => ({ ...row, y: row.effect })), {
    zero: true, filled: (row) => row.verdict === "above" || row.verdict === "below",
    words: (row, room) => fitted(line(row.key), ` = ${line(row.value)} (${row.n})`, room),
    tip: (row) => `${short(`${row.key} = ${row.value}`)}\n${number(row.effect, 2)} ${range(row)}${row.verdict ? `: ${row.verdict}` : ""}`,
  });
  forest("seeds", Object.entries(data.seed_shares).map(([name, y]) => ({ name, y, low: null, high: null })), {
    words: (row, room) => cut(row.name, room), limits: [0, 100],
    tip: (row) => `${row.name}: ${number(row.y)} %`,
  });
  forest("slices", data.slices.map((row) => ({ ...row, y: row.difference })), {
    zero: true, limits: between(data.sliced), filled: (row) => row.p_holm <= .05,
    words: (row, room) => fitted(`${line(row.dimension)}: `, `${line(row.name)} (${row.n})`, room),
    tip: (row) => `${short(`${row.dimension}: ${row.name}`)}\nbaseline ${number(row.a, digits(data.sliced))}, best other ${number(row.b, digits(data.sliced))}: ${number(row.y, digits(data.sliced))} ${range(row, digits(data.sliced))}\np (Holm) ${number(row.p_holm, 3)}`,
  });
  parallel();
  // Figures have their sizes only once all are shown.
  fillRows();
  charts = charts.map((one) => ({ ...one, chart: render(one) }));
  document.querySelectorAll(".swatch").forEach((swatch) => { swatch.style.backgroundColor = color(Number(swatch.dataset.number)); });
}
