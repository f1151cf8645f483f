"use strict";
/* The page of qaexp serve: asks the server it came from, and shows what comes back. Texts are only ever set as text. */
(() => {
  const byId = (id) => document.getElementById(id);
  const form = byId("form"), context = byId("context"), question = byId("question"), ask = byId("ask");
  const SHOWN = 10;         // spans
  const MAX_WINDOWS = 200;  // of which each is a button
  const PATIENCE = 120000;  // ms: the server itself gives up earlier
  let asking = null;

  const percent = (share) => {
    if (share === null) return "";  // a decoding of one's own has none
    const value = 100 * share;
    if (value > 0 && value < 0.1) return "< 0.1 %";
    if (value < 100 && value > 99.9) return "> 99.9 %";
    return `${value.toFixed(1)} %`;
  };
  const counted = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

  /* The server counts characters, JavaScript counts halves of some (emoji): where character n begins in a text. */
  const places = (text) => {
    if (!/[\ud800-\udbff]/.test(text)) return (n) => n;
    const starts = [];
    for (let at = 0; at < text.length; at += text.codePointAt(at) > 0xffff ? 2 : 1) starts.push(at);
    starts.push(text.length);
    return (n) => starts[n];
  };

  const element = (name, words, kind) => {
    const made = document.createElement(name);
    if (words !== undefined) made.textContent = words;
    if (kind) made.className = kind;
    return made;
  };

  /* The text with one piece marked. */
  const mark = (text, begin, end, scroll) => {
    const shown = byId("text");
    if (begin === null) {
      shown.replaceChildren(text);
      shown.scrollTop = 0;
      return;
    }
    const marked = element("mark", text.slice(begin, end));
    shown.replaceChildren(text.slice(0, begin), marked, text.slice(end));
    if (scroll) shown.scrollTop = marked.offsetTop - shown.offsetTop - shown.clientHeight / 3;
  };

  const press = (button) => {
    for (const other of document.querySelectorAll("ol button")) other.setAttribute("aria-pressed", other === button);
  };

  const choice = (list, words, note, show) => {
    const item = element("li"), button = element("button"), label = element("span", words, "words");
    const bar = element("span", undefined, "bar"), fill = element("span");
    button.type = "button";
    button.setAttribute("aria-pressed", "false");
    label.dir = "auto";
    bar.setAttribute("aria-hidden", "true");
    bar.append(fill);
    button.append(label, element("span", note, "share soft"), bar);
    button.addEventListener("click", () => { press(button); show(); });
    item.append(button);
    list.append(item);
    return { button, fill };
  };

  const showOdds = (found) => {
    const share = found.no_answer_probability;
    const is_known = found.allow_no_answer;
    byId("odds").parentElement.hidden = !is_known || share === null;
    byId("odds-bar").style.width = `${100 * share}%`;
    byId("odds").textContent = percent(share);
    byId("rule").textContent = !is_known ? "This model was trained to answer always."
      : found.n_best.length === 0 ? "" :
      `Score of "no answer" less that of the best span: ${found.null_score_diff.toFixed(2)}. ` +
      `Above ${found.null_threshold.toFixed(2)}, the threshold, nothing is answered.`;
  };

  const showSpans = (found, text, place) => {
    const list = byId("spans");
    list.replaceChildren();
    byId("no-spans").hidden = found.n_best.length > 0;
    found.n_best.forEach((span, rank) => {
      const show = () => mark(text, place(span.start_char), place(span.end_char), true);
      const { button, fill } = choice(list, span.text, percent(span.probability), show);
      fill.style.width = `${100 * span.probability}%`;
      if (rank === 0 && found.answer) button.setAttribute("aria-pressed", "true");
    });
  };

  const showWindows = (found, text, place) => {
    const list = byId("windows"), count = found.windows.length, length = Math.max(1, place(0) + text.length);
    list.replaceChildren();
    byId("windows-label").textContent = count === 1 ? "The text was read at once."
      : `The text was read in ${counted(count, "piece")} that overlap` +
        (count > MAX_WINDOWS ? `; the first ${MAX_WINDOWS} are shown.` : ".");
    if (count < 2) return;
    found.windows.slice(0, MAX_WINDOWS).forEach((window, number) => {
      const begin = place(window.start_char), end = place(window.end_char);
      const words = `${number + 1}: characters ${window.start_char.toLocaleString("en")} to ` +
        window.end_char.toLocaleString("en");
      const holds = found.answer && window.start_char <= found.start_char && found.end_char <= window.end_char;
      const { fill } = choice(list, words, holds ? "answer" : "", () => mark(text, begin, end, true));
      fill.style.left = `${(100 * begin) / length}%`;
      fill.style.width = `${(100 * (end - begin)) / length}%`;
    });
  };

  const show = (found, asked, text, seconds) => {
    const place = places(text);
    byId("result").hidden = false;
    byId("asked").textContent = asked;
    byId("answer").textContent = found.answer || "No answer in this text";
    byId("answer").classList.toggle("none", !found.answer);
    showOdds(found);
    showSpans(found, text, place);
    showWindows(found, text, place);
    if (found.answer) mark(text, place(found.start_char), place(found.end_char), true);
    else mark(text, null, null, false);
    const said = found.answer ? `Answer: ${found.answer}` : "The text holds no answer";
    byId("status").textContent = `${said.slice(0, 300)} (${seconds.toFixed(2)} s)`;
  };

  const fail = (sentence) => {
    byId("result").hidden = true;
    byId("status").textContent = "";
    byId("error").textContent = sentence;
    byId("error").hidden = false;
  };

  /* Why nothing came back, in words. */
  const reason = async (reply) => {
    try {
      const found = await reply.json();
      if (typeof found.error === "string") return `${found.error[0].toUpperCase()}${found.error.slice(1)}.`;
    } catch (error) { /* not the server's own words */ }
    return `The server replied with status ${reply.status}.`;
  };

  const send = async () => {
    const asked = question.value.trim(), text = context.value;
    if (!text.trim() || !asked) {
      fail(text.trim() ? "Type a question first." : "Paste a text first.");
      (text.trim() ? question : context).focus();
      return;
    }
    if (asking) asking.abort();
    const mine = asking = new AbortController();
    const late = setTimeout(() => mine.abort("late"), PATIENCE);
    ask.setAttribute("aria-disabled", "true");
    byId("error").hidden = true;
    byId("status").textContent = "Reading …";
    const began = performance.now();
    try {
      const reply = await fetch("/answer", {
        method: "POST", headers: { "content-type": "application/json" }, signal: mine.signal,
        body: JSON.stringify({ question: asked, context: text, n_best: SHOWN }),
      });
      if (!reply.ok) fail(await reason(reply));
      else show(await reply.json(), asked, text, (performance.now() - began) / 1000);
    } catch (error) {
      if (asking !== mine) return;  // another question was asked meanwhile
      fail(mine.signal.aborted ? "The server did not reply." : "The server is not there: is qaexp serve still running?");
    } finally {
      clearTimeout(late);
      if (asking === mine) {
        asking = null;
        ask.setAttribute("aria-disabled", "false");
      }
    }
  };

  form.noValidate = true;
  form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); send(); }
  });
  fetch("/health").then((reply) => reply.json()).then((found) => {
    document.title = `${found.model}: qaexp serve`;
    byId("about").textContent = `The model ${found.model} finds its answers in the text; it knows nothing else.`;
  }).catch(() => {});
})();
