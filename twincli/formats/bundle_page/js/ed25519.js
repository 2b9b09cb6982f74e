// Ed25519 by the browser's WebCrypto, held to libsodium's rules.
//
// Verifiers differ on points of small order and on encodings that are not canonical. So these are
// refused here, before the browser is asked: what is left, all verifiers judge alike.

import { hex } from './bytes.js'

const P = 2n ** 255n - 19n
const L = 2n ** 252n + 27742317777372353535851937790883648493n
const D = 37095705934669439343138083508754565189542113879843219016388785533085940283555n
const ROOT_OF_MINUS_ONE = 19681161376707505956807079304988542015446066515923890162744021073123829784752n

const number = (bytes) => BigInt(`0x${hex(Uint8Array.from(bytes).reverse())}`)
const mod = (value) => {
  const rest = value % P
  return rest < 0n ? rest + P : rest
}

/** The y coordinates of the points of small order, and what reads as one of them. */
const SMALL = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
])

function withoutSign(bytes) {
  const made = Uint8Array.from(bytes)
  made[31] &= 127
  return made
}

const isSmall = (bytes) => SMALL.has(hex(withoutSign(bytes)))

/** Say whether a y coordinate is below the field's prime. */
const isCanonicalPoint = (bytes) => number(withoutSign(bytes)) < P

const goodKeys = new Map()

function isUsableKey(bytes) {
  const name = hex(bytes)
  let good = goodKeys.get(name)
  if (good === undefined) {
    good = bytes.length === 32 && isCanonicalPoint(bytes) && !isSmall(bytes)
    if (goodKeys.size < 100_000) goodKeys.set(name, good)
  }
  return good
}

/** Say what libsodium refuses without looking at the message. */
function mayVerify(key, signature) {
  if (key.length !== 32 || signature.length !== 64) return false
  if (signature[63] & 224) return false
  if (signature[63] & 16 && number(signature.subarray(32)) >= L) return false
  return !isSmall(signature.subarray(0, 32)) && isUsableKey(key)
}

export class Unsupported extends Error {}

const imported = new Map()

function importedKey(key) {
  const name = hex(key)
  let found = imported.get(name)
  if (found === undefined) {
    found = crypto.subtle.importKey('raw', key, { name: 'Ed25519' }, false, ['verify'])
    if (imported.size > 50_000) imported.clear()
    imported.set(name, found)
  }
  return found
}

/** Throw `Unsupported` where the browser cannot verify Ed25519. */
export async function prepare() {
  if (globalThis.crypto?.subtle === undefined) {
    throw new Unsupported('this browser has no WebCrypto for a page that is opened like this')
  }
  const known = Uint8Array.from([0x66, ...new Array(31).fill(0x66)])
  known[0] = 0x58 // the base point
  try {
    await crypto.subtle.importKey('raw', known, { name: 'Ed25519' }, false, ['verify'])
  } catch {
    throw new Unsupported('this browser is too old to verify Ed25519 signatures')
  }
}

/** Say whether a signature is the key's over the message, by libsodium's rules. */
export async function verify(key, message, signature) {
  if (!mayVerify(key, signature)) return false
  let usable
  try {
    usable = await importedKey(key)
  } catch {
    return false // not a point
  }
  return crypto.subtle.verify({ name: 'Ed25519' }, usable, signature, message)
}

// --- Whether a private key can belong to a public one -------------------------------------------

function power(base, exponent) {
  let made = 1n
  for (let rest = exponent, factor = base; rest; rest >>= 1n) {
    if (rest & 1n) made = (made * factor) % P
    factor = (factor * factor) % P
  }
  return made
}

/** Return the point of an encoding in extended coordinates, or null. */
function decompress(bytes) {
  const y = number(withoutSign(bytes))
  const square = (y * y) % P
  const top = mod(square - 1n)
  const bottom = mod(D * square + 1n)
  const cube = (bottom * bottom * bottom) % P
  let x = (top * cube * power((top * cube * bottom ** 4n) % P, (P - 5n) / 8n)) % P
  const check = (bottom * x * x) % P
  if (check === mod(-top)) x = (x * ROOT_OF_MINUS_ONE) % P
  else if (check !== top) return null
  if ((x & 1n) !== BigInt(bytes[31] >> 7)) x = mod(-x)
  return [x, y, 1n, (x * y) % P]
}

function add([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = mod((y1 - x1) * (y2 - x2))
  const b = ((y1 + x1) * (y2 + x2)) % P
  const c = (((2n * D * t1) % P) * t2) % P
  const d = (2n * z1 * z2) % P
  const [e, f, g, h] = [b - a, d - c, d + c, b + a]
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)]
}

function double([x1, y1, z1]) {
  const a = (x1 * x1) % P
  const b = (y1 * y1) % P
  const h = a + b
  const e = h - (x1 + y1) ** 2n
  const g = a - b
  const f = ((2n * z1 * z1) % P) + g
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)]
}

const STEPS = L.toString(2).slice(1)

function isOfPrimeOrder(point) {
  let made = point
  for (const bit of STEPS) {
    made = double(made)
    if (bit === '1') made = add(made, point)
  }
  return made[0] === 0n && made[1] === made[2]
}

const points = new Map()

/** Say whether 32 bytes are a key that a seed can give, as libsodium's `is_valid_point` does. */
export function isPoint(bytes) {
  const name = hex(bytes)
  let good = points.get(name)
  if (good === undefined) {
    const point = isUsableKey(bytes) ? decompress(bytes) : null
    good = point !== null && isOfPrimeOrder(point)
    if (points.size < 100_000) points.set(name, good)
  }
  return good
}
