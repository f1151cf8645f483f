"use strict";
/* The curves of some runs: what is new is asked for, and drawn on canvases, so that no name can become markup. */
const Curves = (() => {
  // After Okabe and Ito, "Color universal design" (2008).
  const LIGHT = ["#0072b2", "#d55e00", "#00966d", "#c4679a", "#8a6d00", "#2f93c8", "#4b4b9b", "#7a3e00"];
  const DARK = ["#56b4e9", "#ff9d5c", "#4fd0a8", "#e8a6cc", "#e6c454", "#9ad1f2", "#a9a9f0", "#d9a066"];
  const DASHES = ["", "6 3", "2 2"];
  const LINES = ["solid", "dashed", "dotted"];
  const MOST = 8;
  const byId = (id) => document.getElementById(id);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const known = new Map();   // id: { since, loss: Map of step to value, f1 }
  const charts = new Map();
  let shown = [];            // the runs on the charts
  let loading = null;        // the library, once somebody looks at curves

  const library = () => {
    loading ??= new Promise((done, fail) => {
      const script = document.createElement("script");
      script.src = "/echarts.js";
      script.addEventListener("load", done);
      script.addEventListener("error", () => { loading = null; fail(new Error("the charts could not be loaded")); });
      document.head.append(script);
    });
    return loading;
  };

  const colour = (place) => (dark.matches ? DARK : LIGHT)[place % LIGHT.length];
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const option = (points) => {
    const [ink, line, card] = ["--soft", "--line", "--card"].map(style);
    const axis = { axisLabel: { color: ink }, axisLine: { lineStyle: { color: line } }, scale: true,
      splitLine: { lineStyle: { color: line } } };
    return {
      animation: false,
      grid: { left: 8, right: 26, top: 12, bottom: 4, containLabel: true },
      tooltip: { trigger: "axis", renderMode: "richText", backgroundColor: card, borderColor: line, confine: true,
        textStyle: { color: style("--ink"), fontSize: 12 }, valueFormatter: (value) => Number(value).toPrecision(4) },
      xAxis: { type: "value", ...axis, minInterval: 1, splitLine: { show: false } },
      yAxis: { type: "value", ...axis },
      series: shown.map((run, place) => ({
        id: run.id, name: run.name.slice(0, 60), type: "line", data: points(known.get(run.id)),
        showSymbol: points(known.get(run.id)).length < 30, symbolSize: 5, itemStyle: { color: colour(place) },
        lineStyle: { color: colour(place), width: 1.6, type: LINES[Math.floor(place / 3) % 3] },
      })),
    };
  };

  const drawOne = (name, points) => {
    if (!charts.has(name)) charts.set(name, echarts.init(byId(name), null, { renderer: "canvas" }));
    charts.get(name).setOption(option(points), { replaceMerge: ["series"] });
    byId(name).dataset.points = shown.reduce((sum, run) => sum + points(known.get(run.id)).length, 0);
  };

  const draw = () => {
    if (!shown.length || !window.echarts) return;
    drawOne("loss", (curve) => (curve ? [...curve.loss].sort((a, b) => a[0] - b[0]) : []));
    drawOne("f1", (curve) => (curve ? curve.f1 : []));
  };

  const legend = () => {
    byId("legend").replaceChildren(...shown.map((run, place) => {
      const item = document.createElement("li");
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const mark = document.createElementNS("http://www.w3.org/2000/svg", "line");
      svg.setAttribute("viewBox", "0 0 22 10");
      svg.setAttribute("aria-hidden", "true");
      for (const [key, value] of Object.entries({ x1: 0, x2: 22, y1: 5, y2: 5, "stroke-width": 2.5,
        stroke: colour(place), "stroke-dasharray": DASHES[Math.floor(place / 3) % 3] })) mark.setAttribute(key, value);
      svg.append(mark);
      item.append(svg, run.name);
      item.title = run.name;
      return item;
    }));
  };

  const take = (id, found) => {
    const curve = found.is_all || !known.has(id) ? { loss: new Map() } : known.get(id);
    for (const [step, value] of found.loss) curve.loss.set(step, value);
    curve.since = found.since;
    curve.f1 = found.f1;
    curve.problem = found.problem;
    known.set(id, curve);
  };

  const read = async (run) => {
    const since = known.get(run.id)?.since ?? "";
    const reply = await fetch(`/api/curves?${new URLSearchParams({ run: run.id, since })}`);
    if (reply.ok) take(run.id, await reply.json());
  };

  /* Show the curves of some runs; `changed` are the ids of those whose files may have grown. */
  const show = async (runs, changed, title, note) => {
    const before = shown.map((run) => run.id).join();
    shown = runs.slice(0, MOST);
    byId("curves").hidden = !shown.length;
    byId("curves-title").textContent = title;
    const more = runs.length - shown.length;
    byId("curves-note").textContent = more > 0 ? `The first ${MOST} of ${runs.length} are drawn.` : note ?? "";
    byId("curves-note").hidden = !byId("curves-note").textContent;
    for (const id of known.keys()) if (!shown.some((run) => run.id === id)) known.delete(id);
    if (!shown.length) return;
    legend();
    const wanted = shown.filter((run) => changed.has(run.id) || !known.has(run.id));
    if (!wanted.length && before === shown.map((run) => run.id).join()) return;
    await Promise.all([library(), ...wanted.map(read)]);
    draw();
  };

  dark.addEventListener("change", () => { legend(); draw(); });
  addEventListener("resize", () => charts.forEach((chart) => chart.resize()));
  return { show };
})();
