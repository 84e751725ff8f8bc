// The table of items: facts of every item in columns, and the rest from records, unpacked for what is shown.
const STATUS = { c: ["completed", "good"], f: ["failed", "bad"], p: ["pending", "open-tone"] };
const SIZE = 50;
const AHEAD = 6; // blocks that are unpacked while those before them are searched

const LOOK = { unsupported: "a passage says something else", uncited: "values without a passage" };

const MARGIN = 36; // pixels around a passage in its picture

// What a picture shows at first: the passages on it with some of the page around them.
function cropped([width, height], boxes) {
  if (!boxes.length) return [0, 0, width, height];
  const [left, top] = [0, 1].map((at) => Math.min(...boxes.map((box) => box[at])) - MARGIN);
  const [right, bottom] = [2, 3].map((at) => Math.max(...boxes.map((box) => box[at])) + MARGIN);
  const wide = Math.min(Math.max(right - left, 460), width);
  const high = Math.min(Math.max(bottom - top, 110), height);
  const x = Math.min(Math.max((left + right - wide) / 2, 0), width - wide);
  return [x, Math.min(Math.max((top + bottom - high) / 2, 0), height - high), wide, high];
}

// A part of the page with the passage marked; the whole page is one click away.
function pictureNode(number, size, boxes) {
  const source = document.querySelector(`script[data-kind="picture"][data-number="${number}"]`).textContent;
  const [width, height] = size;
  const page = svg("image", { href: `data:image/webp;base64,${source}`, width, height });
  const marks = boxes.map(([x, y, right, bottom]) =>
    svg("rect", { class: "passage", x, y, width: right - x, height: bottom - y }),
  );
  const part = cropped(size, boxes);
  const drawing = svg("svg", { viewBox: part.join(" "), "aria-hidden": "true" }, page, ...marks);
  const button = el("button", { type: "button", class: "sheet", "aria-expanded": "false" }, drawing);
  const show = (whole) => {
    drawing.setAttribute("viewBox", (whole ? [0, 0, width, height] : part).join(" "));
    drawing.style.width = `${whole ? width : Math.min(part[2] * 1.15, width)}px`;
    button.setAttribute("aria-expanded", String(whole));
    button.setAttribute("aria-label", whole ? "the whole page; show the passage alone" : "the passage on its page; show the whole page");
  };
  button.addEventListener("click", () => show(button.getAttribute("aria-expanded") !== "true"));
  show(false);
  const note = boxes.length ? null : el("div", { class: "soft" }, "The passage is not in the page's own text, so it is not marked.");
  return el("div", { class: "place" }, button, note);
}

function valueNodes(path, text, literal, citations, mark) {
  const value = el("div", { class: literal ? "value literal" : "value", dir: "auto" }, text);
  const name = el("th", { scope: "row" }, path);
  return el(
    "tr",
    {},
    path === null ? null : name,
    el("td", {}, text === null ? null : value, mark, ...citations.map(citedNode)),
  );
}

function citedNode([text, place, grounded, supports, picture, where]) {
  const found =
    { true: " · found in the source", false: " · not found at that place in the source" }[grounded] ?? "";
  const says =
    supports === false
      ? el("strong", { class: "bad" }, " · says something else than the value")
      : supports
        ? " · says the value"
        : "";
  const [before, behind] = Array.isArray(where) && picture === null ? where : ["", ""];
  const quote = el("blockquote", { dir: "auto" }, before, el("span", {}, text), behind);
  const why = typeof where === "string" ? el("div", {}, where) : null;
  return el("div", { class: "cited" }, quote, el("bdi", {}, place), found, says, why, picture ?? null);
}

function fieldsTable(fields, citations, unsupported, uncited) {
  const cited = new Map(citations);
  const mark = (path) => {
    if (unsupported.includes(path)) return el("div", { class: "bad" }, "no passage says this value");
    return uncited.includes(path) ? el("div", { class: "odd" }, "no citation") : null;
  };
  const rows = fields.map(([path, text, literal]) =>
    valueNodes(path || null, text, literal, cited.get(path) ?? [], mark(path)),
  );
  const paths = new Set(fields.map(([path]) => path));
  const others = citations
    .filter(([path]) => !paths.has(path))
    .map(([path, found]) => valueNodes(path, null, false, found, null));
  return el("table", { class: "fields" }, el("tbody", {}, ...rows, ...others));
}

const HEADS = ["attempt", "job", "batch", "received", "outcome", "why it is no result", "used", "cost"];

function attemptsTable(attempts) {
  const rows = attempts.map(([job, batch, at, outcome, error, cost, used], place) => {
    const cells = [place + 1, job, batch ?? "-", timeNode(at), outcome, error || "-", used || "-", cost];
    return el("tr", {}, ...cells.map((cell, at) => el("td", { dir: "auto", "data-head": HEADS[at] }, cell)));
  });
  const heads = HEADS.map((head) => el("th", { scope: "col" }, head));
  const table = el("table", { class: "attempts" });
  table.append(el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows));
  return el("div", { class: "wide", tabindex: "0", role: "group", "aria-label": "attempts" }, table);
}

