// Makes tables with a row for each item. A table can be sorted by a column, can have totals, and details below a row.

import { el, keyed, setAttribute, setText } from "./dom.js";

const KEPT_MS = 10000; // rows keep their order for so long, because nobody could read rows that move every second

// `columns`: [{name, kind?, cell(item) -> string, make?, fill?, sort?(item) -> number | string | null, down?, total?(items) -> string}].
// On a narrow screen, CSS shows each row of a table of the class "cards" as a card, with `data-label` as the label of each
// cell. The ARIA roles make screen readers still read a table. Options:
//   update(row, item): updates the row.
//   below: {of(item), make(cell, item, key), fill(cell, item)}: a row with details; of() returns whether this row is shown.
//   natural(item): a number by which rows are sorted until the user chooses a column that has `sort`.
//   most(): the number of rows to show.
export function tabled(table, columns, keyOf, { update = () => {}, below = null, natural = null, most = () => Infinity } = {}) {
  let latest = [];
  const order = natural === null ? null : new Order(natural, keyOf, () => draw());
  table.setAttribute("role", "table");
  const body = el("tbody", { role: "rowgroup" });
  const heads = columns.map((column) => head(column, order));
  table.append(el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...heads)), body);
  const sums = columns.some(({ total }) => total) ? totals(columns) : null;
  if (sums) table.append(sums.part);

  const make = ([item, isBelow], key) => {
    const made = el("tr", { role: "row", class: isBelow ? "below" : null });
    if (isBelow) {
      const cell = el("td", { role: "cell", colspan: columns.length });
      below.make(cell, item, keyOf(item));
      made.append(cell);
      return made;
    }
    columns.forEach((column, index) => {
      const attributes = { "data-label": column.name, class: column.kind ?? null };
      const cell = index === 0
        ? el("th", { ...attributes, scope: "row", role: "rowheader" })
        : el("td", { ...attributes, role: "cell" });
      column.make?.(cell, item, key);
      made.append(cell);
    });
    return made;
  };

  const renew = (made, [item, isBelow]) => {
    if (isBelow) {
      below.fill(made.firstChild, item);
      return;
    }
    columns.forEach((column, index) => {
      const cell = made.children[index];
      if (column.fill) column.fill(cell, item);
      else {
        const text = column.cell(item);
        setText(cell, text);
        setAttribute(cell, "data-none", text === "–" ? "" : null); // CSS leaves out unknown values of a card
      }
    });
    update(made, item);
  };

  const draw = () => {
    table.hidden = latest.length === 0;
    const items = (order === null ? latest : order.of(latest)).slice(0, most());
    const rows = items.flatMap((item) => (below?.of(item) ? [[item, false], [item, true]] : [[item, false]]));
    keyed(body, rows, ([item, isBelow]) => (isBelow ? `${keyOf(item)} below` : `${keyOf(item)}`), make, renew);
    sums?.fill(latest);
  };

  return (items) => {
    latest = items;
    draw();
  };
}

function head(column, order) {
  const made = el("th", { scope: "col", role: "columnheader", class: column.kind ?? null });
  if (order === null || !column.sort) {
    made.append(column.name);
    return made;
  }
  const control = el("button", { type: "button", class: "sort" }, column.name, el("span", { "aria-hidden": "true", class: "arrow" }));
  control.addEventListener("click", () => order.press(column));
  made.append(control);
  order.heads.set(column, made);
  return made;
}

function totals(columns) {
  const cells = columns.map(({ kind, name }, index) => el(
    index === 0 ? "th" : "td",
    { class: kind ?? null, "data-label": name, ...(index === 0 ? { scope: "row", role: "rowheader" } : { role: "cell" }) },
  ));
  return {
    part: el("tfoot", { role: "rowgroup" }, el("tr", { role: "row" }, ...cells)),
    fill: (items) => columns.forEach(({ total }, index) => setText(cells[index], total ? total(items) : "")),
  };
}

// Keeps the order of the rows. Until the user clicks a column, it is the natural order. A first click sorts by the
// column, a second click reverses this order, and a third click restores the natural order.
class Order {
  constructor(natural, keyOf, changed) {
    Object.assign(this, { natural, keyOf, changed });
    this.heads = new Map(); // the header cell of each column
    this.column = null;
    this.down = false;
    this.positions = new Map();
    this.sortedAt = 0;
  }

  press(column) {
    const first = Boolean(column.down);
    if (this.column !== column) [this.column, this.down] = [column, first];
    else if (this.down === first) this.down = !first;
    else this.column = null;
    this.sortedAt = 0;
    for (const [other, cell] of this.heads) {
      setAttribute(cell, "aria-sort", other !== this.column ? null : this.down ? "descending" : "ascending");
    }
    this.changed();
  }

  of(items) {
    if (this.column === null) {
      return items.map((item) => [this.natural(item), item]).sort(([one], [other]) => one - other).map(([, item]) => item);
    }
    const isKnown = items.every((item) => this.positions.has(this.keyOf(item)));
    if (!isKnown || performance.now() - this.sortedAt > KEPT_MS || this.sortedAt === 0) this.sort(items);
    return [...items].sort((one, other) => this.positions.get(this.keyOf(one)) - this.positions.get(this.keyOf(other)));
  }

  sort(items) {
    const { column, down } = this;
    const sorted = [...items].sort((one, other) => compared(column.sort(one), column.sort(other), down));
    this.positions = new Map(sorted.map((item, position) => [this.keyOf(item), position]));
    this.sortedAt = performance.now();
  }
}

// Compares two values for sorting. Unknown values come last in both directions.
function compared(one, other, down) {
  if (one === null || other === null) return (one === null) - (other === null);
  const ascending = typeof one === "string" ? one.localeCompare(other, "en", { numeric: true }) : one - other;
  return down ? -ascending : ascending;
}
