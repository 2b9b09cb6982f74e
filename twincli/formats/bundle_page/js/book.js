// The transactions of a bundle by asset, and what follows from them: state, owners, records, and
// whose word counts. What is here was checked by `verify.js` before.

import { AUTHORISED, Authority, Holders, OWNER, UNDETERMINED, topicOf } from './authority.js'
import { Num, isObject } from './json.js'
import { bodyOf, claimedTime, envelopeOf, saidBy, text, withoutEnvelope } from './record.js'

const LAST = Number.MAX_SAFE_INTEGER
const PART = LAST - 1

const details = new Map()

/** A transaction as it is kept: what it says, whom it binds, where it stands. */
export class Entry {
  constructor(checked, line) {
    const { tx } = checked
    this.id = checked.id
    this.operation = checked.operation
    this.isCreate = checked.operation === 'CREATE'
    this.assetId = checked.assetId
    this.data = this.isCreate ? tx.asset.data : null
    this.metadata = tx.metadata
    this.envelope = saidBy(tx)
    this.kind = text(this.envelope?.kind)
    this.signers = checked.signers
    this.spends = checked.inputs
      .filter(({ spends }) => spends !== null)
      .map(({ spends }) => `${spends.id}:${spends.index}`)
    this.outputs = checked.outputs.map((output) => {
      // Equal conditions are kept once.
      if (!details.has(output.uri)) details.set(output.uri, output.details)
      return { ...output, details: details.get(output.uri) }
    })
    this.index = line.index
    this.height = line.height
    this.timeMs = line.timeMs
  }

  place(number) {
    return { height: this.height, number, timeMs: this.timeMs }
  }

  /** When it happened: as its signer claims, else when it was committed. */
  get claimed() {
    return claimedTime(this.envelope)
  }
}

export class Book {
  constructor() {
    this.entries = new Map()
    this.chains = new Map()
    this.children = new Map()
    this.about = new Map()
    this.authorities = new Map()
    this.holdings = new Map()
    this.verdicts = new Map()
  }

  add(entry) {
    this.entries.set(entry.id, entry)
    listed(this.chains, entry.assetId).push(entry)
    if (!entry.isCreate || entry.envelope === null) return
    const parent = text(entry.envelope.parent)
    const about = text(entry.envelope.about)
    if (parent !== null) listed(this.children, parent).push(entry)
    if (about !== null) listed(this.about, about).push(entry)
  }

  /** Return the ids of all assets of which the CREATE is here. */
  assets() {
    return [...this.chains.keys()].filter((id) => this.entries.get(id)?.isCreate)
  }

  chain(assetId) {
    return this.chains.get(assetId) ?? []
  }

  holding(assetId) {
    let found = this.holdings.get(assetId)
    if (found === undefined) {
      found = new Holders()
      this.chain(assetId).forEach((entry, number) => found.add(entry, entry.place(number)))
      this.holdings.set(assetId, found)
    }
    return found
  }

  /** Say whether the whole history of an asset, as far as the bundle goes, is here. */
  isWhole(assetId) {
    return this.entries.get(assetId)?.isCreate === true
  }

  authority(assetId) {
    let found = this.authorities.get(assetId)
    if (found !== undefined) return found
    found = new Authority()
    const steps = this.chain(assetId).map((entry, number) => ({ entry, place: entry.place(number) }))
    for (const entry of this.children.get(assetId) ?? []) {
      steps.push({ entry, place: entry.place(PART), isPart: true })
    }
    steps.sort((one, other) => one.place.height - other.place.height || one.place.number - other.place.number)
    for (const { entry, place, isPart } of steps) {
      if (isPart) found.addChild(entry, place, entry.signers)
      else found.add(entry, place, entry.signers)
    }
    this.authorities.set(assetId, found)
    return found
  }

  /** Say whether what a transaction of another asset says about a twin counts. */
  verdict(twinId, entry, topic) {
    const name = `${twinId} ${entry.id} ${topic.kind} ${topic.stream}`
    let found = this.verdicts.get(name)
    if (found === undefined) {
      found = this.judged(twinId, entry, topic)
      this.verdicts.set(name, found)
    }
    return found
  }

  judged(twinId, entry, topic) {
    if (!this.isWhole(twinId)) return { standing: UNDETERMINED, via: null, why: 'missing_history' }
    const isBelonging = topic.kind === 'link' && entry.envelope?.kind !== 'link'
    const place = entry.place(isBelonging ? PART : LAST)
    let needs = null
    const controls = (child, able) => {
      if (!this.isWhole(child)) {
        needs = child
        return false
      }
      return this.holding(child).fulfilledBy(able, place).length > 0
    }
    const found = this.authority(twinId).judge(entry.signers, place, topic, entry.claimed, controls)
    if (found.standing !== AUTHORISED && needs !== null) {
      return { standing: UNDETERMINED, via: found.via, why: 'missing_history' }
    }
    return found
  }

  /** Say whether a key was the asset's own or among its owners' when something was said. */
  isController(assetId, key, entry) {
    const holders = this.holding(assetId)
    const place = entry.place(LAST)
    return holders.entityBefore(place) === key || holders.names(key, place)
  }