// What a request that was sent again said about the answer before it.
function toldNodes(attempts) {
  return attempts.flatMap(([, , , , , , , told], place) =>
    told ? [el("p", {}, `Attempt ${place + 1} told the model:`), el("pre", { dir: "auto" }, told)] : [],
  );
}

// Each citation of an item with what is shown of its place: a picture, the text around it, or why there is none.
function placed(citations, shown, sizes) {
  const places = new Map(shown.map(([path, place, number, where]) => [`${place} ${path}`, [number, where]]));
  return citations.map(([path, found]) => [
    path,
    found.map((cited, place) => {
      const [number, where] = places.get(`${place} ${path}`) ?? [null, null];
      return [...cited, number === null ? null : pictureNode(number, sizes[number], where), where];
    }),
  ]);
}

function itemDetail(record, shown, sizes) {
  if (record === null)
    return [el("p", {}, "This file had no room for more about this item; the log has it.")];
  const [[name, kind, text], fields, cited, answer, note, attempts, unsupported, uncited] = record;
  const citations = placed(cited, shown, sizes);
  const nodes = [
    el("h3", {}, "Input"),
    el("p", {}, name && !text ? el("bdi", {}, name) : "", name && !text ? " · " : "", kind),
  ];
  if (text) nodes.push(el("pre", { dir: "auto", tabindex: "0" }, text));
  nodes.push(el("h3", {}, "State"), el("p", { dir: "auto" }, note));
  if (fields.length || citations.length)
    nodes.push(
      el("h3", {}, citations.length ? "Result, and the passages it rests on" : "Result"),
      fieldsTable(fields, citations, unsupported, uncited),
    );
  if (answer !== null)
    nodes.push(el("h3", {}, "Answer as received"), el("pre", { dir: "auto", tabindex: "0" }, answer));
  if (attempts.length) nodes.push(el("h3", {}, "Attempts"), attemptsTable(attempts), ...toldNodes(attempts));
  return nodes;
}

// The first values of an item, each by itself: a text that turns the writing direction turns no other.
function preview(record) {
  if (record === null) return [];
  const [, fields, , answer] = record;
  const told = fields.filter(([, text, literal]) => !(literal && text === "null"));
  const parts = told
    .slice(0, 6)
    .map(([path, text]) => (path ? `${path}: ${text}` : text).slice(0, path ? 120 : 300));
  if (!fields.length && answer !== null) parts.push(answer.slice(0, 300));
  return parts.flatMap((part, place) => [place ? " · " : "", el("bdi", {}, part)]);
}

class Items {
  constructor(host, columns, names, records, cut, look, [sizes, places, leftOut]) {
    Object.assign(this, { data: columns, names, records, round: 0, looking: 0 });
    this.first = Object.fromEntries(Object.entries(look).map(([name, found]) => [name, new Set(found)]));
    const { status, cost, attempts, kind, kinds, job, batches } = columns;
    const batch = (i) => batches[job[i]] ?? null;
    const amounts = cost.map((amount) => (amount === null ? null : Number(amount)));
    const reason = (i) => (kind[i] < 0 ? null : kinds[kind[i]]);
    this.batch = batch;
    this.reason = reason;
    this.table = new Table(host, {
      total: status.length,
      noun: "item",
      size: SIZE,
      empty: "No item matches.",
      columns: [
        {
          key: "index",
          name: "Item",
          number: true,
          sort: (i) => i,
          cell: (i) => opener(i, `item ${i}, details`),
        },
        {
          key: "input",
          name: "Input and result",
          sort: (i) => names[i].toLowerCase(),
          cell: (i) => this.inputCell(i),
        },
        {
          key: "status",
          name: "Status",
          sort: (i) => `${STATUS[status[i]][0]} ${reason(i) ?? ""}`,
          cell: (i) => this.statusCell(i),
        },
        {
          key: "attempts",
          name: "Attempts",
          number: true,
          sort: (i) => attempts[i],
          cell: (i) => String(attempts[i]),
        },
        { key: "cost", name: "Cost", number: true, sort: (i) => amounts[i], cell: (i) => usd(cost[i]) },
        { key: "batch", name: "Batch", sort: batch, cell: (i) => batch(i) ?? "-" },
      ],
      detail: async (i) => itemDetail(await records.record(i), places[i] ?? [], sizes),
      drawn: (shown) => this.fill(shown),
    });
    this.makeTools();
    if (leftOut) {
      const kept = count(Object.keys(places).length, "item");
      const why = "To keep this file small, passages are shown where they stand for";
      host.prepend(
        el("p", { class: "cut" }, `${why} ${kept}, those to look at first before others, and not for ${leftOut.toLocaleString("en")}.`),
      );
    }
    const items = count(cut, "item");
    const left = "the search sees what is left, the log holds them in full";
    if (cut)
      host.prepend(
        el("p", { class: "cut" }, `To keep this file small, long texts of ${items} are cut: ${left}.`),
      );
  }

