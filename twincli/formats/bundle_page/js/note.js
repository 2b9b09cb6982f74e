// Checkpoints: C2SP tlog-checkpoint in a signed note.

import { Refused, equal, fromBase64, join, keyBytes, text, utf8 } from './bytes.js'
import { sha256 } from './digests.js'
import { verify } from './ed25519.js'

const ED25519 = 1
const MOST_BYTES = 1 << 18
const MOST_SIGNATURES = 64
const LONGEST_NAME = 255
const DASH = '\u2014 '

const wrong = (why) => new Refused('invalid_note', `the checkpoint cannot be read: ${why}`)

const isName = (name) =>
  name.length > 0 && utf8(name).length <= LONGEST_NAME && !/[+\s\u0000-\u001f\u0085]/u.test(name)

/** Return origin, size and root of a note, and what is signed; throws `Refused`. */
export function parse(bytes) {
  let whole
  if (bytes.length > MOST_BYTES) throw wrong('it is too long')
  try {
    whole = text(bytes)
  } catch {
    throw wrong('it is not UTF-8')
  }
  if (/[\u0000-\u0009\u000b-\u001f]/.test(whole)) throw wrong('it has control characters')
  const split = whole.lastIndexOf('\n\n')
  if (split < 0 || whole.length === split + 2 || !whole.endsWith('\n')) {
    throw wrong('it does not end with signature lines')
  }
  const body = whole.slice(0, split + 1)
  const lines = whole.slice(split + 2, -1).split('\n')
  if (lines.length > MOST_SIGNATURES) throw wrong('it has too many signatures')
  const signatures = lines.map(signatureOf)
  const [origin, size, root, ...more] = body.slice(0, -1).split('\n')
  const rootBytes = root === undefined ? null : fromBase64(root)
  if (!isName(origin)) throw wrong('it has no origin')
  if (!/^(0|[1-9][0-9]*)$/.test(size ?? '') || BigInt(size) >= 1n << 63n) {
    throw wrong('its size is not a number')
  }
  if (rootBytes === null || rootBytes.length !== 32) throw wrong('its root is not 32 bytes')
  if (more.includes('')) throw wrong('it has an empty line')
  return { origin, size: Number(size), root: rootBytes, message: utf8(body), signatures }
}

function signatureOf(line) {
  if (!line.startsWith(DASH)) throw wrong('a signature line is malformed')
  const gap = line.indexOf(' ', DASH.length)
  const name = gap < 0 ? line.slice(DASH.length) : line.slice(DASH.length, gap)
  const data = gap < 0 ? null : fromBase64(line.slice(gap + 1))
  if (!isName(name) || data === null || data.length <= 4) throw wrong('a signature line is malformed')
  return { name, id: data.subarray(0, 4), signature: data.subarray(4) }
}

/** Return the four bytes by which a note names a key. */
const keyId = (name, key) => sha256(join([utf8(name), [10, ED25519], key])).subarray(0, 4)

/**
 * Say whether a note carries the good signature of a key (base58) under a name; null: it carries
 * none. Signatures of other keys and types are passed over.
 */
export async function isSigned(note, name, key) {
  const raw = keyBytes(key)
  const id = keyId(name, raw)
  const found = note.signatures.find((one) => one.name === name && equal(one.id, id))
  return found === undefined ? null : verify(raw, note.message, found.signature)
}
