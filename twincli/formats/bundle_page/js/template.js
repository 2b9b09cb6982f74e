// The templates that twins are held to: their fields, and whether values fit them, as in
// `twincli/model/template.py` and `twincli/model/fields.py`. Of a stranger's template all that
// decides about values is checked here; its states, schedules and view are not.

import { Refused, utf8 } from './bytes.js'
import * as cids from './cid.js'
import { Num, decode, encode, isObject } from './json.js'
import { envelopeOf, parseTime, text, withoutEnvelope } from './record.js'

const TYPES = 'number integer text boolean coordinates datetime duration enum object list'.split(' ')
const NUMERIC = new Set(['number', 'integer', 'duration'])
const ACCESS = ['public', 'legitimate_interest', 'authorities']
const RESERVED = new Set(['twin', 'language'])
const RESERVED_LEAVES = new Set('timestamp stream source quality unit seq'.split(' '))
const RESERVED_STREAMS = new Set(
  'events states stages maintenance certifications files links grants facts state history'.split(' ')
)
const MEMBERS = new Set(
  'id name assetType category description origin identifiers facts trackingFields additionalFields eventTypes linkVerbs states stages schedules trustedIssuers view workflows'.split(
    ' '
  )
)
const FIELD_MEMBERS = new Set(
  'name type unit ownUnit description label required realTime source min max quality values fields items additionalFields access'.split(
    ' '
  )
)
const UNIDENTIFYING = new Set('number boolean coordinates duration object list'.split(' '))
const MOST_FIELDS = 1000
const MOST_DEPTH = 8
const LONGEST_TEXT = 2000
const LONGEST_NAME = 64
const MOST_ITEMS = 1000

// What Python takes for blanks.
const BLANK = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'
const IS_BLANK = new RegExp(`^[${BLANK}]*$`)
const NAME = /^\p{L}[\p{L}\p{N}_-]*$/u
const ID = /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?-v[1-9][0-9]*$/

const odd = (what) => new Refused('invalid_template', `the template is invalid: ${what}`)
const isNumber = (value) => value instanceof Num
const exact = (number) => number.whole ?? number.value

// --- Reading ------------------------------------------------------------------------------------

/**
 * Return the template in compiled bytes: {id, document, facts, fields, additional, units}, fields
 * by name. Throws `Refused`.
 */
function ofCompiled(source) {
  const value = decode(source)
  const format = isObject(value) ? value.format : null
  if (format !== true && !(isNumber(format) && format.value === 1)) {
    throw odd('another version of twincli compiled it')
  }
  return { ...read(value.template), units: unitsOf(value.units) }
}

function unitsOf(value) {
  if (!isObject(value)) throw odd('its units are malformed')
  const made = new Map()
  for (const into of Object.keys(value)) {
    if (!isObject(value[into])) throw odd('its units are malformed')
    const worth = new Map()
    for (const unit of Object.keys(value[into])) {
      const listed = value[into][unit]
      const parts = Array.isArray(listed) ? listed.map((one) => (isNumber(one) ? one.whole : null)) : []
      if (parts.length !== 4 || parts.includes(null) || parts[1] <= 0n || parts[3] <= 0n) {
        throw odd('its units are malformed')
      }
      worth.set(unit, parts)
    }
    made.set(into, worth)
  }
  return made
}

function read(document) {
  object(document, MEMBERS)
  if (typeof document.id !== 'string' || document.id.length < 4 || document.id.length > 64 || !ID.test(document.id)) {
    throw odd('its id')
  }
  for (const name of ['name', 'assetType']) words(document[name])
  for (const name of ['category', 'description', 'origin']) if (name in document) words(document[name])
  const counter = { count: 0 }
  const facts = fieldsOf('facts' in document ? document.facts : [], 1, counter)
  const fields = fieldsOf('trackingFields' in document ? document.trackingFields : [], 1, counter)
  for (const name of facts.keys()) if (fields.has(name)) throw odd(`${name} is a fact and a field`)
  identifiers(document.identifiers, facts, fields)
  if ('additionalFields' in document) truth(document.additionalFields)
  return { id: document.id, document, facts, fields, additional: document.additionalFields === true }
}

function object(value, known) {
  if (!isObject(value)) throw odd('something is not an object')
  for (const name of Object.keys(value)) if (!known.has(name)) throw odd(`the member ${name}`)
}

function list(value) {
  if (!Array.isArray(value) || value.length > MOST_ITEMS) throw odd('something is not a list, or too long')
}

