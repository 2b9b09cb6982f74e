// Crypto-conditions: what an output asks for, and what an input shows.
//
// Two types, ed25519-sha-256 and threshold-sha-256; a fulfillment is DER in base64url and must be
// the one encoding of what it says. Source: draft-thomas-crypto-conditions-02.

import { Refused, compare, fromBase64Url, join, keyBytes, toBase58, toBase64Url } from './bytes.js'
import { sha256 } from './digests.js'
import { verify } from './ed25519.js'
import { Num, isObject } from './json.js'

const TYPES = [
  'preimage-sha-256',
  'prefix-sha-256',
  'threshold-sha-256',
  'rsa-sha-256',
  'ed25519-sha-256',
]
const PREFIX = 1
const THRESHOLD = 2
const ED25519 = 4
const MOST_DEPTH = 100
const MOST_NUMBER = 2 ** 32 - 1

const malformed = (why) => new Refused('invalid_signature', `the fulfillment cannot be read: ${why}`)

// --- DER ----------------------------------------------------------------------------------------

function unsigned(value) {
  const made = []
  let rest = value
  do {
    made.unshift(rest % 256)
    rest = Math.floor(rest / 256)
  } while (rest)
  return made[0] > 127 ? [0, ...made] : made
}

function tlv(tag, content) {
  const size = content.length
  if (size < 128) return join([[tag, size], content])
  const length = []
  for (let rest = size; rest; rest = Math.floor(rest / 256)) length.unshift(rest % 256)
  return join([[tag, 128 | length.length, ...length], content])
}

const setOf = (parts) => join([...parts].sort(compare))

class Reader {
  constructor(data) {
    this.data = data
    this.at = 0
  }

  get more() {
    return this.at < this.data.length
  }

  item() {
    const { data } = this
    if (this.at + 2 > data.length) throw malformed('it ends too early')
    const tag = data[this.at++]
    let size = data[this.at++]
    if (size > 127) {
      const count = size & 127
      if (count === 0 || count > 4 || this.at + count > data.length) {
        throw malformed('a length is wrong')
      }
      size = 0
      for (let step = 0; step < count; step++) size = size * 256 + data[this.at++]
    }
    if (this.at + size > data.length) throw malformed('a length runs past the end')
    const content = data.subarray(this.at, this.at + size)
    this.at += size
    return [tag, content]
  }

  field(wanted) {
    const [tag, content] = this.item()
    if (tag !== wanted) throw malformed(`found tag ${tag}, expected ${wanted}`)
    return content
  }

  finish() {
    if (this.more) throw malformed('it contains more than it should')
  }
}

// --- Conditions ---------------------------------------------------------------------------------

class Condition {
  constructor(type, fingerprint, cost, subtypes = new Set()) {
    this.type = type
    this.fingerprint = fingerprint
    this.cost = cost
    this.subtypes = subtypes
  }

  get uri() {
    let made = `ni:///sha-256;${toBase64Url(this.fingerprint)}?fpt=${TYPES[this.type]}`
    made += `&cost=${this.cost}`
    if (this.type === PREFIX || this.type === THRESHOLD) {
      const names = [...this.subtypes].map((number) => TYPES[number]).sort()
      made += `&subtypes=${names.join(',')}`
    }
    return made
  }

  encode() {
    const parts = [tlv(0x80, this.fingerprint), tlv(0x81, unsigned(this.cost))]
    if (this.type === PREFIX || this.type === THRESHOLD) {
      const last = Math.max(-1, ...this.subtypes)
      let bits = 0
      for (const number of this.subtypes) bits |= 1 << (7 - number)
      parts.push(tlv(0x82, last >= 0 ? [7 - last, bits] : [0]))
    }
    return tlv(0xa0 | this.type, join(parts))
  }
}

const keyConditions = new Map()

function keyCondition(key) {
  let found = keyConditions.get(key)
  if (found === undefined) {
    const raw = keyBytes(key)
    if (raw === null) throw new Refused('invalid_public_key', 'a public key is malformed')
    found = new Condition(ED25519, sha256(join([[0x30, 0x22, 0x80, 0x20], raw])), 131072)
    found = { condition: found, uri: found.uri }
    if (keyConditions.size < 100_000) keyConditions.set(key, found)
  }
  return found
}

/** Return the URI of the condition that one key must sign. */
export const keyUri = (key) => keyCondition(key).uri

function thresholdCondition(threshold, parts) {
  const content = join([
    tlv(0x80, unsigned(threshold)),
    tlv(0xa1, setOf(parts.map((part) => part.encode()))),
  ])
  const dearest = parts.map((part) => part.cost).sort((one, other) => other - one)
  const subtypes = new Set()
  for (const part of parts) {
    subtypes.add(part.type)
    for (const type of part.subtypes) subtypes.add(type)
  }
  subtypes.delete(THRESHOLD)
  const cost = dearest.slice(0, threshold).reduce((sum, one) => sum + one, 1024 * parts.length)
  return new Condition(THRESHOLD, sha256(tlv(0x30, content)), cost, subtypes)
}

/** Return the condition that details, already checked by `checkDetails`, describe. */
export function fromDetails(details) {
  if (details.type === 'ed25519-sha-256') return keyCondition(details.public_key).condition
  return thresholdCondition(details.threshold.value, details.subconditions.map(fromDetails))
}

