// JSON that is hashed: numbers keep their text, keys named twice are refused, and writing gives
// BigchainDB's canonical form, byte for byte that of Python's `canonical.encode`.

import { Refused } from './bytes.js'

const MOST_DEPTH = 900
const LONGEST_INTEGER = 4300 // digits, as Python has it

/** A number as it was written. */
export class Num {
  constructor(text) {
    this.text = text
    this.isInteger = !/[.eE]/.test(text)
  }

  get value() {
    return Number(this.text)
  }

  /** As Python writes it. */
  get canonical() {
    if (this.isInteger) return this.text === '-0' ? '0' : this.text
    return floatText(Number(this.text))
  }

  /** The whole number as a BigInt, or null. */
  get whole() {
    return this.isInteger ? BigInt(this.text) : null
  }
}

/** Return a float as Python's `repr` writes it: the shortest text that reads the same. */
export function floatText(value) {
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
  const [mantissa, power] = value.toExponential().split('e')
  const sign = mantissa[0] === '-' ? '-' : ''
  const digits = mantissa.replace('-', '').replace('.', '')
  const exponent = Number(power)
  if (exponent < -4 || exponent >= 16) {
    const rest = digits.length > 1 ? `.${digits.slice(1)}` : ''
    const size = String(Math.abs(exponent)).padStart(2, '0')
    return `${sign}${digits[0]}${rest}e${exponent < 0 ? '-' : '+'}${size}`
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`
}

export const isObject = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Num)

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const PLAIN = /[^"\\\u0000-\u001f]*/y
const BLANK = /[ \t\n\r]*/y
const ESCAPES = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }

class Parser {
  constructor(source) {
    this.source = source
    this.at = 0
  }

  fail(why) {
    throw new Refused('invalid_json', `${why} at character ${this.at + 1}`)
  }

  blank() {
    const code = this.source.charCodeAt(this.at)
    if (code === 32 || (code >= 9 && code <= 13)) {
      BLANK.lastIndex = this.at
      this.at += BLANK.exec(this.source)[0].length
    }
  }

  document() {
    this.blank()
    const value = this.value(0)
    this.blank()
    if (this.at < this.source.length) this.fail('something follows the document')
    return value
  }

  value(depth) {
    if (depth > MOST_DEPTH) this.fail('it is nested too deeply')
    switch (this.source[this.at]) {
      case '{':
        return this.object(depth)
      case '[':
        return this.array(depth)
      case '"':
        return this.string()
      case 't':
        return this.word('true', true)
      case 'f':
        return this.word('false', false)
      case 'n':
        return this.word('null', null)
      default:
        return this.number()
    }
  }

  word(text, value) {
    if (!this.source.startsWith(text, this.at)) this.fail('a value is missing')
    this.at += text.length
    return value
  }

  number() {
    NUMBER.lastIndex = this.at
    const found = NUMBER.exec(this.source)
    if (found === null) this.fail('a value is missing')
    const number = new Num(found[0])
    if (number.isInteger) {
      if (found[0].length - (found[0][0] === '-' ? 1 : 0) > LONGEST_INTEGER) {
        this.fail('a number is too long')
      }
    } else if (!Number.isFinite(number.value)) this.fail('a number is too large for a double')
    this.at += found[0].length
    return number
  }

  object(depth) {
    // Without a prototype: `__proto__` is a key like any other.
    const made = Object.create(null)
    this.at++
    this.blank()
    if (this.source[this.at] === '}') {
      this.at++
      return made
    }
    for (;;) {
      if (this.source[this.at] !== '"') this.fail('a key is missing')
      const key = this.string()
      if (key in made) this.fail('a key occurs twice in one object')
      this.blank()
      if (this.source[this.at] !== ':') this.fail('a colon is missing')
      this.at++
      this.blank()
      made[key] = this.value(depth + 1)
      this.blank()
      const next = this.source[this.at++]
      if (next === '}') return made
      if (next !== ',') this.fail('a comma is missing')
      this.blank()
    }
  }

  array(depth) {
    const made = []
    this.at++
    this.blank()
    if (this.source[this.at] === ']') {
      this.at++
      return made
    }
    for (;;) {
      made.push(this.value(depth + 1))
      this.blank()
      const next = this.source[this.at++]
      if (next === ']') return made
      if (next !== ',') this.fail('a comma is missing')
      this.blank()
    }
  }

  string() {
    let made = ''
    let escaped = false
    this.at++
    for (;;) {
      PLAIN.lastIndex = this.at
      const plain = PLAIN.exec(this.source)[0]
      made += plain
      this.at += plain.length
      const next = this.source[this.at++]
      if (next === '"') break
      if (next !== '\\') this.fail('a text does not end or has a control character')
      const letter = this.source[this.at++]
      if (letter === 'u') {
        const digits = this.source.substr(this.at, 4)
        if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.fail('an escape is malformed')
        made += String.fromCharCode(parseInt(digits, 16))
        this.at += 4
        escaped = true
      } else if (letter !== undefined && Object.hasOwn(ESCAPES, letter)) made += ESCAPES[letter]
      else this.fail('an escape is malformed')
    }
    // Only an escape can have put half of a surrogate pair there.
    if (escaped && hasHalves(made)) this.fail('a text contains half of a surrogate pair')
    return made
  }
}

function hasHalves(text) {
  return /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text)
}

/** Return the value of a JSON text; throws `Refused`. */
export function decode(source) {
  if (source.startsWith('\ufeff')) throw new Refused('invalid_json', 'it has a byte order mark')
  return new Parser(source).document()
}

const SPECIAL = /["\\\u0000-\u001f]/
const SHORT = { '"': '\\"', '\\': '\\\\', '\b': '\\b', '\f': '\\f' }
Object.assign(SHORT, { '\n': '\\n', '\r': '\\r', '\t': '\\t' })

function quoted(text) {
  if (!SPECIAL.test(text)) return `"${text}"`
  const made = text.replace(
    /["\\\u0000-\u001f]/g,
    (one) =>
      SHORT[one] ?? `\\u${one.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`
  )
  return `"${made}"`
}

/** Order texts by code point; JavaScript's own order is that of UTF-16. */
export function byCodePoint(one, other) {
  const least = Math.min(one.length, other.length)
  for (let at = 0; at < least; at++) {
    const a = one.charCodeAt(at)
    const b = other.charCodeAt(at)
    if (a !== b) {
      const isHigh = a >= 0xd800 && a <= 0xdfff
      if (isHigh !== (b >= 0xd800 && b <= 0xdfff)) return isHigh ? 1 : -1
      return a - b
    }
  }
  return one.length - other.length
}

/** Return the canonical text of a value. */
export function encode(value) {
  if (typeof value === 'string') return quoted(value)
  if (value === null || typeof value === 'boolean') return String(value)
  if (value instanceof Num) return value.canonical
  if (Array.isArray(value)) return `[${value.map(encode).join(',')}]`
  const members = []
  for (const key of Object.keys(value).sort(byCodePoint)) {
    members.push(`${quoted(key)}:${encode(value[key])}`)
  }
  return `{${members.join(',')}}`
}

/** Return a value as JavaScript's own, for showing: numbers lose what a double cannot hold. */
export function plain(value) {
  if (value instanceof Num) return value.value
  if (Array.isArray(value)) return value.map(plain)
  if (!isObject(value)) return value
  const made = Object.create(null)
  for (const key of Object.keys(value)) made[key] = plain(value[key])
  return made
}
