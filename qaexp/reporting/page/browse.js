// What the explorers of all pages share: safe text, pages of rows, keys, and the view in the address. All text from
// data goes through textContent; nothing is ever parsed as markup, stored or requested.
"use strict";

const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;
const VIEW = "#explore?";
const ADDRESS_DELAY = 300;

/** Control characters as escapes, so that they neither hide nor reorder the text around them. */
function visible(text) {
  return String(text).replace(CONTROLS, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
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

/** The text of a context with tags around its ranges [begin, end, tag]. */
function tagged(context, ranges) {
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

/** Pages of rows below a form: `hits` gives what is shown now, `row` makes the element of one. */
class Rows {
  constructor(size, row) {
    this.size = size;
    this.row = row;
    this.hits = [];
    this.page = 0;
    this.list = document.getElementById("hits");
    document.getElementById("previous").addEventListener("click", () => this.turn(this.page - 1));
    document.getElementById("next").addEventListener("click", () => this.turn(this.page + 1));
  }

  get pages() {
    return Math.max(1, Math.ceil(this.hits.length / this.size));
  }

  show(page) {
    this.page = Math.min(Math.max(page, 0), this.pages - 1);
    this.list.replaceChildren(...this.hits.slice(this.page * this.size, (this.page + 1) * this.size).map(this.row));
    document.getElementById("page").textContent = `page ${this.page + 1} of ${this.pages}`;
    document.getElementById("previous").disabled = this.page === 0;
    document.getElementById("next").disabled = this.page + 1 >= this.pages;
    document.getElementById("pager").hidden = this.pages === 1;
  }

  turn(page) {
    this.show(page);
    document.getElementById("count").scrollIntoView({ block: "start" });
    this.list.dispatchEvent(new Event("turned", { bubbles: true }));
  }

  get lines() {
    return [...this.list.querySelectorAll(":scope > details > summary")];
  }

  /** The line that is `step` further, on the next or the last page where this one ends; none beyond the ends. */
  neighbour(line, step) {
    const place = this.lines.indexOf(line) + step;
    if (place >= 0 && place < this.lines.length) return this.lines[place];
    const page = this.page + step;
    if (page < 0 || page >= this.pages) return null;
    this.turn(page);
    return this.lines.at(step > 0 ? 0 : -1);
  }
}

function isTyping(target) {
  return target.matches("input:not([type=range]), textarea, select");
}

/** `/` goes to the search; up and down move between rows, right and left open and close them. */
function listenToKeys(rows, search) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.key !== "/" || isTyping(event.target)) return;
    event.preventDefault();
    search.focus();
    search.select();
    search.scrollIntoView({ block: "nearest" });
  });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" || !rows.lines.length) return;
    event.preventDefault();
    rows.lines[0].focus();
  });
  rows.list.addEventListener("keydown", (event) => {
    const line = event.target.closest("summary");
    if (!line || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const open = { ArrowRight: true, ArrowLeft: false }[event.key];
    if (step === undefined && open === undefined) return;
    event.preventDefault();
    if (open !== undefined) line.parentElement.open = open;
    else (rows.neighbour(line, step) || (step < 0 ? search : line)).focus();
  });
}

/** The view in the address, behind `#explore?`: `read` takes it from there, `tell` returns what to write there. */
class Address {
  constructor(read, tell) {
    this.read = read;
    this.tell = tell;
    this.timer = 0;
    addEventListener("hashchange", () => this.restore());
  }

  /** Show the view in the address, if it has one. */
  restore() {
    if (!location.hash.startsWith(VIEW)) return false;
    this.read(new URLSearchParams(location.hash.slice(VIEW.length)));
    document.getElementById("count").scrollIntoView({ block: "center" });
    return true;
  }

  /** Write the view into the address with a delay: browsers throttle pages that write at every key. */
  write() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const told = this.tell().toString();
      const hash = told ? VIEW + told : "";
      if (!told && !location.hash.startsWith(VIEW)) return;
      if (location.hash !== hash) history.replaceState(null, "", hash || location.href.split("#")[0]);
    }, ADDRESS_DELAY);
  }
}

/** A select's chosen text without its count, and the option with such a text, so that links survive other counts. */
function chosen(select) {
  return select.value === "" ? "" : optionName(select.selectedOptions[0]);
}

function optionName(option) {
  return option.dataset.name || option.text;
}

function choose(select, name) {
  const found = [...select.options].find((option) => option.value !== "" && optionName(option) === name);
  select.value = found ? found.value : select.querySelector("option").value;
}
