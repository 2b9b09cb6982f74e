// Bytes and their texts: hex, base64, base58, base32. Everything refuses what is not canonical.

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What is wrong with what somebody handed us: a code for programs, a sentence for people. */
export class Refused extends Error {
  constructor(code, message) {
    super(message)
    this.code = code
  }
}

export const utf8 = (text) => encoder.encode(text)

/** Return the text of UTF-8 bytes; throws where they are not. */
export const text = (bytes) => decoder.decode(bytes)

const HEX = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, '0'))

export function hex(bytes) {
  let made = ''
  for (const byte of bytes) made += HEX[byte]
  return made
}

const DIGITS = new Uint8Array(128)
for (let value = 0; value < 16; value++) DIGITS[value.toString(16).charCodeAt(0)] = value

/** Return the bytes of lower-case hex, which was checked before. */
export function fromHex(digits) {
  const made = new Uint8Array(digits.length / 2)
  for (let at = 0; at < made.length; at++) {
    made[at] = (DIGITS[digits.charCodeAt(2 * at)] << 4) | DIGITS[digits.charCodeAt(2 * at + 1)]
  }
  return made
}

export const isHex = (value, digits = 64) =>
  typeof value === 'string' && value.length === digits && /^[0-9a-f]*$/.test(value)

export function equal(one, other) {
  if (one.length !== other.length) return false
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false
  return true
}

export function join(parts) {
  let size = 0
  for (const part of parts) size += part.length
  const made = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    made.set(part, at)
    at += part.length
  }
  return made
}

/** Order byte strings as Python does. */
export function compare(one, other) {
  const least = Math.min(one.length, other.length)
  for (let at = 0; at < least; at++) if (one[at] !== other[at]) return one[at] - other[at]
  return one.length - other.length
}

const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const URL_SAFE = `${STANDARD.slice(0, 62)}-_`
const numbersOf = (letters) => {
  const made = new Int16Array(128).fill(-1)
  for (let at = 0; at < letters.length; at++) made[letters.charCodeAt(at)] = at
  return made
}
const NUMBERS = numbersOf(STANDARD)
const URL_NUMBERS = numbersOf(URL_SAFE)

function fromBase64Digits(digits, numbers, isExact) {
  if (digits.length % 4 === 1) return null
  const made = new Uint8Array(Math.floor((digits.length * 3) / 4))
  let bits = 0
  let held = 0
  let at = 0
  for (let place = 0; place < digits.length; place++) {
    const code = digits.charCodeAt(place)
    const number = code < 128 ? numbers[code] : -1
    if (number < 0) return null
    held = ((held << 6) | number) & 0xffff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      made[at++] = (held >> bits) & 255
    }
  }
  return isExact && held & ((1 << bits) - 1) ? null : made
}

/** Return the bytes of base64url without padding, or null. Bits that are left over may be set. */
export const fromBase64Url = (digits) => fromBase64Digits(digits, URL_NUMBERS, false)

/** Return the bytes of canonical padded base64, or null. */
export function fromBase64(digits) {
  if (digits.length % 4) return null
  const end = digits.endsWith('==') ? -2 : digits.endsWith('=') ? -1 : digits.length
  return fromBase64Digits(digits.slice(0, end), NUMBERS, true)
}

function toBase64Digits(bytes, letters) {
  let made = ''
  let at = 0
  for (; at + 2 < bytes.length; at += 3) {
    const three = (bytes[at] << 16) | (bytes[at + 1] << 8) | bytes[at + 2]
    made += letters[three >> 18] + letters[(three >> 12) & 63]
    made += letters[(three >> 6) & 63] + letters[three & 63]
  }
  if (at + 1 === bytes.length) {
    made += letters[bytes[at] >> 2] + letters[(bytes[at] & 3) << 4]
  } else if (at < bytes.length) {
    const two = (bytes[at] << 8) | bytes[at + 1]
    made += letters[two >> 10] + letters[(two >> 4) & 63] + letters[(two & 15) << 2]
  }
  return made
}

export const toBase64Url = (bytes) => toBase64Digits(bytes, URL_SAFE)

export function toBase64(bytes) {
  const made = toBase64Digits(bytes, STANDARD)
  return made + '='.repeat((4 - (made.length % 4)) % 4)
}

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

export function toBase58(bytes) {
  let zeros = 0
  while (zeros < bytes.length && bytes[zeros] === 0) zeros++
  let number = bytes.length ? BigInt(`0x${hex(bytes) || '0'}`) : 0n
  let made = ''
  while (number) {
    made = BASE58[Number(number % 58n)] + made
    number /= 58n
  }
  return '1'.repeat(zeros) + made
}

/** Return the bytes of base58, or null; longer texts than `most` are refused unread. */
export function fromBase58(digits, most = 200) {
  if (digits.length > most) return null
  let number = 0n
  for (const digit of digits) {
    const value = BASE58.indexOf(digit)
    if (value < 0) return null
    number = number * 58n + BigInt(value)
  }
  let zeros = 0
  while (zeros < digits.length && digits[zeros] === '1') zeros++
  let made = number ? number.toString(16) : ''
  if (made.length % 2) made = `0${made}`
  return join([new Uint8Array(zeros), fromHex(made)])
}

const keys = new Map()

/** Return the 32 bytes of a public key in base58, or null. */
export function keyBytes(key) {
  let found = keys.get(key)
  if (found === undefined) {
    found = fromBase58(key, 100)
    if (found !== null && found.length !== 32) found = null
    if (keys.size < 100_000) keys.set(key, found)
  }
  return found
}

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567'

export function toBase32(bytes) {
  let made = ''
  let held = 0
  let bits = 0
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff
    bits += 8
    while (bits >= 5) {
      bits -= 5
      made += BASE32[(held >> bits) & 31]
    }
  }
  return bits ? made + BASE32[(held << (5 - bits)) & 31] : made
}

/** Return the bytes of canonical base32 in lower case without padding, or null. */
export function fromBase32(letters) {
  const made = []
  let held = 0
  let bits = 0
  for (const letter of letters) {
    const value = BASE32.indexOf(letter)
    if (value < 0) return null
    held = ((held << 5) | value) & 0xfff
    bits += 5
    if (bits >= 8) {
      bits -= 8
      made.push((held >> bits) & 255)
    }
  }
  const bytes = Uint8Array.from(made)
  return toBase32(bytes) === letters ? bytes : null
}
