"use strict";
/* The page of qaexp board: asks the server it came from what changed. Names and notes are only ever set as text. */
(() => {
  const byId = (id) => document.getElementById(id);
  const PER_PAGE = 100;         // rows
  const SOON = 2000, LATER = 10000, RETRY = 4000;  // ms between two questions
  const MANY = 100;             // runs, from which on sweeps that have ended are folded
  const ORDER = ["running", "failed", "killed", "preempted", "unfinished end", "damaged", "unreadable", "newer",
    "planned", "completed"];
  const ILL = ["failed", "killed", "damaged", "unfinished end", "unreadable"];
  const COLUMNS = [
    ["name", "Run"], ["state", "State"], ["step", "Step"], ["epoch", "Epoch"], ["loss", "Loss"], ["f1", "Dev f1"],
    ["flags", "Flags"], ["note", "Note"],
  ];


  const known = { runs: new Map(), folders: new Map(), left_out: new Map() };
  const rows = new Map();       // id: the line of a run, or of a folder, in the table
  const picked = new Set();
  const opened = new Map();     // id of a folder: whether somebody opened or closed it
  const view = { filter: "", state: "", sort: "", down: false, flat: false, page: 1 };
  let token = "", isComplete = false, roots = [], patience = SOON, timer = 0, lastReply = 0, isGone = false;
  let waits = false;

  const counted = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
  const seconds = () => Date.now() / 1000;

  const span = (age) => {
    if (age < 100) return `${Math.max(0, Math.round(age))} s`;
    if (age < 6000) return `${Math.round(age / 60)} min`;
    return age < 360000 ? `${Math.round(age / 3600)} h` : `${Math.round(age / 86400)} days`;
  };

  const element = (name, kind, words) => {
    const made = document.createElement(name);
    if (kind) made.className = kind;
    if (words !== undefined) made.textContent = words;
    if (ROLES[name]) made.setAttribute("role", ROLES[name]);
    return made;
  };

  const ROLES = { tr: "row", td: "cell" };  // those of a table, also where it is not laid out as one

  const setText = (node, words) => { if (node.textContent !== words) node.textContent = words; };

  // ------------------------------------------------------------------ what is in the address

  const readAddress = () => {
    const given = new URLSearchParams(location.search);
    view.filter = given.get("filter") ?? "";
    view.state = given.get("state") ?? "";
    view.sort = COLUMNS.some(([key]) => key === given.get("sort")) ? given.get("sort") : "";
    view.down = given.get("desc") === "1";
    view.flat = given.get("flat") === "1";
    view.page = Math.max(1, Number.parseInt(given.get("page") ?? "1", 10) || 1);
    picked.clear();
    opened.clear();
    for (const id of (given.get("pick") ?? "").split(",").filter(Boolean)) picked.add(id);
    for (const [name, value] of [["open", true], ["shut", false]]) {
      for (const id of (given.get(name) ?? "").split(",").filter(Boolean)) opened.set(id, value);
    }
    byId("filter").value = view.filter;
    byId("flat").checked = view.flat;
  };

  const writeAddress = () => {
    const folders = (value) => [...opened].filter(([, is]) => is === value).map(([id]) => id).join(",");
    const given = { filter: view.filter, state: view.state, sort: view.sort, desc: view.down ? "1" : "",
      flat: view.flat ? "1" : "", page: view.page > 1 ? String(view.page) : "", pick: [...picked].join(","),
      open: folders(true), shut: folders(false) };
    const words = new URLSearchParams(Object.entries(given).filter(([, value]) => value)).toString();
    history.replaceState(null, "", words ? `?${words}` : location.pathname);
  };

  // ------------------------------------------------------------------ what is shown

  const text = (run) => {
    run.text ??= [run.name, known.folders.get(run.folder)?.path ?? "", run.state, run.shown?.stage ?? "", run.note,
      ...run.flags.map((flag) => `flags:${flag.name}`)].join("\n").toLowerCase();
    return run.text;
  };

  /* A word of the filter as a function of a run. */
  const condition = (word) => {
    const found = /^(step|epoch|loss|f1|attempt)(<=|>=|<|>|=)(-?[\d.]+(?:e-?\d+)?)$/i.exec(word);
    if (!found) {
      const isNot = word.length > 1 && word.startsWith("-"), wanted = (isNot ? word.slice(1) : word).toLowerCase();
      return (run) => text(run).includes(wanted) !== isNot;
    }
    const [, name, sign, number] = found, limit = Number(number), key = name.toLowerCase();
    const holds = { "<": (x) => x < limit, ">": (x) => x > limit, "=": (x) => x === limit, "<=": (x) => x <= limit,
      ">=": (x) => x >= limit }[sign];
    return (run) => typeof run[key] === "number" && holds(run[key]);
  };

  const compare = (key, down) => {
    const value = (run) => (key === "flags" ? run.flags.length : key === "state" ? ORDER.indexOf(run.state) : run[key]);
    const sign = down ? -1 : 1;
    return (one, other) => {
      const [x, y] = [value(one), value(other)];
      const [noX, noY] = [x === undefined || x === null || x === "", y === undefined || y === null || y === ""];
      if (noX || noY) return noX - noY;  // what has none is last, in either order
      return sign * (typeof x === "number" && typeof y === "number" ? x - y
        : String(x).localeCompare(String(y), "en", { numeric: true }));
    };
  };

  const byName = compare("name", false);
  const filtered = () => {
    const conditions = view.filter.split(/\s+/).filter(Boolean).map(condition);
    const found = [...known.runs.values()].filter((run) => conditions.every((holds) => holds(run)));
    return [found, view.state ? found.filter((run) => run.state === view.state) : found];
  };

  const isOpen = (folder, own) => opened.get(folder.id) ??
    (view.filter !== "" || view.state !== "" || known.runs.size <= MANY || !folder.is_sweep || folder.is_under_way ||
      own.some((run) => picked.has(run.id)));

  /* The lines of the table: runs, or folders with their runs. */
  const lines = (runs) => {
    const order = view.sort ? compare(view.sort, view.down) : byName;
    const sorted = [...runs].sort((one, other) => order(one, other) || byName(one, other));
    if (view.flat) return sorted.map((run) => ({ run }));
    const groups = new Map();
    for (const run of sorted) {
      if (!groups.has(run.folder)) groups.set(run.folder, []);
      groups.get(run.folder).push(run);
    }
    const found = [...groups].map(([id, own]) => ({ folder: known.folders.get(id) ?? { id, path: "", workers: [] }, own }));
    // The folder whose best run comes first comes first; where nothing is sorted by, what is at work.
    if (!view.sort) {
      found.sort((one, other) => Number(Boolean(other.folder.is_under_way)) - Number(Boolean(one.folder.is_under_way)) ||
        one.folder.path.localeCompare(other.folder.path, "en", { numeric: true }));
    }
    return found.flatMap(({ folder, own }) => {
      const open = isOpen(folder, own);
      return [{ folder, own, open }, ...(open ? own.map((run) => ({ run })) : [])];
    });
  };

  const tally = (runs) => {
    const counts = new Map();
    for (const run of runs) counts.set(run.state, (counts.get(run.state) ?? 0) + 1);
    const others = ORDER.filter((state) => state !== "completed" && counts.has(state));
    return [`${counts.get("completed") ?? 0} of ${runs.length} completed`,
      ...others.map((state) => `${counts.get(state)} ${state === "planned" ? "not started" : state}`)].join(", ");
  };

  const progress = (parts) => {
    const bar = element("span", "progress");
    bar.setAttribute("aria-hidden", "true");
    for (const [kind, share] of parts) {
      const part = element("span", kind);
      part.style.width = `${100 * share}%`;
      bar.append(part);
    }
    return bar;
  };

  const folderLine = ({ folder, own, open }) => {
    const line = element("tr", "folder"), head = element("th"), button = element("button", "", folder.path || "…");
    head.colSpan = COLUMNS.length + 1;
    head.scope = "rowgroup";
    head.setAttribute("role", "rowheader");
    button.type = "button";
    button.setAttribute("aria-expanded", String(open));
    button.addEventListener("click", () => {
      opened.set(folder.id, button.getAttribute("aria-expanded") !== "true");
      draw();
    });
    head.append(button);
    if (folder.is_sweep) {
      const all = [...known.runs.values()].filter((run) => run.folder === folder.id), share = (states) =>
        all.filter((run) => states.includes(run.state)).length / Math.max(1, all.length);
      head.append(progress([["done", share(["completed"])], ["", share(["running"])], ["ill", share(ILL)]]));
    }
    head.append(element("span", "soft tally", tally(own)));
    const workers = element("ul", "soft");
    for (const words of folder.workers ?? []) workers.append(element("li", "worker", words));
    if (workers.childElementCount) head.append(workers);
    line.append(head);
    return line;
  };

  const cell = (line, key, name) => {
    const made = element("td", `c-${key}`);
    if (name) made.dataset.name = name;
    line.append(made);
    return made;
  };

  const runLine = (run) => {
    const line = element("tr", "run");
    line.dataset.id = run.id;
    const box = element("input");
    box.type = "checkbox";
    box.disabled = run.state === "planned" || !run.shown;
    box.setAttribute("aria-label", `Select ${run.name}`);
    box.addEventListener("change", () => {
      if (box.checked) picked.add(run.id); else picked.delete(run.id);
      draw();
    });
    cell(line, "pick").append(box);
    const name = cell(line, "name");
    if (box.disabled) name.append(element("span", "", run.name));
    else {
      const link = element("a", "", run.name);
      link.href = `/run?${new URLSearchParams({ run: run.id })}`;
      link.target = "_blank";
      link.rel = "noopener";
      name.append(link);
    }
    if (view.flat) name.append(element("div", "soft", known.folders.get(run.folder)?.path ?? ""));
    const state = element("span", `state ${run.state.split(" ")[0]}`, run.state);
    if (run.state === "running" && run.shown.stage !== "-") state.append(element("span", "stage", ` ${run.shown.stage}`));
    cell(line, "state").append(state);
    const shown = run.shown ?? {}, step = cell(line, "step", "step");
    if (run.shown && run.state !== "planned") {
      step.append(shown.step);
      if (run.state !== "completed" && run.total_steps) {
        step.append(progress([[ILL.includes(run.state) ? "ill" : "", Math.min(1, (run.step ?? 0) / run.total_steps)]]));
      }
    }
    for (const key of ["epoch", "loss", "f1"]) {
      const words = shown[key] ?? "";
      cell(line, key, key === "f1" ? "dev f1" : key).textContent = words === "-" ? "" : words;
    }
    const flags = cell(line, "flags");
    for (const flag of run.flags) {
      const made = element("span", "flag", flag.name.replaceAll("_", " "));
      made.title = flag.advice;
      flags.append(made);
    }
    const note = cell(line, "note");
    if (run.note || run.seen) {
      const words = element("div", "cut", run.note);
      note.title = run.note;
      note.append(words);
    }
    return line;
  };

  /* The lines that are there stay there: what has the focus keeps it. */
  const place = (body, wanted) => {
    const keep = new Set(wanted);
    for (const old of [...body.children]) if (!keep.has(old)) old.remove();
    wanted.forEach((line, number) => {
      if (body.children[number] !== line) body.insertBefore(line, body.children[number] ?? null);
    });
  };

  const lineOf = (one) => {
    const id = one.run ? one.run.id : one.folder.id;
    const isPicked = one.run ? picked.has(id) : false;
    const state = one.run ? `${one.run.version} ${view.flat}` : JSON.stringify([one.folder, one.open, tally(one.own)]);
    let made = rows.get(id);
    if (!made || made.state !== state) {
      const hadFocus = made?.line.contains(document.activeElement) ? document.activeElement.tagName : null;
      const line = one.run ? runLine(one.run) : folderLine(one);
      made?.line.replaceWith(line);
      made = { line, state };
      rows.set(id, made);
      if (hadFocus) line.querySelector(hadFocus.toLowerCase())?.focus();
    }
    if (one.run) {
      made.line.classList.toggle("is-picked", isPicked);
      made.line.querySelector("input").checked = isPicked;
    }
    return made.line;
  };

  const drawStates = (found) => {
    const counts = new Map(found.reduce((all, run) => all.set(run.state, (all.get(run.state) ?? 0) + 1), new Map()));
    if (view.state && !counts.has(view.state)) counts.set(view.state, 0);
    const wanted = [...counts.keys()].sort((one, other) => ORDER.indexOf(one) - ORDER.indexOf(other));
    const place = byId("states"), now = new Map([...place.children].map((button) => [button.dataset.state, button]));
    for (const [state, button] of now) if (!counts.has(state)) button.remove();
    for (const state of wanted) {
      const button = now.get(state) ?? element("button");
      if (!now.has(state)) {
        button.type = "button";
        button.dataset.state = state;
        button.addEventListener("click", () => {
          view.state = view.state === state ? "" : state;
          view.page = 1;
          draw();
        });
      }
      setText(button, `${counts.get(state).toLocaleString("en")} ${state}`);
      button.setAttribute("aria-pressed", String(view.state === state));
      if (!button.isConnected) place.append(button);
    }
  };

  const drawTable = () => {
    const [found, runs] = filtered();
    drawStates(found);
    const all = lines(runs), pages = Math.max(1, Math.ceil(all.length / PER_PAGE));
    view.page = isComplete ? Math.min(view.page, pages) : view.page;
    const part = all.slice((view.page - 1) * PER_PAGE, view.page * PER_PAGE);
    for (const id of [...rows.keys()]) if (!known.runs.has(id) && !known.folders.has(id)) rows.delete(id);
    const wanted = part.map(lineOf);
    if (!wanted.length) wanted.push(emptyLine());
    place(byId("rows"), wanted);
    byId("pages").hidden = pages === 1;
    setText(byId("page"), `Page ${view.page} of ${pages}`);
    byId("previous").disabled = view.page <= 1;
    byId("next").disabled = view.page >= pages;
    const total = known.runs.size;
    const words = runs.length === total ? tally(runs) : `${runs.length.toLocaleString("en")} of ${counted(total, "run")}`;
    setText(byId("count"), total ? words : "");
  };

  const emptyLine = () => {
    const line = element("tr"), made = element("td", "empty soft");
    made.colSpan = COLUMNS.length + 1;
    made.textContent = !isComplete ? "Looking …" : known.runs.size ? "No run is like this: change the filter."
      : "No runs here yet; they appear as soon as one begins.";
    line.append(made);
    return line;
  };

  const drawHead = () => {
    const head = byId("head");
    if (!head.childElementCount) {
      head.append(element("td", "c-pick"));
      for (const [key, words] of COLUMNS) {
        const made = element("th", `c-${key}`), button = element("button", "", words);
        made.scope = "col";
        made.setAttribute("role", "columnheader");
        made.dataset.key = key;
        button.type = "button";
        button.addEventListener("click", () => {
          const first = key === "f1" || key === "flags" || key === "step";  // the largest first
          if (view.sort !== key) [view.sort, view.down] = [key, first];
          else if (view.down === first) view.down = !first;
          else [view.sort, view.down] = ["", false];
          view.page = 1;
          draw();
        });
        made.append(button);
        head.append(made);
      }
    }
    for (const made of head.querySelectorAll("th")) {
      if (made.dataset.key === view.sort) made.setAttribute("aria-sort", view.down ? "descending" : "ascending");
      else made.removeAttribute("aria-sort");
    }
  };

  const drawPicked = () => {
    if (isComplete) for (const id of [...picked]) if (!known.runs.has(id)) picked.delete(id);
    byId("picked").hidden = picked.size === 0;
    setText(byId("picked-count"), `${counted(picked.size, "run")} selected`);
    byId("compare").href = `/compare?${new URLSearchParams([...picked].map((id) => ["run", id]))}`;
    byId("compare").hidden = picked.size < 2;
  };

  const drawLeftOut = () => {
    const found = [...known.left_out.values()].sort((one, other) => (one.path < other.path ? -1 : 1));
    byId("left-out").hidden = !found.length;
    setText(byId("left-out-count"), `${counted(found.length, "folder")} left out`);
    byId("left-out-list").replaceChildren(...found.map((one) => element("li", "", `${one.path}: ${one.reason}`)));
  };

  const drawCurves = (changed) => {
    const chosen = [...picked].map((id) => known.runs.get(id)).filter(Boolean);
    const atWork = [...known.runs.values()].filter((run) => run.state === "running").sort(byName);
    const title = chosen.length ? "Curves of the selection" : "Curves of what is running";
    Curves.show(chosen.length ? chosen : atWork, changed, title).catch(() => { /* the next reply tries again */ });
  };

  /* The ages grow without a reply. */
  const drawAges = () => {
    for (const line of byId("rows").querySelectorAll("tr.run")) {
      const run = known.runs.get(line.dataset.id), words = line.querySelector(".cut");
      if (run?.seen && words) {
        setText(words, `${run.note}${run.note ? ", " : ""}last sign of life ${span(seconds() - run.seen)} ago`);
      }
    }
    const live = byId("live"), age = (Date.now() - lastReply) / 1000;
    live.classList.toggle("on", lastReply > 0 && !isGone && isComplete);
    live.classList.toggle("off", isGone);
    if (isGone) setText(live, "no server");
    else if (!lastReply || !isComplete) setText(live, known.runs.size ? `Looking … ${counted(known.runs.size, "run")}` : "Looking …");
    else setText(live, age < 2 * LATER / 1000 ? "live" : `as of ${span(age)} ago`);
  };

  const draw = (changed = new Set()) => {
    drawHead();
    drawPicked();
    drawTable();
    drawAges();
    drawCurves(changed);
    if (isComplete) writeAddress();
  };

  // ------------------------------------------------------------------ what the server says

  const take = (found) => {
    const changed = new Set();
    token = found.token;
    roots = found.roots;
    isComplete = found.is_complete;
    if (found.is_all) for (const kind of Object.values(known)) kind.clear();
    for (const kind of Object.keys(known)) {
      for (const id of found.gone[kind]) known[kind].delete(id);
      for (const entry of found[kind]) {
        entry.version = (known[kind].get(entry.id)?.version ?? 0) + 1;
        known[kind].set(entry.id, entry);
        changed.add(entry.id);
      }
    }
    if (found.is_all) rows.clear();
    return [changed, changed.size + Object.values(found.gone).flat().length > 0];
  };

  const ask = async () => {
    clearTimeout(timer);
    if (waits || document.hidden) return;
    waits = true;
    try {
      const before = isComplete;
      const reply = await fetch(`/api/runs?${new URLSearchParams({ since: token })}`);
      const found = await reply.json();
      if (!reply.ok) throw new Error(found.error ?? `The server replied with status ${reply.status}`);
      const [changed, isNews] = take(found);
      lastReply = Date.now();
      isGone = false;
      byId("error").hidden = true;
      if (isNews || !before) {
        setText(byId("roots"), roots.join(" · "));
        draw(changed);
        drawLeftOut();
      } else drawAges();
      const isAtWork = [...known.folders.values()].some((folder) => folder.is_under_way);
      // Where nothing happens, it is asked less and less often.
      patience = !isComplete ? 0 : isNews || isAtWork ? SOON : Math.min(LATER, patience + SOON);
    } catch (error) {
      isGone = true;
      patience = RETRY;
      byId("error").textContent = error instanceof TypeError ? "The server is not there: is qaexp board still running?"
        : `${error.message}.`;
      byId("error").hidden = false;
      drawAges();
    } finally {
      waits = false;
      timer = setTimeout(ask, patience);
    }
  };

  const change = (act) => () => { act(); draw(); };
  byId("form").addEventListener("submit", (event) => event.preventDefault());
  byId("filter").addEventListener("input", change(() => { view.filter = byId("filter").value; view.page = 1; }));
  byId("flat").addEventListener("change", change(() => { view.flat = byId("flat").checked; view.page = 1; }));
  byId("clear").addEventListener("click", change(() => picked.clear()));
  for (const [id, by] of [["previous", -1], ["next", 1]]) {
    byId(id).addEventListener("click", change(() => { view.page += by; byId("table").scrollIntoView(); }));
  }
  addEventListener("popstate", change(readAddress));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  setInterval(() => { if (!document.hidden) drawAges(); }, 1000);
  readAddress();
  ask();
})();
