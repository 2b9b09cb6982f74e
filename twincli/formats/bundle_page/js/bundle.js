// Reading a bundle: every byte of the ZIP follows from its manifest and its entries, so headers
// and directory are made again and compared. The form only; what entries say is judged elsewhere.

import { Refused, equal, hex, isHex, join, keyBytes, text, utf8 } from './bytes.js'
import { isCid } from './cid.js'
import { sha256, sha256Large } from './digests.js'
import { Num, byCodePoint, decode, encode, isObject } from './json.js'

export const SCHEMA = 'twin.bundle/1'
export const MANIFEST = 'manifest.json'
export const TRANSACTIONS = 'transactions.jsonl'
export const PROOFS = 'proofs.jsonl'
export const CHECKPOINT = 'checkpoint'
export const PAGE = 'index.html'
export const CONTENT = 'content/'

const MOST_ENTRIES = 65_534
const MOST_BYTES = 0xffff_fffe
const MOST_MANIFEST = 1 << 24
export const LONGEST_NAME = 200
const LARGEST = { [TRANSACTIONS]: MOST_BYTES, [PROOFS]: MOST_BYTES, [CHECKPOINT]: 1 << 16, [PAGE]: 1 << 23 }
const MOST_LEFT_OUT = 100_000
const LONGEST_LINE = 1 << 25
const LONGEST_PROOF = 80 + 67 * 63
const PIECE = 1 << 22
const DATE = 0x0021

const damaged = (why, where = null) => {
  const made = new Refused('damaged_bundle', why)
  made.where = where
  return made
}

const TABLE = new Uint32Array(256)
for (let number = 0; number < 256; number++) {
  let value = number
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  TABLE[number] = value
}

function crc32(bytes, before = 0) {
  let value = ~before
  for (let at = 0; at < bytes.length; at++) value = TABLE[(value ^ bytes[at]) & 255] ^ (value >>> 8)
  return ~value >>> 0
}

// --- The ZIP ------------------------------------------------------------------------------------

function packed(size, fields) {
  const made = new Uint8Array(size)
  const view = new DataView(made.buffer)
  let at = 0
  for (const [bytes, value] of fields) {
    if (bytes === 4) view.setUint32(at, value, true)
    else view.setUint16(at, value, true)
    at += bytes
  }
  return made
}

function localHeader(name, size, crc) {
  const named = utf8(name)
  const head = [[4, 0x04034b50], [2, 20], [2, 0], [2, 0], [2, 0], [2, DATE], [4, crc], [4, size], [4, size]]
  return join([packed(30, [...head, [2, named.length], [2, 0]]), named])
}

function centralHeader(name, size, crc, start) {
  const named = utf8(name)
  const head = [[4, 0x02014b50], [2, 20], [2, 20], [2, 0], [2, 0], [2, 0], [2, DATE], [4, crc], [4, size], [4, size]]
  const rest = [[2, named.length], [2, 0], [2, 0], [2, 0], [2, 0], [4, 0], [4, start]]
  return join([packed(46, [...head, ...rest]), named])
}

const endRecord = (count, size, start) =>
  packed(22, [[4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, start], [2, 0]])

const crcOf = (header) => new DataView(header.buffer, header.byteOffset).getUint32(14, true)

/** Bytes in memory, read like a file. */
export const ofBytes = (bytes) => ({
  size: bytes.length,
  at: async (offset, size) => bytes.subarray(offset, offset + size),
})

/** A file that somebody chose, read piece by piece. */
export const ofFile = (file) => ({
  size: file.size,
  at: async (offset, size) => new Uint8Array(await file.slice(offset, offset + size).arrayBuffer()),
})

export class Bundle {
  constructor(source, manifest, places) {
    this.source = source
    this.manifest = manifest
    this.places = places
  }

  /** Yield the bytes of an entry, piece by piece. */
  async *pieces(name) {
    const { start, size } = this.places.get(name)
    for (let at = start; at < start + size; at += PIECE) {
      yield await this.source.at(at, Math.min(PIECE, start + size - at))
    }
  }

  async read(name) {
    const { start, size } = this.places.get(name)
    return this.source.at(start, size)
  }

  /** Say whether an entry is other than the manifest and its header say. */
  async isAltered(name, told) {
    const place = this.places.get(name)
    if (place.size <= PIECE) {
      const whole = await this.read(name)
      told(whole.length)
      return crc32(whole) !== place.crc || hex(await sha256Large(whole)) !== place.sha256
    }
    const digest = sha256.create()
    let crc = 0
    for await (const piece of this.pieces(name)) {
      digest.update(piece)
      crc = crc32(piece, crc)
      told(piece.length)
    }
    return crc !== place.crc || hex(digest.digest()) !== place.sha256
  }

