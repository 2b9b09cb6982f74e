// Hashes. A browser has no SHA-3, and answers about SHA-256 later, which is too late for trees.

import sha3 from '../vendor/js-sha3/sha3.cjs'
import { sha256 } from '../vendor/noble-hashes/sha2.js'

export { sha256 }

export const sha3_256 = (bytes) => new Uint8Array(sha3.sha3_256.arrayBuffer(bytes))

/** Return the SHA3-256 of bytes in hex. */
export const sha3Hex = (bytes) => sha3.sha3_256.hex(bytes)

/** Hash what may be large by the browser's own SHA-256, which is ten times as fast. */
export async function sha256Large(bytes) {
  const subtle = globalThis.crypto?.subtle
  if (bytes.length < 4096 || subtle === undefined) return sha256(bytes)
  return new Uint8Array(await subtle.digest('SHA-256', bytes))
}