  inputCell(i) {
    return el(
      "div",
      {},
      el("bdi", { class: "name" }, this.names[i] || "-"),
      el("div", { class: "preview", dir: "auto", "data-preview": i }),
    );
  }

  statusCell(i) {
    const [word, tone] = STATUS[this.data.status[i]];
    return el(
      "div",
      {},
      el("span", { class: tone }, word),
      this.reason(i) === null ? null : el("div", { class: "reason" }, el("bdi", {}, this.reason(i))),
    );
  }

  async fill(shown) {
    const round = ++this.round;
    for (const index of shown) {
      const nodes = preview(await this.records.record(index));
      if (round !== this.round) return;
      const place = this.table.body.querySelector(`[data-preview="${index}"]`);
      if (place) place.replaceChildren(...nodes);
    }
  }

  makeTools() {
    this.search = el("input", {
      type: "search",
      placeholder: "Search inputs, results, passages, errors, batch ids",
      "aria-label": "search the items",
    });
    this.select = el("select", { "aria-label": "which items" }, el("option", { value: "" }, "all items"));
    for (const [letter, [word]] of Object.entries(STATUS))
      this.select.append(el("option", { value: letter }, word));
    for (const [name, words] of Object.entries(LOOK)) {
      const found = this.first[name].size;
      if (found)
        this.select.append(el("option", { value: name }, `look first: ${words} (${count(found, "item")})`));
    }
    this.data.kinds.forEach((kind, place) =>
      this.select.append(el("option", { value: `k${place}` }, `not usable: ${kind}`)),
    );
    this.table.tools.prepend(this.search, this.select);
    let timer = 0;
    this.search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.look(), 150);
    });
    this.select.addEventListener("change", () => this.look());
  }

  // The failed items of one reason, as the button beside it asks.
  showFailed(kind) {
    this.search.value = "";
    this.select.value = `k${this.data.kinds.indexOf(kind)}`;
    this.look("f");
    this.select.focus();
    this.table.tools.scrollIntoView();
  }

  allows(i, status) {
    if (status && this.data.status[i] !== status) return false;
    const filter = this.select.value;
    if (!filter) return true;
    if (this.first[filter]) return this.first[filter].has(i);
    return filter[0] === "k" ? this.data.kind[i] === Number(filter.slice(1)) : this.data.status[i] === filter;
  }

  // Items that hold every word, block by block: what is found is shown while the rest is still searched.
  async look(status = "") {
    const mine = ++this.looking;
    const terms = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!terms.length) {
      const all = Uint32Array.from(this.names, (_, index) => index);
      this.table.arrange(all.filter((index) => this.allows(index, status)));
      return;
    }
    const { nodes, size } = this.records;
    const unpacked = nodes.slice(0, AHEAD).map(unpack);
    const found = [];
    let drawn = performance.now();
    for (let block = 0; block < nodes.length; block++) {
      if (block + AHEAD < nodes.length) unpacked.push(unpack(nodes[block + AHEAD]));
      const text = await unpacked.shift();
      if (mine !== this.looking) return;
      const range = [block * size, Math.min((block + 1) * size, this.names.length)];
      found.push(...this.lookInto(text, range, terms, status));
      if (performance.now() - drawn > 400) {
        if (this.table.order.length !== found.length) this.table.arrange(Uint32Array.from(found));
        this.table.tell(`, ${Math.round(((block + 1) / nodes.length) * 100)}% searched`);
        drawn = performance.now();
      }
    }
    this.table.arrange(Uint32Array.from(found));
  }

  lookInto(text, [from, to], terms, status) {
    const lower = text.toLowerCase();
    // Only a word that is somewhere in the block is looked for in its lines.
    const quoted = terms
      .map((term) => JSON.stringify(term).slice(1, -1))
      .map((term) => lower.includes(term) && term);
    const lines = quoted.some(Boolean) ? [text.split("\n"), lower.split("\n")] : null;
    const found = [];
    for (let i = from; i < to; i++) {
      if (!this.allows(i, status)) continue;
      const facts = this.facts(i);
      const open = terms.map((term, place) => place).filter((place) => !facts.includes(terms[place]));
      if (!open.every((place) => quoted[place] && lines[1][i - from].includes(quoted[place]))) continue;
      // What looks like a match may be a number or a time that is not shown.
      const texts = open.length ? [...textsOf(JSON.parse(lines[0][i - from]))].join("\n").toLowerCase() : "";
      if (open.every((place) => texts.includes(terms[place]))) found.push(i);
    }
    return found;
  }

  facts(i) {
    const [word] = STATUS[this.data.status[i]];
    return [word, this.reason(i), this.batch(i), this.names[i]].join(" ").toLowerCase();
  }
}
