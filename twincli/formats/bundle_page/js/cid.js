// CIDv1 of a file, as `ipfs add --cid-version=1 --raw-leaves` makes them, in both usual profiles.

import { fromBase32, join, toBase32 } from './bytes.js'
import { sha256, sha256Large } from './digests.js'

const RAW = 0x55
const DAG_PB = 0x70
const PROFILES = [
  { chunk: 262_144, links: 174 },
  { chunk: 1 << 20, links: 1024 },
]

function varint(value) {
  const made = []
  let rest = value
  while (rest > 127) {
    made.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  made.push(rest)
  return made
}

/** Say whether a text is a CIDv1 of a raw block or a dag-pb node with a SHA-256. */
export function isCid(text) {
  if (typeof text !== 'string' || text.length !== 59 || text[0] !== 'b') return false
  const bytes = fromBase32(text.slice(1))
  if (bytes === null || bytes[0] !== 1 || bytes[2] !== 0x12 || bytes[3] !== 0x20) return false
  return bytes[1] === RAW || bytes[1] === DAG_PB
}

const encoded = (codec, digest) => join([[1, codec, 0x12, 0x20], digest])

function parent(nodes) {
  const links = nodes.map((one) => {
    const content = join([[0x0a], varint(one.cid.length), one.cid, [0x12, 0x00, 0x18], varint(one.total)])
    return join([[0x12], varint(content.length), content])
  })
  const size = nodes.reduce((sum, one) => sum + one.size, 0)
  const sizes = nodes.map((one) => [0x20, ...varint(one.size)])
  const unixfs = join([[0x08, 0x02, 0x18], varint(size), ...sizes])
  const block = join([...links, [0x0a], varint(unixfs.length), unixfs])
  const total = nodes.reduce((sum, one) => sum + one.total, block.length)
  return { cid: encoded(DAG_PB, sha256(block)), size, total }
}

async function cidOf(bytes, { chunk, links }) {
  let nodes = []
  for (let at = 0; at < bytes.length || at === 0; at += chunk) {
    const part = bytes.subarray(at, at + chunk)
    nodes.push({ cid: encoded(RAW, await sha256Large(part)), size: part.length, total: part.length })
  }
  while (nodes.length > 1) {
    const above = []
    for (let at = 0; at < nodes.length; at += links) above.push(parent(nodes.slice(at, at + links)))
    nodes = above
  }
  return `b${toBase32(nodes[0].cid)}`
}

/** Say whether bytes have a CID, in whichever profile it was made. */
export async function matches(cid, bytes) {
  for (const profile of PROFILES) if ((await cidOf(bytes, profile)) === cid) return true
  return false
}

/** Return the CID of bytes in the usual profile. */
export const of = (bytes) => cidOf(bytes, PROFILES[0])