function words(value) {
  if (typeof value !== 'string' || IS_BLANK.test(value) || [...value].length > LONGEST_TEXT) {
    throw odd('something is not a text, or too long')
  }
}

function checkName(value) {
  words(value)
  if ([...value].length > LONGEST_NAME || !NAME.test(value) || RESERVED.has(value)) {
    throw odd(`${value} cannot be a name`)
  }
}

function truth(value) {
  if (typeof value !== 'boolean') throw odd('something is neither true nor false')
}

function identifiers(found, facts, fields) {
  object(found, new Set(['primary', 'secondary']))
  const secondary = 'secondary' in found ? found.secondary : []
  list(secondary)
  const named = [found.primary, ...secondary]
  named.forEach(checkName)
  if (new Set(named).size < named.length) throw odd('an identifier is named twice')
  for (const name of named) {
    if (fields.has(name) || UNIDENTIFYING.has(facts.get(name)?.type)) throw odd(`the identifier ${name}`)
  }
}

function fieldsOf(items, depth, counter) {
  list(items)
  const made = new Map()
  for (const item of items) {
    object(item, FIELD_MEMBERS)
    checkName(item.name)
    if (made.has(item.name)) throw odd(`the field ${item.name} is declared twice`)
    made.set(item.name, fieldOf(item, depth, counter))
  }
  return made
}

function fieldOf(item, depth, counter) {
  if (++counter.count > MOST_FIELDS) throw odd('it has too many fields')
  const { type } = item
  if (!TYPES.includes(type)) throw odd('a type of a field')
  for (const name of ['required', 'realTime', 'additionalFields', 'ownUnit']) if (name in item) truth(item[name])
  for (const name of ['description', 'label', 'source', 'unit']) if (name in item) words(item[name])
  if ('access' in item && !ACCESS.includes(item.access)) throw odd('an access of a field')
  if (item.realTime === true) checkStream(item, depth)
  if (!NUMERIC.has(type) && ['unit', 'min', 'max', 'quality'].some((name) => name in item)) {
    throw odd(`a unit or range of type ${type}`)
  }
  if (item.ownUnit === true && !('unit' in item)) throw odd('a unit is missing')
  bounds(item)
  if ('quality' in item) {
    object(item.quality, new Set(['min', 'max']))
    bounds(item.quality)
    const { min, max } = item.quality
    // eslint-disable-next-line eqeqeq -- a BigInt and a number may be equal
    if (isNumber(min) && isNumber(max) && exact(min) == exact(max)) throw odd('no value is good')
  }
  return { ...partsOf(item, depth, counter), type, unit: item.unit ?? null, required: item.required === true }
}

function checkStream(item, depth) {
  if (depth > 1 || RESERVED_STREAMS.has(item.name) || RESERVED_LEAVES.has(item.name)) throw odd('a stream')
  for (const part of Array.isArray(item.fields) ? item.fields : []) {
    if (isObject(part) && RESERVED_LEAVES.has(part.name)) throw odd('a part of a stream')
  }
}

function bounds(item) {
  for (const name of ['min', 'max']) {
    if (!(name in item)) continue
    const number = item[name]
    if (!isNumber(number)) throw odd('a bound')
    if (number.isInteger && BigInt.asIntN(64, number.whole) !== number.whole) throw odd('a bound')
  }
  if ('min' in item && 'max' in item && exact(item.min) > exact(item.max)) throw odd('a range')
}

function partsOf(item, depth, counter) {
  const { type } = item
  for (const [name, owner] of [['values', 'enum'], ['fields', 'object'], ['items', 'list']]) {
    if (name in item && type !== owner) throw odd(`${name} of type ${type}`)
  }
  if (type === 'enum') {
    list(item.values)
    item.values.forEach(words)
    if (!item.values.length || new Set(item.values).size < item.values.length) throw odd('values of an enum')
  }
  if (depth >= MOST_DEPTH && ('fields' in item || 'items' in item)) throw odd('it nests too deeply')
  if ('items' in item) object(item.items, FIELD_MEMBERS)
  return {
    low: 'min' in item ? exact(item.min) : null,
    high: 'max' in item ? exact(item.max) : null,
    values: new Set(item.values ?? []),
    fields: 'fields' in item ? fieldsOf(item.fields, depth + 1, counter) : null,
    items: 'items' in item ? fieldOf(item.items, depth + 1, counter) : null,
    additional: item.additionalFields === true,
  }
}

// --- Finding ------------------------------------------------------------------------------------

