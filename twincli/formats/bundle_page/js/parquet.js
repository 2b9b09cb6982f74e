// Chunks of readings: Parquet with zstd, written by a stranger, read within bounds.

import { Refused } from './bytes.js'
import { decompress } from '../vendor/fzstd/fzstd.js'
import { parquetMetadata } from '../vendor/hyparquet/metadata.js'
import { parquetRead } from '../vendor/hyparquet/read.js'

const MOST_BYTES = 1 << 26
const MOST_ROWS = 65_536
const MOST_GROUPS = 64
const MOST_COLUMNS = 32
const MOST_UNPACKED = 1 << 28
const COLUMNS = ['series', 'ts', 'f64', 'i64', 'text', 'bool', 'quality', 'source']

const odd = (why) => new Refused('invalid_chunk', `a chunk of readings cannot be read: ${why}`)

function meta(buffer) {
  const found = parquetMetadata(buffer)
  if (Number(found.num_rows) > MOST_ROWS) throw odd('it has too many rows')
  if (found.row_groups.length > MOST_GROUPS) throw odd('it has too many row groups')
  let unpacked = 0
  let rows = 0
  for (const group of found.row_groups) {
    if (group.columns.length > MOST_COLUMNS) throw odd('it has too many columns')
    rows += Number(group.num_rows)
    for (const { meta_data: column } of group.columns) {
      unpacked += Number(column?.total_uncompressed_size ?? 0)
    }
  }
  if (rows > MOST_ROWS) throw odd('it has too many rows')
  if (!(unpacked <= MOST_UNPACKED)) throw odd('it grows too large')
  return found
}

/** Unpack a page into a buffer of the size that it states, which may not be larger than bounds. */
function zstd(input, size) {
  if (!(size <= MOST_UNPACKED)) throw odd('it grows too large')
  return decompress(input, new Uint8Array(size))
}

/** Return readings: [{series, timeMs, value, isGood}] in the order of the file. */
export async function readings(bytes) {
  if (bytes.length > MOST_BYTES) throw odd('it is too large')
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)
  try {
    const metadata = meta(buffer)
    const names = new Set(metadata.schema.slice(1).map(({ name }) => name))
    const columns = COLUMNS.filter((name) => names.has(name))
    let rows = []
    await parquetRead({
      file: buffer,
      metadata,
      columns,
      rowFormat: 'object',
      compressors: { ZSTD: zstd },
      onComplete: (found) => (rows = found),
    })
    return rows.slice(0, MOST_ROWS).map(reading).filter((one) => one !== null)
  } catch (error) {
    if (error instanceof Refused) throw error
    throw odd('it is not the Parquet of a chunk')
  }
}

function reading(row) {
  const { series, ts, f64, i64, text, bool, quality } = row
  if (typeof series !== 'string' || typeof ts !== 'bigint') return null
  const value = f64 ?? (typeof i64 === 'bigint' ? Number(i64) : i64) ?? bool ?? text ?? null
  return { series, timeMs: Number(ts / 1000n), value, isGood: (quality ?? 'good') === 'good' }
}
