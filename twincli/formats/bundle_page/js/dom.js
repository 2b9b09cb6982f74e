// Elements. Text comes from strangers: it is only ever set as text, and what it hides is shown.

const SVG = 'http://www.w3.org/2000/svg'
const LONGEST = 20_000

/** Show what a text hides: controls, and marks that turn the direction of writing. */
export function visible(text) {
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text
  return shown.replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`
  )
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value)
    else if (value === true) made.setAttribute(name, '')
    else if (value !== false && value !== null) made.setAttribute(name, String(value))
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === '') continue
    made.append(child instanceof Node ? child : document.createTextNode(visible(String(child))))
  }
  return made
}

export const el = (name, attributes = {}, ...children) =>
  fill(document.createElement(name), attributes, children)

export const svg = (name, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, name), attributes, children)

/** A moment as a time element; in UTC, as the ledger has it. */
export function time(ms) {
  if (ms === null || ms === undefined || Math.abs(ms) > 8.64e15) return el('span', {}, 'unknown')
  const whole = new Date(ms).toISOString()
  return el('time', { datetime: whole, title: whole }, `${whole.slice(0, 10)} ${whole.slice(11, 16)}`)
}

/** The beginning of an id, with the whole one to read and to copy. */
export const short = (id) => el('code', { title: id }, id.length > 12 ? `${id.slice(0, 10)}...` : id)

export function facts(rows) {
  const shown = rows.filter(([, value]) => value !== null && value !== undefined && value !== '')
  return el('dl', {}, shown.map(([name, value]) => el('div', {}, el('dt', {}, name), el('dd', {}, value))))
}

export function table(headers, rows, none) {
  if (!rows.length) return el('p', { class: 'quiet' }, none)
  const labelled = (cells) =>
    el('tr', {}, cells.map((cell, at) => el('td', { 'data-label': headers[at] }, cell)))
  return el(
    'table',
    {},
    el('thead', {}, el('tr', {}, headers.map((name) => el('th', { scope: 'col' }, name)))),
    el('tbody', {}, rows.map(labelled))
  )
}

/** A list that grows when asked to, so that a long life opens quickly. */
export function growing(items, draw, step, holder) {
  let shown = 0
  const more = el('button', { type: 'button', onclick: () => grow() })
  const grow = () => {
    const first = shown
    for (const item of items.slice(shown, shown + step)) holder.append(draw(item))
    shown = Math.min(items.length, shown + step)
    more.hidden = shown >= items.length
    more.textContent = `Show ${Math.min(step, items.length - shown)} more of ${items.length}`
    if (first > 0) holder.children[first]?.focus()
  }
  grow()
  return [holder, more]
}