/** The templates that a bundle's twins may pin: those of twincli, and those registered in it. */
export class Catalogue {
  /** shipped: the compiled texts of the templates in the package. */
  constructor(book, shipped) {
    this.sources = [...shipped]
    for (const entry of book.entries.values()) {
      if (entry.isCreate && entry.kind === 'template') this.sources.push(entry)
    }
    this.byCid = null
    this.found = new Map()
  }

  /** Return what a pin names, null where it is not at hand or cannot be read. */
  async of(pin) {
    const name = `${pin.template} ${pin.cid}`
    if (!this.found.has(name)) {
      let made = null
      try {
        const source = (await this.index()).get(pin.cid)
        if (source !== undefined) made = ofCompiled(source)
      } catch (error) {
        if (!(error instanceof Refused)) throw error
      }
      this.found.set(name, made?.id === pin.template ? made : null)
    }
    return this.found.get(name)
  }

  async index() {
    if (this.byCid === null) {
      this.byCid = new Map()
      for (const one of this.sources) {
        const source = typeof one === 'string' ? one : encode(withoutEnvelope(one.data))
        this.byCid.set(await cids.of(utf8(source)), source)
      }
    }
    return this.byCid
  }
}

// --- Values -------------------------------------------------------------------------------------

/** Return what a transaction wrote that a template does not have, as `Refused`, or null. */
export function faultOf(model, entry, written) {
  const { envelope, isCreate } = entry
  const isEnd = !isCreate && envelopeOf(entry.metadata)?.kind === 'burn'
  if (isEnd && Object.keys(written).join() === 'status' && written.status === 'BURNED') return null
  const suspect = new Set(Array.isArray(envelope?.suspect) ? envelope.suspect : [])
  const checker = new Checker(model.units)
  try {
    checker.members(model.fields, written, '', model.additional)
    if (isCreate) checker.members(model.facts, withoutEnvelope(entry.data), '', true)
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return error
  }
  const outside = checker.outside.find((path) => !suspect.has(path))
  return outside === undefined ? null : new Refused('out_of_range', `${outside} is outside its range`)
}

const QUANTITY = new RegExp(
  `^([+-]?[0-9]+(?:\\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?)[${BLANK}]*((?![eE][+-]?[0-9])[^${BLANK}0-9][^\\n]*)$`
)
const ENDS = new RegExp(`^[${BLANK}]+|[${BLANK}]+$`, 'g')
const ALIASES = new Map([['lat', 'latitude'], ['lng', 'longitude'], ['lon', 'longitude'], ['alt', 'altitude']])

const wrong = (path, right) => new Refused('invalid_value', `${path} is not ${right}`)

class Checker {
  constructor(units) {
    this.units = units
    this.outside = []
  }

  members(fields, values, above, isFree) {
    for (const name of Object.keys(values)) {
      const field = fields.get(name)
      if (field !== undefined) {
        if (values[name] !== null) this.value(field, above + name, values[name])
      } else if (!isFree) throw new Refused('unknown_field', `the template has no field ${above}${name}`)
    }
  }

  value(field, path, value) {
    switch (field.type) {
      case 'text':
        if (typeof value !== 'string') throw wrong(path, 'a text')
        return
      case 'boolean':
        if (typeof value !== 'boolean') throw wrong(path, 'true or false')
        return
      case 'enum':
        if (!field.values.has(value)) throw wrong(path, 'one of the values that it may have')
        return
      case 'datetime':
        if (!isDatetime(value)) throw wrong(path, 'a date or a time')
        return
      case 'coordinates':
        coordinates(path, value)
        return
      case 'object':
        this.object(field, path, value)
        return
      case 'list':
        if (!Array.isArray(value)) throw wrong(path, 'a list')
        if (field.items !== null) value.forEach((item, at) => this.value(field.items, `${path}[${at}]`, item))
        return
      default:
        this.number(field, path, value)
    }
  }

  object(field, path, value) {
    if (!isObject(value)) throw wrong(path, 'an object')
    if (field.fields === null) return
    for (const [name, part] of field.fields) {
      if (part.required && (value[name] ?? null) === null) {
        throw new Refused('invalid_value', `${path}.${name} is missing`)
      }
    }
    this.members(field.fields, value, `${path}.`, field.additional)
  }