  /** Yield the transactions of an asset, what each wrote, and the template that it then had. */
  *written(assetId) {
    const unspent = new Set()
    let pin = null
    for (const entry of this.chain(assetId)) {
      if (entry.isCreate && entry.kind !== 'template') pin = pinOf(entry.envelope)
      for (const name of entry.spends) unspent.delete(name)
      entry.outputs.forEach((_, index) => unspent.add(`${entry.id}:${index}`))
      const envelope = envelopeOf(entry.metadata)
      const isWhole = unspent.size === 1
      if (isWhole && envelope?.kind === 'migrate') pin = pinOf(envelope) ?? pin
      yield { entry, written: withoutEnvelope(entry.metadata), kind: envelope?.kind, isWhole, pin }
    }
  }

  /** Return facts, state and owners of an asset as its last transaction left them. */
  state(assetId) {
    const chain = this.chain(assetId)
    const corrected = correctedBy(chain)
    const outputs = new Map()
    let common = Object.create(null)
    let frozen = null
    let pin = null
    for (const { entry, written, kind, isWhole, pin: pinned } of this.written(assetId)) {
      let before = Object.create(null)
      for (const name of entry.spends) {
        before = Object.assign(Object.create(null), before, outputs.get(name)?.state)
        outputs.delete(name)
      }
      const after = corrected.has(entry.id) ? before : Object.assign(Object.create(null), before, written)
      entry.outputs.forEach((output, index) => outputs.set(`${entry.id}:${index}`, { state: after, output }))
      pin = pinned
      if (isWhole) {
        common = after
        if (kind === 'freeze') frozen = entry
        if (kind === 'unfreeze') frozen = null
      } else frozen = null
    }
    const held = [...outputs.values()].map(({ output }) => output)
    return {
      facts: withoutEnvelope(chain[0]?.data ?? null),
      state: common,
      outputs: held,
      isSplit: outputs.size > 1,
      isBurned: held.length > 0 && held.every(({ isBurned }) => isBurned),
      frozen,
      pin,
      corrected,
    }
  }

  /** Yield what was said about a twin on its own chain and by others, with its standing. */
  records(twinId) {
    const found = []
    this.chain(twinId).forEach((entry) => {
      found.push({ entry, kind: entry.kind, body: bodyOf(entry.envelope), form: 'chain', verdict: OWNER })
    })
    for (const entry of this.about.get(twinId) ?? []) {
      const kind = entry.kind === 'statement' ? text(entry.envelope.says) : entry.kind
      if (kind === null) continue
      const body = bodyOf(entry.envelope)
      // A certificate weighs what its issuer weighs.
      const verdict = kind === 'certificate' ? null : this.verdict(twinId, entry, topicOf(kind, body))
      found.push({ entry, kind, body, form: 'statement', verdict })
    }
    return found
  }

  /** Return the streams of a twin with their records, those that count first. */
  streams(twinId) {
    const found = []
    for (const create of this.children.get(twinId) ?? []) {
      const name = text(create.envelope.name)
      if (create.kind !== 'stream' || name === null) continue
      const topic = { kind: 'stream', fields: [], stream: name }
      const verdict = this.verdict(twinId, create, topic)
      const anchors = this.chain(create.id)
        .filter((entry) => !entry.isCreate && (entry.kind === 'chunk' || entry.kind === 'reading'))
        .map((entry) => ({
          entry,
          kind: entry.kind,
          body: bodyOf(entry.envelope),
          verdict: this.verdict(twinId, entry, { kind: entry.kind, fields: [], stream: name }),
        }))
      found.push({ name, create, verdict, anchors })
    }
    const weight = ({ verdict }) => (verdict.standing === AUTHORISED ? 0 : 1)
    return found.sort((one, other) => weight(one) - weight(other))
  }

  /** Return the other children of a twin: its parts. */
  parts(twinId) {
    return (this.children.get(twinId) ?? [])
      .filter(({ kind }) => kind !== 'stream')
      .map((create) => ({ create, verdict: this.verdict(twinId, create, { kind: 'link', fields: [], stream: null }) }))
  }
}

function listed(map, name) {
  let found = map.get(name)
  if (found === undefined) {
    found = []
    map.set(name, found)
  }
  return found
}

function correctedBy(chain) {
  const found = new Set()
  for (let at = chain.length - 1; at >= 0; at--) {
    const { id, isCreate, envelope } = chain[at]
    const target = isCreate ? null : text(envelope?.corrects)
    if (target !== null && !found.has(id)) found.add(target)
  }
  return found
}

function pinOf(envelope) {
  const [template, cid] = [text(envelope?.template), text(envelope?.template_cid)]
  return template !== null && cid !== null ? { template, cid } : null
}

const WITH_FILES = new Set(['event', 'state', 'stage', 'maintenance', 'certificate'])

const isChunk = (chunk) =>
  isObject(chunk) &&
  Object.keys(chunk).sort().join() === 'cid,count,from,size,to' &&
  typeof chunk.cid === 'string' &&
  chunk.size instanceof Num &&
  chunk.count instanceof Num

/** Yield the CIDs that a record commits to, with what they are of. */
export function* committed(kind, body) {
  if (kind === 'chunk' && Array.isArray(body.chunks)) {
    // A list that is malformed somewhere commits to nothing.
    if (body.chunks.every(isChunk)) for (const { cid } of body.chunks) yield { cid, of: 'stream' }
  }
  if (kind === 'file' && typeof body.cid === 'string') yield { cid: body.cid, of: 'file' }
  if (WITH_FILES.has(kind) && Array.isArray(body.attachments)) {
    for (const file of body.attachments) {
      const isFile = isObject(file) && typeof file.name === 'string' && file.size instanceof Num
      if (isFile && typeof file.cid === 'string') yield { cid: file.cid, of: 'file' }
    }
  }
}
