// A table of any length: sorted by its head's buttons, drawn a page at a time, each row opening a detail.
class Table {
  // columns: [{key, name, number, sort: (index) => value, cell: (index) => node or text}]
  constructor(host, { columns, total, noun, size, detail = null, heads = null, drawn = null, empty }) {
    Object.assign(this, { columns, total, noun, size, detail, heads, drawn, empty });
    this.order = Uint32Array.from({ length: total }, (_, index) => index);
    this.sorted = null;
    this.page = 0;
    this.said = el("span", { role: "status" });
    this.tools = el("div", { class: "tools" }, this.said);
    this.body = el("tbody");
    this.head = el("tr", { class: "row-heads" });
    this.pages = el("nav", { class: "pages", "aria-label": `pages of ${noun}s` });
    const table = el("table", {}, el("thead", {}, this.head), this.body);
    for (const column of columns) this.head.append(this.headCell(column));
    host.append(this.tools, el("div", { class: "wide" }, table), this.pages);
    this.makePages();
    this.draw();
    addEventListener("resize", () => {
      for (const cell of this.body.querySelectorAll("td[colspan]")) cell.colSpan = this.width();
    });
  }

  headCell(column) {
    const cell = el("th", { scope: "col", class: `c-${column.key}${column.number ? " number" : ""}` });
    if (column.sort) {
      const button = el("button", { type: "button" }, column.name);
      button.addEventListener("click", () => this.sortBy(column));
      cell.append(button);
    } else cell.append(column.name);
    column.head = cell;
    return cell;
  }

  makePages() {
    const button = (name, step) => {
      const made = el("button", { type: "button" }, name);
      made.addEventListener("click", () => this.turn(this.page + step));
      return made;
    };
    this.back = button("Previous", -1);
    this.forth = button("Next", 1);
    this.at = el("input", { type: "number", min: 1, "aria-label": `page of ${this.noun}s` });
    this.at.addEventListener("change", () => this.turn(Number(this.at.value) - 1));
    this.of = el("span");
    this.pages.append(this.back, el("span", {}, "Page "), this.at, this.of, this.forth);
  }

  sortBy(column) {
    const down = this.sorted?.column === column && !this.sorted.down;
    this.sorted = { column, down };
    for (const other of this.columns) {
      if (other === column) other.head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else other.head.removeAttribute("aria-sort");
    }
    this.arrange(this.order);
  }

  // The rows to show, in any order; they are sorted as the reader asked.
  arrange(order) {
    if (this.sorted) {
      const { column, down } = this.sorted;
      const values = new Map();
      for (const index of order) values.set(index, column.sort(index));
      const sign = down ? -1 : 1;
      order = order.slice().sort((a, b) => {
        const [x, y] = [values.get(a), values.get(b)];
        if (x === y) return a - b;
        if (x === null || y === null) return x === null ? 1 : -1; // the unknown comes last
        return x < y ? -sign : sign;
      });
    }
    this.order = order;
    this.page = 0;
    this.draw();
  }

  turn(page) {
    this.page = page;
    this.draw();
  }

  draw() {
    const last = Math.max(Math.ceil(this.order.length / this.size) - 1, 0);
    this.page = Math.min(Math.max(Math.trunc(this.page) || 0, 0), last);
    const shown = [...this.order.subarray(this.page * this.size, (this.page + 1) * this.size)];
    this.body.replaceChildren(...shown.map((index) => this.row(index)));
    if (!shown.length) {
      this.body.append(el("tr", {}, el("td", { colspan: this.width() }, this.empty)));
    }
    this.pages.hidden = last === 0;
    this.back.disabled = this.page === 0;
    this.forth.disabled = this.page === last;
    this.at.value = this.page + 1;
    this.at.max = last + 1;
    this.of.textContent = ` of ${(last + 1).toLocaleString("en")}`;
    this.tell();
    this.drawn?.(shown);
  }

  // Columns that are shown: a narrow screen leaves some out.
  width() {
    return this.columns.filter((column) => column.head.offsetWidth).length;
  }

  tell(more = "") {
    const all = count(this.total, this.noun);
    const words =
      this.order.length === this.total ? all : `${this.order.length.toLocaleString("en")} of ${all}`;
    this.said.textContent = words + more;
  }

  row(index) {
    const cells = this.columns.map((column) => {
      const name = `c-${column.key}${column.number ? " number" : ""}`;
      return el("td", { class: name }, column.cell(index));
    });
    const row = el("tr", { class: "row", "data-index": index }, ...cells);
    const button = row.querySelector("button.open");
    if (button) {
      button.addEventListener("click", () => this.toggle(row, button, index));
      row.addEventListener("click", (event) => {
        if (!event.target.closest("button, a") && !String(getSelection())) this.toggle(row, button, index);
      });
    }
    return row;
  }

  async toggle(row, button, index) {
    const opened = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!opened));
    if (opened) {
      row.nextSibling.remove();
      return;
    }
    const cell = el("td", { colspan: this.width() });
    row.after(el("tr", { class: "detail" }, cell));
    cell.append(...(await this.detail(index)));
  }

  // The row of an item on whichever page it is, opened.
  async open(index) {
    const place = this.order.indexOf(index);
    if (place < 0) return;
    this.turn(Math.floor(place / this.size));
    const row = this.body.querySelector(`tr[data-index="${index}"]`);
    const button = row.querySelector("button.open");
    await this.toggle(row, button, index);
    row.scrollIntoView({ block: "center" });
    button.focus({ preventScroll: true });
  }
}

const opener = (index, name) =>
  el(
    "button",
    { type: "button", class: "open", "aria-expanded": "false", "aria-label": name },
    String(index),
  );
