// Creates elements and keeps them up to date. Text is always inserted as text: nothing here parses HTML.

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

// Changes a node only if its text differs. Rewriting the page every second would cost layout time and lose the selection
// and the focus.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// Gives `parent` one child for each item, in the order of the items. An item with the same key keeps its child. The focus
// does not move.
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
  let previous = null;
  for (const [key, item] of wanted) {
    let child = known.get(key);
    if (child === undefined) {
      child = make(item, key);
      known.set(key, child);
    }
    update(child, item);
    const next = previous === null ? parent.firstChild : previous.nextSibling;
    if (next !== child) parent.insertBefore(child, next);
    previous = child;
  }
  if (focused !== null && focused.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

// Fills a list of terms from [[name, text, {kind?, note?, only?}], ...]. A term whose text is null is left out. `kind` is
// a class of the text, and `only` is a class of the whole term.
export function facts(list, pairs) {
  keyed(
    list,
    pairs.filter(([, text]) => text !== null && text !== undefined),
    ([name]) => name,
    ([name]) => el("div", {}, el("dt", {}, name), el("dd"), el("dd", { class: "note" })),
    (child, [, text, extra = {}]) => {
      const [, value, note] = child.children;
      note.hidden = !extra.note;
      setText(note, extra.note ?? "");
      setText(value, text);
      setAttribute(value, "class", extra.kind ?? null);
      setAttribute(child, "class", extra.only ?? null);
    },
  );
}

// Returns a button that ignores clicks while the action of the last click is still running.
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