  get contents() {
    const names = [...this.places.keys()].filter((name) => name.startsWith(CONTENT))
    return names.map((name) => name.slice(CONTENT.length))
  }

  /** Yield lines of an entry, without their ends. */
  async *split(name, most) {
    let rest = new Uint8Array(0)
    for await (const piece of this.pieces(name)) {
      const whole = rest.length ? join([rest, piece]) : piece
      let begin = 0
      for (let end = whole.indexOf(10); end >= 0; end = whole.indexOf(10, begin)) {
        yield whole.subarray(begin, end)
        begin = end + 1
      }
      rest = whole.slice(begin)
      if (rest.length > most) break
    }
    if (rest.length) throw damaged(`a line of ${name} is too long or does not end`, name)
  }

  /** Yield transactions with their places; throws `Refused` where lines are malformed. */
  async *lines() {
    const proofs = this.split(PROOFS, LONGEST_PROOF)
    let number = 0
    let before = null
    for await (const body of this.split(TRANSACTIONS, LONGEST_LINE)) {
      number++
      const line = proofLine((await proofs.next()).value)
      const where = `line ${number} of ${PROOFS}`
      if (line === null) throw damaged(`${where} is missing or malformed`, PROOFS)
      if (line.index >= this.manifest.size) throw damaged(`${where} is outside the tree`, PROOFS)
      if (before !== null && !follows(before, line)) throw damaged(`${where} is out of order`, PROOFS)
      before = line
      yield { ...line, body, number }
    }
    if (!(await proofs.next()).done) {
      throw damaged(`${PROOFS} has more lines than ${TRANSACTIONS}`, PROOFS)
    }
  }
}

const PROOF =
  /^\{"height":(0|[1-9][0-9]{0,14}),"index":(0|[1-9][0-9]{0,14}),"path":\[((?:"[0-9a-f]{64}"(?:,"[0-9a-f]{64}")*)?)\],"time_ms":(0|[1-9][0-9]{0,14})\}$/

const LATIN = new TextDecoder('latin1')

function proofLine(bytes) {
  if (bytes === undefined || bytes.length > LONGEST_PROOF) return null
  const found = PROOF.exec(LATIN.decode(bytes))
  if (found === null) return null
  const [, height, index, path, timeMs] = found
  return {
    height: Number(height),
    index: Number(index),
    timeMs: Number(timeMs),
    path: path === '' ? [] : path.slice(1, -1).split('","'),
  }
}

function follows(before, line) {
  if (line.index <= before.index || line.height < before.height) return false
  return line.height === before.height ? line.timeMs === before.timeMs : line.timeMs >= before.timeMs
}

/** Open a bundle: its layout is compared, its entries are not hashed yet. Throws `Refused`. */
export async function open(source) {
  if (source.size > MOST_BYTES) throw new Refused('not_a_bundle', 'this is not a bundle')
  const wanted = localHeader(MANIFEST, 0, 0)
  const head = await source.at(0, wanted.length)
  const end = await source.at(Math.max(0, source.size - 22), 22)
  const begins = head.length >= 4 && equal(head.subarray(0, 4), wanted.subarray(0, 4))
  if (!begins && !(end.length >= 4 && equal(end.subarray(0, 4), utf8('PK\x05\x06')))) {
    throw new Refused('not_a_bundle', 'this is not a bundle: twin bundle export makes one')
  }
  if (head.length < wanted.length) throw damaged('it ends early')
  const size = new DataView(head.buffer, head.byteOffset).getUint32(18, true)
  const crc = crcOf(head)
  if (!equal(head, localHeader(MANIFEST, size, crc))) {
    throw damaged(`it does not begin with ${MANIFEST}, stored as it is`)
  }
  if (size > Math.min(MOST_MANIFEST, source.size)) throw damaged(`${MANIFEST} is too large`)
  const data = await source.at(head.length, size)
  if (data.length < size) throw damaged('it ends early')
  if (crc32(data) !== crc) throw damaged(`${MANIFEST} was altered`, MANIFEST)
  const manifest = readManifest(data)
  const directory = [centralHeader(MANIFEST, size, crc, 0)]
  const places = new Map()
  let at = head.length + size
  for (const [name, listed] of manifest.entries) {
    const length = localHeader(name, 0, 0).length
    const found = await source.at(at, length)
    if (found.length < length) throw damaged('it ends early', name)
    const sum = crcOf(found)
    if (!equal(found, localHeader(name, listed.size, sum))) {
      throw damaged(`${name} does not follow as the manifest lists it`, name)
    }
    directory.push(centralHeader(name, listed.size, sum, at))
    places.set(name, { ...listed, start: at + length, crc: sum })
    at += length + listed.size
    if (at > source.size) throw damaged('it ends early', name)
  }
  const central = join(directory)
  const tail = join([central, endRecord(directory.length, central.length, at)])
  if (!equal(await source.at(at, tail.length), tail)) {
    throw damaged('its directory does not list what is in it')
  }
  if (at + tail.length !== source.size) throw damaged('something follows its end')
  return new Bundle(source, manifest, places)
}