/** Return what is wrong with condition details, or null. */
export function faultOfDetails(details, depth = 0) {
  if (depth >= MOST_DEPTH) return 'is nested too deeply'
  const names = isObject(details) ? Object.keys(details).sort().join() : ''
  if (names === 'public_key,type' && details.type === 'ed25519-sha-256') {
    const known = typeof details.public_key === 'string' && keyBytes(details.public_key) !== null
    return known ? null : 'has a key that is not one'
  }
  if (names === 'subconditions,threshold,type' && details.type === 'threshold-sha-256') {
    const { threshold, subconditions } = details
    const isCount = threshold instanceof Num && threshold.isInteger
    if (!isCount || threshold.value < 1 || threshold.value > 100) return 'has a wrong threshold'
    if (!Array.isArray(subconditions)) return 'has no list of parts'
    for (const part of subconditions) {
      const fault = faultOfDetails(part, depth + 1)
      if (fault !== null) return fault
    }
    return null
  }
  return 'is neither an ed25519-sha-256 nor a threshold-sha-256 condition'
}

/** Return the public keys in details, in their order. */
export function leafKeys(details) {
  if (details.type === 'ed25519-sha-256') return [details.public_key]
  return details.subconditions.flatMap(leafKeys)
}

/** Say whether signatures of `keys`, a Set, would fulfil details. */
export function canFulfil(details, keys) {
  if (details.type === 'ed25519-sha-256') return keys.has(details.public_key)
  const able = details.subconditions.filter((part) => canFulfil(part, keys)).length
  return able >= details.threshold.value
}

export function isSatisfiable(details) {
  if (details.type === 'ed25519-sha-256') return true
  return details.subconditions.filter(isSatisfiable).length >= details.threshold.value
}

// --- Fulfillments -------------------------------------------------------------------------------

class KeyFulfillment {
  constructor(publicBytes, signature) {
    this.publicBytes = publicBytes
    this.signature = signature
    this.key = toBase58Cached(publicBytes)
  }

  encode() {
    return join([[0xa4, 0x64, 0x80, 0x20], this.publicBytes, [0x81, 0x40], this.signature])
  }

  get condition() {
    return keyCondition(this.key).condition
  }

  get uri() {
    return keyCondition(this.key).uri
  }

  get keys() {
    return [this.key]
  }

  verify(message) {
    return verify(this.publicBytes, message, this.signature)
  }
}

const base58Texts = new Map()

function toBase58Cached(bytes) {
  const name = String.fromCharCode(...bytes)
  let found = base58Texts.get(name)
  if (found === undefined) {
    found = toBase58(bytes)
    if (base58Texts.size < 100_000) base58Texts.set(name, found)
  }
  return found
}

class ThresholdFulfillment {
  constructor(shown, hidden) {
    this.shown = shown
    this.hidden = hidden
  }

  encode() {
    const shown = tlv(0xa0, setOf(this.shown.map((part) => part.encode())))
    const hidden = tlv(0xa1, setOf(this.hidden.map((part) => part.encode())))
    return tlv(0xa2, join([shown, hidden]))
  }

  get condition() {
    const parts = this.shown.map((part) => part.condition)
    return thresholdCondition(parts.length, [...parts, ...this.hidden])
  }

  get uri() {
    return this.condition.uri
  }

  get keys() {
    return this.shown.flatMap((part) => part.keys)
  }

  async verify(message) {
    for (const part of this.shown) if (!(await part.verify(message))) return false
    return true
  }
}

/** Read a fulfillment; throws `Refused`, also where it is not the one encoding. */
export function parse(uri) {
  const data = fromBase64Url(uri)
  if (data === null) throw malformed('it is not base64url without padding')
  const reader = new Reader(data)
  const found = parseItem(reader, 0)
  reader.finish()
  if (toBase64Url(found.encode()) !== uri) {
    throw new Refused(
      'noncanonical_fulfillment',
      'a fulfillment is not in its one canonical encoding'
    )
  }
  return found
}

function parseItem(reader, depth) {
  if (depth > MOST_DEPTH) throw malformed('it is nested too deeply')
  const [tag, content] = reader.item()
  const members = new Reader(content)
  if (tag === (0xa0 | ED25519)) {
    const [key, signature] = [members.field(0x80), members.field(0x81)]
    members.finish()
    if (key.length !== 32 || signature.length !== 64) {
      throw malformed('a key or a signature has a wrong length')
    }
    return new KeyFulfillment(key, signature)
  }
  if (tag === (0xa0 | THRESHOLD)) {
    const [shown, hidden] = [new Reader(members.field(0xa0)), new Reader(members.field(0xa1))]
    members.finish()
    const parts = []
    while (shown.more) parts.push(parseItem(shown, depth + 1))
    const conditions = []
    while (hidden.more) conditions.push(parseCondition(hidden))
    if (!parts.length) {
      throw new Refused('unsupported_fulfillment', 'a threshold is fulfilled by nothing')
    }
    return new ThresholdFulfillment(parts, conditions)
  }
  throw new Refused(
    'unsupported_fulfillment',
    'a fulfillment is neither ed25519-sha-256 nor threshold-sha-256'
  )
}

function parseCondition(reader) {
  const [tag, content] = reader.item()
  const type = tag & 31
  if ((tag & 0xe0) !== 0xa0 || type >= TYPES.length) throw malformed('a condition has no type')
  const members = new Reader(content)
  const fingerprint = members.field(0x80)
  if (fingerprint.length !== 32) throw malformed('a fingerprint does not have 32 bytes')
  const cost = members.field(0x81).reduce((sum, byte) => sum * 256 + byte, 0)
  if (!(cost <= MOST_NUMBER)) throw malformed('a number is too large')
  const subtypes = new Set()
  if (type === PREFIX || type === THRESHOLD) {
    const bits = members.field(0x82)
    for (let number = 0; number < TYPES.length; number++) {
      if (bits.length > 1 && bits[1] & (128 >> number)) subtypes.add(number)
    }
  }
  members.finish()
  return new Condition(type, fingerprint, cost, subtypes)
}
