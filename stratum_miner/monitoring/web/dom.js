// Creates elements and keeps them up to date. No function here parses HTML: text is always inserted as text.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

// Creates an element, as in el("td", {class: "number"}, "text", node). A string becomes a text node. Children that are
// null or undefined are left out.
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

// Sets the text of a node, but only if it differs. If the page were written again every second, the browser would
// compute the layout each time, and the user would lose the selection and the focus.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// Gives `parent` one child for each item, in the order of the items. An item with the same key keeps its child. The
// focus does not move.
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

// Fills a list of terms from [[name, text, {kind?, note?, only?}], ...]. A term whose text is null is left out. `kind`
// is the CSS class of the text, `only` is the CSS class of the whole term, and `note` is a small text below.
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