// --- The manifest -------------------------------------------------------------------------------

const malformed = (why) => damaged(`${MANIFEST}: ${why}`, MANIFEST)

function object(value, what, names) {
  if (!isObject(value) || Object.keys(value).sort().join() !== names) {
    throw malformed(`${what} does not have exactly the members ${names.replaceAll(',', ', ')}`)
  }
  return value
}

const whole = (value, most) =>
  value instanceof Num && value.isInteger && value.whole >= 0n && value.whole <= BigInt(most)
    ? value.value
    : null

const digits = (value, what) => {
  if (!isHex(value)) throw malformed(`${what} is not 64 hex digits`)
  return value
}

export const isShort = (value, most) =>
  typeof value === 'string' && value.length > 0 && [...value].length <= most

function readManifest(data) {
  let value
  try {
    const source = text(data)
    value = decode(source)
    if (encode(value) !== source) throw malformed('it is not canonical')
  } catch (error) {
    if (error.code === 'damaged_bundle') throw error
    throw malformed('it is not JSON')
  }
  const schema = isObject(value) ? value.schema : null
  if (typeof schema === 'string' && schema.startsWith(SCHEMA.slice(0, -1)) && schema !== SCHEMA) {
    throw new Refused('newer_version', 'it was written by a newer twincli')
  }
  const found = object(value, 'it', 'checkpoint,entries,ledger,left_out,schema,twin')
  const twin = object(found.twin, 'twin', 'asset_id,name')
  const ledger = object(found.ledger, 'ledger', 'id,profile,public_key')
  const checkpoint = object(found.checkpoint, 'checkpoint', 'root,size')
  if (twin.name !== null && !isShort(twin.name, LONGEST_NAME)) throw malformed('the name is malformed')
  if (typeof ledger.public_key !== 'string' || keyBytes(ledger.public_key) === null) {
    throw malformed('ledger.public_key is malformed')
  }
  const size = whole(checkpoint.size, 2 ** 48 - 1)
  if (!size) throw malformed('checkpoint.size is malformed')
  if (!isShort(ledger.profile, 100)) throw malformed('ledger.profile is malformed')
  return {
    schema,
    assetId: digits(twin.asset_id, 'twin.asset_id'),
    name: twin.name,
    ledgerId: digits(ledger.id, 'ledger.id'),
    publicKey: ledger.public_key,
    profile: ledger.profile,
    size,
    root: digits(checkpoint.root, 'checkpoint.root'),
    entries: readEntries(found.entries),
    leftOut: readLeftOut(found.left_out),
  }
}

function readEntries(value) {
  const names = isObject(value) ? Object.keys(value) : []
  if (names.length < 3 || names.length >= MOST_ENTRIES) {
    throw malformed('entries is not an object of at least 3 members')
  }
  for (const needed of [TRANSACTIONS, PROOFS, CHECKPOINT]) {
    if (!(needed in value)) throw malformed(`${needed} is missing`)
  }
  return names.sort(byCodePoint).map((name) => {
    const most = Object.hasOwn(LARGEST, name) ? LARGEST[name] : MOST_BYTES
    if (!Object.hasOwn(LARGEST, name)) {
      if (!name.startsWith(CONTENT) || !isCid(name.slice(CONTENT.length))) {
        throw malformed('it lists an entry that a bundle does not have')
      }
    }
    const entry = object(value[name], `entry ${name}`, 'sha256,size')
    const size = whole(entry.size, most)
    if (size === null) throw malformed(`the size of ${name} is malformed or too large`)
    return [name, { size, sha256: digits(entry.sha256, `the SHA-256 of ${name}`) }]
  })
}

function readLeftOut(value) {
  if (!Array.isArray(value) || value.length > MOST_LEFT_OUT) throw malformed('left_out is malformed')
  return value.map((item) => {
    const known = ['what', 'stream', 'cid', 'from', 'to', 'count']
    const wrong = malformed('an item of left_out is malformed')
    if (!isObject(item) || Object.keys(item).some((name) => !known.includes(name))) throw wrong
    const count = whole(item.count ?? null, 2 ** 48 - 1)
    if (!['stream', 'file', 'missing'].includes(item.what) || !count) throw wrong
    const [stream, cid] = [item.stream ?? null, item.cid ?? null]
    if ((stream === null) === (cid === null) || (cid !== null && !isCid(cid))) throw wrong
    for (const name of ['stream', 'from', 'to']) {
      if (name in item && !isShort(item[name], 100)) throw wrong
    }
    return { what: item.what, stream, cid, from: item.from ?? null, to: item.to ?? null, count }
  })
}
