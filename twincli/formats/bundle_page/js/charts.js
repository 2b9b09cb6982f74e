// Drawings: lines over time, and a track on a map without a map, for there is no network.

import { el, svg } from './dom.js'

const WIDTH = 640
const HEIGHT = 180
const LEFT = 56
const BOTTOM = 22
const MOST_POINTS = 600

const rounded = (value) => {
  const size = Math.abs(value)
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) return value.toExponential(2)
  return String(Math.round(value * 1000) / 1000)
}
const day = (ms) => new Date(ms).toISOString().slice(0, 16).replace('T', ' ')

/** Keep of many points the smallest and the largest of each stretch. */
export function thinned(points, most = MOST_POINTS) {
  if (points.length <= most) return points
  const size = Math.ceil((2 * points.length) / most)
  const made = []
  for (let at = 0; at < points.length; at += size) {
    const part = points.slice(at, at + size)
    let [low, high] = [part[0], part[0]]
    for (const point of part) {
      if (point[1] < low[1]) low = point
      if (point[1] > high[1]) high = point
    }
    made.push(...(low === high ? [low] : low[0] <= high[0] ? [low, high] : [high, low]))
  }
  return made
}

/** Draw numbers over time: [[ms, value]], in order. */
export function chart(title, unit, points) {
  const numbers = points.filter(([ms, value]) => Number.isFinite(ms) && Number.isFinite(value))
  if (numbers.length < 2) return null
  const [first, last] = [numbers[0][0], numbers[numbers.length - 1][0]]
  let [low, high] = [Infinity, -Infinity]
  for (const [, value] of numbers) {
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  const span = high - low || Math.abs(high) || 1
  const x = (ms) => LEFT + ((ms - first) / (last - first || 1)) * (WIDTH - LEFT - 8)
  const y = (value) => 8 + (1 - (value - low) / span) * (HEIGHT - BOTTOM - 16)
  const line = thinned(numbers)
    .map(([ms, value]) => `${x(ms).toFixed(1)},${y(value).toFixed(1)}`)
    .join(' ')
  const label = (at, text, anchor, left) => svg('text', { x: left, y: at, 'text-anchor': anchor }, text)
  const drawing = svg(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': `${title}: ${numbers.length} readings from ${rounded(low)} to ${rounded(high)} ${unit}` },
    svg('line', { x1: LEFT, x2: WIDTH - 8, y1: y(low), y2: y(low) }),
    svg('line', { x1: LEFT, x2: WIDTH - 8, y1: y(low + span), y2: y(low + span) }),
    label(y(low) + 4, rounded(low), 'end', LEFT - 6),
    high > low ? label(y(high) + 4, rounded(high), 'end', LEFT - 6) : null,
    label(HEIGHT - 4, day(first), 'start', LEFT),
    label(HEIGHT - 4, day(last), 'end', WIDTH - 8),
    svg('polyline', { points: line })
  )
  const latest = numbers[numbers.length - 1]
  const of = unit ? ` ${unit}` : ''
  const told = `${numbers.length} readings; ${rounded(low)} to ${rounded(high)}${of}; last ${rounded(latest[1])}${of}`
  return el('figure', {}, el('figcaption', {}, el('b', {}, title), ` ${told}`), drawing)
}

/** Draw a track: [[ms, latitude, longitude]], in order. */
export function track(title, points) {
  const valid = points.filter(
    ([, latitude, longitude]) => Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180
  )
  if (!valid.length) return null
  const step = Math.max(1, Math.ceil(valid.length / 2000))
  const kept = valid.filter((_, at) => at % step === 0 || at === valid.length - 1)
  const middle = kept.reduce((sum, [, latitude]) => sum + latitude, 0) / kept.length
  const squeeze = Math.max(0.01, Math.cos((middle * Math.PI) / 180))
  const places = kept.map(([, latitude, longitude]) => [longitude * squeeze, -latitude])
  const bounds = (axis) => {
    const values = places.map((place) => place[axis])
    return [Math.min(...values), Math.max(...values)]
  }
  const [[west, east], [north, south]] = [bounds(0), bounds(1)]
  const size = Math.max(east - west, (south - north) * 2, 1e-4)
  const height = WIDTH / 2
  const scale = (WIDTH - 40) / size
  const x = (value) => (WIDTH - (east - west) * scale) / 2 + (value - west) * scale
  const y = (value) => (height - (south - north) * scale) / 2 + (value - north) * scale
  const line = places.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).join(' ')
  const [begin, end] = [places[0], places[places.length - 1]]
  const metres = (size * 111_320) / (WIDTH - 40)
  const bar = niceBelow(metres * 160)
  const drawing = svg(
    'svg',
    { viewBox: `0 0 ${WIDTH} ${height}`, role: 'img', 'aria-label': `${title}: a track of ${valid.length} positions`, class: 'track' },
    svg('polyline', { points: line, class: 'path' }),
    svg('circle', { cx: x(begin[0]), cy: y(begin[1]), r: 5, class: 'open' }, svg('title', {}, 'start')),
    svg('circle', { cx: x(end[0]), cy: y(end[1]), r: 6 }, svg('title', {}, 'last position')),
    svg('line', { x1: 12, x2: 12 + bar / metres, y1: height - 12, y2: height - 12, class: 'bar' }),
    svg('text', { x: 12, y: height - 18 }, bar >= 1000 ? `${bar / 1000} km` : `${bar} m`)
  )
  const [ms, latitude, longitude] = valid[valid.length - 1]
  const told = `${valid.length} positions, north is up; last ${latitude.toFixed(5)}, ${longitude.toFixed(5)} at ${day(ms)}`
  return el('figure', {}, el('figcaption', {}, el('b', {}, title), ` ${told}`), drawing)
}

function niceBelow(value) {
  const power = 10 ** Math.floor(Math.log10(value))
  for (const factor of [5, 2]) if (factor * power <= value) return factor * power
  return power
}
