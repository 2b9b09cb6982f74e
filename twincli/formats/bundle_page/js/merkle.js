// The Merkle tree of a ledger: RFC 6962, verified as RFC 9162 section 2.1.3.2 says.

import { fromHex, hex } from './bytes.js'
import { sha256 } from './digests.js'

/** Return the hash of a transaction's leaf, in hex: of height, time of the block, and id (hex). */
export function ledgerLeaf(height, timeMs, id) {
  const data = new Uint8Array(49)
  const view = new DataView(data.buffer)
  view.setBigUint64(1, BigInt(height))
  view.setBigUint64(9, BigInt(timeMs))
  data.set(fromHex(id), 17)
  return hex(sha256(data))
}

/** Verifies inclusion in one tree; nodes that many paths share are hashed once. */
export class Tree {
  constructor(size, root) {
    this.size = size
    this.root = root
    this.levels = []
  }

  /** Return the hash of two children, in hex, as it may have been worked out before. */
  node(level, position, left, right) {
    let known = this.levels[level]
    if (known === undefined) known = this.levels[level] = new Map()
    const found = known.get(position)
    if (found !== undefined && found.left === left && found.right === right) return found.made
    const data = new Uint8Array(65)
    data[0] = 1
    data.set(fromHex(left), 1)
    data.set(fromHex(right), 33)
    const made = hex(sha256(data))
    known.set(position, { left, right, made })
    return made
  }

  /** Say whether a leaf is in the tree; leaf and path in hex. */
  includes(leaf, index, path) {
    if (!(index >= 0 && index < this.size)) return false
    let [position, last, level] = [index, this.size - 1, 0]
    const up = () => {
      position = Math.floor(position / 2)
      last = Math.floor(last / 2)
      level++
    }
    let result = leaf
    for (const part of path) {
      if (last === 0) return false
      if (position % 2 === 1 || position === last) {
        while (position && position % 2 === 0) up()
        up()
        result = this.node(level, position, part, result)
      } else {
        up()
        result = this.node(level, position, result, part)
      }
    }
    return last === 0 && result === this.root
  }
}