  number(field, path, value) {
    const number = isNumber(value) ? exact(value) : this.converted(field, path, value)
    const isWhole = typeof number === 'bigint' || (!isNumber(value) && Number.isInteger(number))
    if (number === null || (field.type === 'integer' && !isWhole)) {
      throw wrong(path, field.type === 'integer' ? 'a whole number' : 'a number')
    }
    const isOut = (field.low !== null && number < field.low) || (field.high !== null && number > field.high)
    if (isOut) this.outside.push(path)
  }

  /** Return the number of `7500 km` or `{"value": 7500, "unit": "km"}` in the field's unit. */
  converted(field, path, value) {
    let found = null
    if (typeof value === 'string') found = quantity(value)
    else if (isObject(value) && Object.keys(value).sort().join() === 'unit,value') {
      if (isNumber(value.value) && text(value.unit) !== null) found = [value.value.canonical, value.unit]
    }
    if (found === null) return null
    const [number, unit] = found
    const misfit = () => new Refused('unit_mismatch', `${path} cannot be in ${unit}`)
    if (field.unit === null) throw misfit()
    if (unit === field.unit && /^-?[0-9]+$/.test(number)) return BigInt(number)
    const factors = this.units.get(field.unit)?.get(unit)
    if (unit !== field.unit && factors === undefined) throw misfit()
    const made = convert(number, unit === field.unit ? [1n, 1n, 0n, 1n] : factors)
    if (!Number.isFinite(made)) throw wrong(path, 'a number that a double can hold')
    return made
  }
}

/** Return the number and the unit of a text, or null. */
export function quantity(value) {
  const found = QUANTITY.exec(value)
  if (found === null || [...value].length > 100 || found[1].length > 40) return null
  return [found[1].replace(/^\+/, ''), found[2].replace(ENDS, '')]
}

function convert(number, [over, under, shift, parts]) {
  const [mantissa, exponent] = number.toLowerCase().split('e')
  const [whole, part = ''] = mantissa.split('.')
  const power = Number(exponent ?? 0) - part.length
  let top = BigInt(whole + part)
  let bottom = 1n
  if (power > 0) top *= 10n ** BigInt(power)
  else bottom = 10n ** BigInt(-power)
  return divided(top * over * parts + shift * under * bottom, bottom * under * parts)
}

const bitsOf = (number) => number.toString(16).length * 4

/** Divide whole numbers and round once, half to even, to the nearest double. */
export function divided(top, bottom) {
  const size = top < 0n ? -top : top
  // At least 64 bits of the quotient, and one that stands for all that follow: a double has 53.
  let shift = Math.max(0, 68 + bitsOf(bottom) - bitsOf(size))
  // The smallest doubles have fewer; what is behind them must not be rounded twice.
  shift = Math.min(shift, 1075)
  const moved = size << BigInt(shift)
  const quotient = moved / bottom
  const rounded = Number(quotient * bottom === moved ? 2n * quotient : 2n * quotient + 1n)
  const half = Math.floor((shift + 1) / 2)
  const made = rounded / 2 ** half / 2 ** (shift + 1 - half)
  return top < 0n ? -made : made
}

function isDatetime(value) {
  if (typeof value !== 'string') return false
  const isDay = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(value)
  return parseTime(isDay ? `${value}T00:00:00Z` : value) !== null
}

function onEarth(path, latitude, longitude) {
  for (const [name, found, most] of [['latitude', latitude, 90], ['longitude', longitude, 180]]) {
    if (!(found >= -most && found <= most)) throw wrong(`${path}.${name}`, `between -${most} and ${most} degrees`)
  }
}

function coordinates(path, value) {
  if (Array.isArray(value)) {
    if (value.length < 2 || value.length > 3 || !value.every(isNumber)) {
      throw wrong(path, '[latitude, longitude]')
    }
    onEarth(path, exact(value[0]), exact(value[1]))
    return
  }
  if (!isObject(value)) throw wrong(path, 'an object with latitude and longitude')
  const made = new Map()
  for (const name of Object.keys(value)) made.set(ALIASES.get(name) ?? name, value[name])
  if (made.size < Object.keys(value).length) throw wrong(path, 'one latitude and one longitude')
  for (const name of ['latitude', 'longitude', 'altitude', 'accuracy']) {
    const isNeeded = name === 'latitude' || name === 'longitude'
    if (made.has(name) ? !isNumber(made.get(name)) : isNeeded) throw wrong(`${path}.${name}`, 'a number')
  }
  onEarth(path, exact(made.get('latitude')), exact(made.get('longitude')))
  if (made.has('accuracy') && exact(made.get('accuracy')) < 0) throw wrong(`${path}.accuracy`, 'at least 0')
}
