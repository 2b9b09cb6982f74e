// The envelope, times and DIDs: what twincli writes beside the user's data.

import { fromBase58, toBase58 } from './bytes.js'
import { Num, isObject } from './json.js'

export const VERSION = 1n
export const CREATING = new Set('asset identity template stream certificate statement'.split(' '))
export const TRANSFERRING = new Set(
  'event state stage maintenance reading chunk file link grant revoke freeze unfreeze certificate check run task append transfer burn migrate'.split(
    ' '
  )
)

/** Return the envelope in asset.data or metadata, or null. */
export function envelopeOf(document) {
  const found = isObject(document) ? document.twin : undefined
  return isObject(found) && found.v instanceof Num && found.v.isInteger ? found : null
}

export const creatingEnvelope = (tx) => envelopeOf(tx.asset.data)

/** Return the envelope of what a transaction says. */
export const saidBy = (tx) =>
  tx.operation === 'CREATE' ? creatingEnvelope(tx) : envelopeOf(tx.metadata)

export function isKnown(envelope, isCreate) {
  const known = isCreate ? CREATING : TRANSFERRING
  return envelope.v.whole === VERSION && typeof envelope.kind === 'string' && known.has(envelope.kind)
}

export const text = (value) => (typeof value === 'string' ? value : null)

export const bodyOf = (envelope) => (isObject(envelope?.body) ? envelope.body : Object.create(null))

/** Return the user's part of asset.data or metadata. */
export function withoutEnvelope(document) {
  if (!isObject(document)) return Object.create(null)
  const rest = Object.assign(Object.create(null), document)
  if (envelopeOf(document) !== null) delete rest.twin
  return rest
}

// --- Times --------------------------------------------------------------------------------------

const RFC3339 =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?([Zz]|[+-][0-9]{2}:[0-9]{2})$/
const EARLIEST = -62135596800000
const LATEST = 253402300799999

/** Return somebody's time in milliseconds, or null where it is not RFC 3339. */
export function parseTime(value) {
  const found = typeof value === 'string' ? RFC3339.exec(value) : null
  if (found === null) return null
  const [year, month, day, hour, minute] = found.slice(1, 6).map(Number)
  const second = Number(found[6] ?? 0)
  const part = Number((found[7] ?? '0').padEnd(3, '0').slice(0, 3))
  const moment = new Date(0)
  moment.setUTCFullYear(year, month - 1, day)
  moment.setUTCHours(hour, minute, second, part)
  const isDay = moment.getUTCMonth() === month - 1 && moment.getUTCDate() === day
  if (year < 1 || !isDay || hour > 23 || minute > 59 || second > 59) return null
  let offset = 0
  if (found[8] !== 'Z' && found[8] !== 'z') {
    offset = Number(found[8].slice(1, 3)) * 60 + Number(found[8].slice(4))
    if (offset >= 1440) return null
    if (found[8][0] === '-') offset = -offset
  }
  const time = moment.getTime() - offset * 60_000
  return time >= EARLIEST && time <= LATEST ? time : null
}

/** Return when something happened as an envelope states, or null. */
export function claimedTime(envelope) {
  if (envelope === null || !('at' in envelope) || isTruthy(envelope.clock)) return null
  return parseTime(envelope.at)
}

function isTruthy(value) {
  if (value instanceof Num) return value.value !== 0
  if (Array.isArray(value)) return value.length > 0
  if (isObject(value)) return Object.keys(value).length > 0
  return Boolean(value)
}

// --- DIDs ---------------------------------------------------------------------------------------

const FRAGMENT = /^(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*$/

/** Return the key (base58) or the asset that a DID names: `{key}`, `{asset}` or null. */
export function named(did) {
  if (typeof did !== 'string' || did.length > 2048) return null
  const tutorial = /^did:([0-9a-f]{64})$/.exec(did)
  if (tutorial !== null) return { asset: tutorial[1] }
  const hash = did.indexOf('#')
  const bare = hash < 0 ? did : did.slice(0, hash)
  const fragment = hash < 0 ? null : did.slice(hash + 1)
  if (fragment !== null && !FRAGMENT.test(fragment)) return null
  const asset = /^did:bdb:(?:[0-9a-f]{16}:)?([0-9a-f]{64})$/.exec(bare)
  if (asset !== null) return { asset: asset[1] }
  if (!bare.startsWith('did:key:z')) return null
  const specific = bare.slice('did:key:'.length)
  if (fragment !== null && fragment !== specific) return null
  const data = fromBase58(specific.slice(1))
  if (data === null || data.length !== 34 || data[0] !== 0xed || data[1] !== 0x01) return null
  return { key: toBase58(data.subarray(2)) }
}

