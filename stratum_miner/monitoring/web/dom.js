// Elements made and kept up to date. Text only ever becomes text: nothing here parses HTML.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

// el("td", {class: "number"}, "text", node): strings become text nodes, null and undefined nothing.
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Only what differs is touched: a page that is written anew each second would cost layout, selection and focus.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// One child of `parent` for each item, in their order, the same child for the same key. Focus stays where it is.
export function keyed(parent, items, keyOf, make, update) {
  const known = parent.keyedChildren ?? (parent.keyedChildren = new Map());
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const wanted = new Map();
  for (const item of items) {
    let key = keyOf(item);
    while (wanted.has(key)) key += "'";
    wanted.set(key, item);
  }
  for (const [key, child] of known) {
    if (!wanted.has(key)) {
      child.remove();
      known.delete(key);
    }
  }
  let place = null;
  for (const [key, item] of wanted) {
    let child = known.get(key);
    if (child === undefined) {
      child = make(item, key);
      known.set(key, child);
    }
    update(child, item);
    const next = place === null ? parent.firstChild : place.nextSibling;
    if (next !== child) parent.insertBefore(child, next);
    place = child;
  }
  if (focused !== null && focused.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

// A list of terms: [[name, text, {title?, kind?, note?}], ...]; a term whose text is null is left out.
export function facts(list, pairs) {
  keyed(
    list,
    pairs.filter(([, text]) => text !== null && text !== undefined),
    ([name]) => name,
    ([name]) => el("div", {}, el("dt", {}, name), el("dd"), el("dd", { class: "note" })),
    (child, [, text, extra = {}]) => {
      const [, told, note] = child.children;
      note.hidden = !extra.note;
      setText(note, extra.note ?? "");
      setText(told, text);
      setAttribute(told, "title", extra.title ?? null);
      setAttribute(told, "class", extra.kind ?? null);
    },
  );
}

// A table of `columns` [{name, kind?, cell(item) -> string | Node, make?}]: on a phone each row becomes a card, whose
// cells are told by `data-label`; the roles keep it a table to screen readers then.
// `below`, of {of(item) -> whether, make(cell, item), fill(cell, item)}, is a row of its own under an item's.
export function tabled(table, columns, keyOf, { update = () => {}, below = null } = {}) {
  table.setAttribute("role", "table");
  const head = el("thead", { role: "rowgroup" });
  const row = el("tr", { role: "row" });
  for (const column of columns) {
    row.append(el("th", { scope: "col", role: "columnheader", class: column.kind ?? null }, column.name));
  }
  head.append(row);
  const body = el("tbody", { role: "rowgroup" });
  table.append(head, body);

  const make = ([item, isBelow], key) => {
    const made = el("tr", { role: "row", class: isBelow ? "below" : null });
    if (isBelow) {
      const cell = el("td", { role: "cell", colspan: columns.length });
      below.make(cell, item);
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
        setAttribute(cell, "data-none", text === "–" ? "" : null); // a card has no room for what nobody knows
      }
    });
    update(made, item);
  };

  return (items) => {
    table.hidden = items.length === 0;
    const rows = items.flatMap((item) => (below?.of(item) ? [[item, false], [item, true]] : [[item, false]]));
    keyed(body, rows, ([item, isBelow]) => (isBelow ? `${keyOf(item)} below` : keyOf(item)), make, renew);
  };
}

// A button that is not pressed twice while the first press is still being answered.
export function button(label, action, attributes = {}) {
  const made = el("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", () => once(made, action));
  return made;
}

export async function once(control, action) {
  if (control.getAttribute("aria-disabled") === "true" || control.getAttribute("aria-busy") === "true") return;
  control.setAttribute("aria-busy", "true");
  try {
    await action();
  } finally {
    control.removeAttribute("aria-busy");
  }
}
