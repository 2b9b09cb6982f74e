// The judge: whether a bundle is what it says, and where it is not.

import { Refused, equal, fromHex, isHex, keyBytes, text } from './bytes.js'
import { CHECKPOINT, CONTENT, LONGEST_NAME, MANIFEST, PAGE, PROOFS, TRANSACTIONS, isShort, open } from './bundle.js'
import { AUTHORISED, UNDETERMINED as STANDS_OPEN } from './authority.js'
import { Book, Entry, committed } from './book.js'
import { certificates } from './certificates.js'
import { isCid, matches } from './cid.js'
import { Unsupported, prepare } from './ed25519.js'
import { decode } from './json.js'
import { Tree, ledgerLeaf } from './merkle.js'
import { isSigned, parse as parseNote } from './note.js'
import { named } from './record.js'
import { check, sameKeys } from './structure.js'
import { Catalogue, faultOf } from './template.js'

export const VERIFIED = 'verified'
export const CONSISTENT = 'consistent'
export const FAILED = 'failed'
export const UNDETERMINED = 'undetermined'

export const PARTS = [
  'data_integrity',
  'ledger_proof',
  'attachment_hashes',
  'authority',
  'references',
  'audit_trail',
]
const MOST_PROBLEMS = 1000
const AT_ONCE = 256 // signatures that the browser verifies at the same time
const PATIENCE = 30 // milliseconds until the page may draw

/** What was found, part by part; the first problem stands first. */
export class Report {
  constructor() {
    this.parts = {}
    for (const name of PARTS) this.parts[name] = { checked: 0, failed: 0, unknown: 0, problems: [] }
    this.anchors = []
    this.manifest = null
    this.book = null
    this.bundle = null
    this.catalogue = null
  }

  count(part, number = 1) {
    this.parts[part].checked += number
  }

  fail(part, code, where, message) {
    this.note(part, { code, where, message, severity: FAILED })
  }

  lack(part, code, where, message) {
    this.note(part, { code, where, message, severity: UNDETERMINED })
  }

  note(part, problem) {
    const held = this.parts[part]
    if (problem.severity === FAILED) held.failed++
    else held.unknown++
    if (held.problems.length < MOST_PROBLEMS) held.problems.push(problem)
  }

  statusOf(part) {
    const { failed, unknown, checked } = this.parts[part]
    if (failed) return FAILED
    if (unknown) return UNDETERMINED
    return checked ? 'ok' : 'not_checked'
  }

  get status() {
    const found = PARTS.map((part) => this.statusOf(part))
    const mismatch = this.anchors.some(({ matched }) => matched === false)
    if (found.includes(FAILED) || mismatch) return FAILED
    if (found.includes(UNDETERMINED)) return UNDETERMINED
    if (this.anchors.some(({ matched }) => matched === null)) return UNDETERMINED
    return this.anchors.length ? VERIFIED : CONSISTENT
  }

  /** The first problem: an altered thing before a missing one. */
  get first() {
    for (const severity of [FAILED, UNDETERMINED]) {
      for (const part of PARTS) {
        const found = this.parts[part].problems.find((one) => one.severity === severity)
        if (found !== undefined) return { part, ...found }
      }
      const off = severity === FAILED ? false : null
      const anchor = this.anchors.find(({ matched }) => matched === off)
      if (anchor !== undefined) {
        return { part: 'anchors', code: 'anchor', where: anchor.anchor, message: anchor.message, severity }
      }
    }
    return null
  }

  /** As a document, for programs. */
  get document() {
    const parts = {}
    for (const name of PARTS) {
      const { checked, problems } = this.parts[name]
      parts[name] = { status: this.statusOf(name), checked, problems }
    }
    return { status: this.status, anchors: this.anchors, parts }
  }
}

class Pace {
  constructor(told) {
    this.told = told
    this.since = performance.now()
  }

  /** Tell how far it is, and let the page draw. */
  async tell(what, done, total) {
    if (performance.now() - this.since < PATIENCE) return
    this.told(what, done, total)
    await new Promise((resolve) => setTimeout(resolve))
    this.since = performance.now()
  }
}

/**
 * Judge a bundle.
 *
 * source: from `ofBytes` or `ofFile`. anchors: {asset, issuer, root, ledgerKey}, what is known from
 * elsewhere. pages: SHA-256, in hex, of the pages that releases had. shipped: the compiled templates
 * of twincli, as texts. told(what, done, total).
 */
export async function verify(source, { anchors = {}, pages = null, shipped = [], told = () => {} } = {}) {
  const report = new Report()
  const pace = new Pace(told)
  let bundle
  try {
    bundle = await open(source)
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    if (error.code === 'newer_version') report.lack('data_integrity', error.code, MANIFEST, error.message)
    else report.fail('data_integrity', error.code, error.where ?? 'the file', error.message)
    return report
  }
  report.bundle = bundle
  report.manifest = bundle.manifest
  report.book = new Book()
  try {
    await prepare()
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error
    report.lack('data_integrity', 'no_ed25519', 'this browser', error.message)
    return report
  }
  await checkEntries(bundle, pages, report, pace)
  await checkTransactions(bundle, report, pace)
  await checkCheckpoint(bundle, report)
  checkTwin(report)
  // What altered transactions say is not asked: it is not what was said, or not then.
  const isSound = ['data_integrity', 'ledger_proof'].every((part) => report.statusOf(part) !== FAILED)
  if (isSound) {
    checkSpeakers(report)
    await checkContent(bundle, report, pace)
    report.catalogue = new Catalogue(report.book, shipped)
    await checkTemplates(report, pace)
    await checkReferences(report)
  }
  checkAnchors(bundle, anchors, report)
  return report
}

/** The twin that it is about is here, and the manifest calls it what its CREATE does. */
function checkTwin(report) {
  const { book, manifest } = report
  const create = book.entries.get(manifest.assetId)
  if (!create?.isCreate) {
    const message = 'the CREATE of the twin that it is about is not here'
    report.lack('data_integrity', 'not_found', manifest.assetId, message)
    return
  }
  const name = create.envelope?.name
  if (manifest.name !== (isShort(name, LONGEST_NAME) ? name : null)) {
    const message = 'the manifest calls the twin other than its CREATE does'
    report.fail('data_integrity', 'wrong_name', MANIFEST, message)
  }
}

function partOf(name) {
  if (name === CHECKPOINT || name === PROOFS) return 'ledger_proof'
  return name.startsWith(CONTENT) ? 'attachment_hashes' : 'data_integrity'
}

async function checkEntries(bundle, pages, report, pace) {
  let done = 0
  const total = bundle.source.size
  for (const [name, { sha256 }] of bundle.places) {
    report.count('data_integrity')
    const isAltered = await bundle.isAltered(name, (size) => (done += size))
    const part = partOf(name)
    if (isAltered) report.fail(part, 'altered_entry', name, `${name} is not what the manifest lists`)
    else if (name === PAGE && pages !== null && !pages.includes(sha256)) {
      report.fail('data_integrity', 'unknown_page', name, 'the page in it is not one that a release of twincli had')
    }
    await pace.tell('entries', done, total)
  }
}

async function checkTransactions(bundle, report, pace) {
  const { profile, size } = bundle.manifest
  const tree = new Tree(size, bundle.manifest.root)
  const isStrict = profile === 'strict'
  if (!isStrict && profile !== 'server-2.2.2') {
    report.fail('data_integrity', 'unknown_profile', MANIFEST, 'the rules of its ledger are not known here')
  }
  const links = new Links(report, isStrict)
  const total = bundle.places.get(TRANSACTIONS).size
  let done = 0
  let waiting = []
  let asked = Promise.resolve()
  const judged = async (batch) => {
    const answers = await Promise.all(batch.map((checked) => checked.verify()))
    answers.forEach((isGood, at) => {
      if (!isGood) {
        const said = 'a signature does not belong to this transaction'
        report.fail('data_integrity', 'invalid_signature', batch[at].id, said)
      }
    })
  }
  // While the browser verifies some signatures, the next transactions are read.
  const ask = async () => {
    await asked
    asked = judged(waiting)
    waiting = []
  }
  try {
    for await (const line of bundle.lines()) {
      done += line.body.length + 1
      report.count('data_integrity')
      const checked = readLine(line, isStrict, report, links)
      if (checked !== null) {
        waiting.push(checked)
        report.count('ledger_proof')
        const leaf = ledgerLeaf(line.height, line.timeMs, checked.id)
        if (!tree.includes(leaf, line.index, line.path)) {
          report.fail('ledger_proof', 'inclusion_mismatch', checked.id, 'its proof does not lead to the root of the checkpoint')
        }
        if (links.take(checked)) report.book.add(new Entry(checked, line))
      }
      if (waiting.length >= AT_ONCE) await ask()
      await pace.tell('transactions', done, total)
    }
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    report.fail('data_integrity', error.code, error.where ?? TRANSACTIONS, error.message)
  }
  await ask()
  await asked
  links.finish()
}

function readLine(line, isStrict, report, links) {
  let where = `transaction ${line.index}`
  let source
  let checked
  try {
    source = text(line.body)
    const tx = decode(source)
    if (isHex(tx?.id)) where = tx.id
    checked = check(tx)
  } catch (error) {
    links.refuse(where)
    const code = error instanceof Refused ? error.code : 'invalid_json'
    const message = error instanceof Refused ? error.message : 'it is not UTF-8'
    if (isStrict || ['invalid_hash', 'invalid_json'].includes(code)) {
      report.fail('data_integrity', code, where, message)
    } else {
      // What BigchainDB 2.2.2 takes besides is not judged by a page.
      report.lack('data_integrity', code, where, `this page cannot judge it: ${message}`)
    }
    return null
  }
  if (checked.text !== source) {
    report.fail('data_integrity', 'not_canonical', checked.id, 'its text is not the canonical one')
  }
  if (isStrict && checked.deviations.length) {
    const [{ code, message }] = checked.deviations
    links.refuse(checked.id)
    report.fail('data_integrity', code, checked.id, message)
    return null
  }
  return checked
}

/** What transactions spend: exists, once, of the same asset, the same amount, by who may. */
class Links {
  constructor(report, isStrict) {
    this.report = report
    this.isStrict = isStrict
    this.known = new Map()
    this.spent = new Map()
    this.refused = new Set()
    this.gaps = []
  }

  /** Take the next transaction; say whether it holds together with those before it. */
  take(checked) {
    const { id } = checked
    const fault = this.faultOf(checked)
    if (fault !== null) {
      this.refuse(id)
      if (fault.code === 'missing_transaction') this.gaps.push({ id, ...fault })
      else if (fault.code !== 'follows_refused') {
        this.report.fail('data_integrity', fault.code, id, fault.message)
      }
      return false
    }
    for (const { spends } of checked.inputs) {
      if (spends !== null) this.spent.set(`${spends.id}:${spends.index}`, id)
    }
    const outputs = checked.outputs.map(({ amount, uri, keys }) => ({ amount, uri, keys }))
    this.known.set(id, { assetId: checked.assetId, outputs })
    return true
  }

  refuse(id) {
    if (!this.known.has(id)) this.refused.add(id)
  }

  faultOf(checked) {
    const wrong = (code, message) => ({ code, message })
    if (this.known.has(checked.id)) return wrong('duplicate_transaction', 'it occurs twice')
    if (checked.operation === 'CREATE') return null
    let total = 0n
    const names = new Set()
    for (const [number, { spends, fulfillment, owners }] of checked.inputs.entries()) {
      const known = this.known.get(spends.id)
      if (known === undefined) {
        if (this.refused.has(spends.id)) return wrong('follows_refused', '')
        return { ...wrong('missing_transaction', `it spends ${spends.id}, which is not here`), spends: spends.id }
      }
      const name = `${spends.id}:${spends.index}`
      const spender = this.spent.get(name)
      if (spender !== undefined || names.has(name)) {
        return wrong('double_spend', `output ${spends.index} of ${spends.id} was already spent by ${spender ?? 'it'}`)
      }
      names.add(name)
      const output = known.outputs[Number(spends.index)]
      if (output === undefined) {
        return wrong('input_does_not_exist', `${spends.id} has no output ${spends.index}`)
      }
      if (known.assetId !== checked.assetId) {
        return wrong('asset_id_mismatch', `input ${number} belongs to another asset`)
      }
      if (fulfillment.uri !== output.uri) {
        return wrong('invalid_signature', `input ${number} does not fulfil what the output asks for`)
      }
      if (this.isStrict && !sameKeys(owners, output.keys)) {
        return wrong('owners_before_mismatch', `input ${number} names other owners than the output`)
      }
      total += output.amount
    }
    const made = checked.outputs.reduce((sum, { amount }) => sum + amount, 0n)
    return total === made ? null : wrong('amount_error', `the inputs hold ${total}, the outputs ${made}`)
  }

  /** Tell what is missing from what comes too late. */
  finish() {
    for (const { id, spends, message } of this.gaps) {
      if (this.known.has(spends) || this.refused.has(spends)) {
        this.report.fail('data_integrity', 'input_does_not_exist', id, `it spends ${spends}, which comes after it`)
      } else this.report.lack('data_integrity', 'missing_transaction', id, message)
    }
  }
}

async function checkCheckpoint(bundle, report) {
  const { size, root, ledgerId, publicKey } = bundle.manifest
  report.count('ledger_proof')
  const fail = (code, message) => report.fail('ledger_proof', code, CHECKPOINT, message)
  let note
  try {
    note = parseNote(await bundle.read(CHECKPOINT))
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    fail(error.code, error.message)
    return
  }
  const isGood = await isSigned(note, `twincli/${ledgerId}`, publicKey)
  if (isGood === false) fail('bad_note_signature', 'the signature of the ledger is not of this checkpoint')
  else if (note.origin !== `twincli/${ledgerId}`) {
    fail('checkpoint_mismatch', 'the checkpoint is of another ledger')
  } else if (isGood === null) {
    fail('checkpoint_mismatch', 'the checkpoint is not signed by the key of this ledger')
  } else if (note.size > size) {
    fail('checkpoint_mismatch', `the checkpoint has ${note.size} transactions, the bundle ${size}`)
  } else if (note.size < size) {
    const message = `a checkpoint of ${note.size} transactions cannot be compared`
    report.lack('ledger_proof', 'no_checkpoint', CHECKPOINT, message)
  } else if (!equal(note.root, fromHex(root))) {
    fail('root_mismatch', 'its root is not that of the bundle')
  }
}

/** Judge what is said about every asset that is here. */
function checkSpeakers(report) {
  const { book } = report
  const judged = (verdict, { id }, what) => {
    report.count('authority')
    if (verdict.standing === STANDS_OPEN) {
      report.lack('authority', 'authority_undetermined', id, `whether this ${what} counts cannot be told`)
    }
  }
  for (const assetId of book.assets()) {
    for (const { create, verdict } of book.parts(assetId)) judged(verdict, create, 'part')
    for (const { create, verdict, anchors } of book.streams(assetId)) {
      judged(verdict, create, 'stream')
      for (const one of anchors) judged(one.verdict, one.entry, one.kind)
    }
    for (const { kind, verdict, entry } of book.records(assetId)) {
      if (verdict !== null && !PLAIN.has(kind)) judged(verdict, entry, kind)
    }
  }
}

const PLAIN = new Set([null, 'append', 'transfer', 'burn', 'asset', 'identity', 'template', 'stream'])

/** Return what is committed to by those whose word counts: CID to {of, where, stream}. */
export function commitments(book) {
  const found = new Map()
  const take = (kind, body, entry, stream) => {
    for (const { cid, of } of committed(kind, body)) {
      if (isCid(cid) && !found.has(cid)) found.set(cid, { of, where: entry.id, stream })
    }
  }
  for (const assetId of book.assets()) {
    for (const { kind, body, entry, verdict } of book.records(assetId)) {
      if (verdict?.standing === AUTHORISED && kind !== 'chunk') take(kind, body, entry, null)
    }
    for (const { name, anchors } of book.streams(assetId)) {
      for (const { kind, body, entry, verdict } of anchors) {
        if (verdict.standing === AUTHORISED && kind === 'chunk') take(kind, body, entry, name)
      }
    }
  }
  return found
}

async function checkContent(bundle, report, pace) {
  const { leftOut } = bundle.manifest
  const here = new Set(bundle.contents)
  // What the exporter did not have itself ('missing') was not left out by choice.
  const left = new Set(leftOut.map(({ what, stream, cid }) => `${what} ${stream ?? cid}`))
  const named = commitments(report.book)
  const all = new Set([...named.keys(), ...here])
  let done = 0
  for (const cid of all) {
    const { where, stream } = named.get(cid) ?? { where: null, stream: null }
    report.count('attachment_hashes')
    if (here.has(cid)) {
      if (!(await matches(cid, await bundle.read(CONTENT + cid)))) {
        const by = where === null ? '' : `; ${where} names it`
        report.fail('attachment_hashes', 'altered', cid, `the content is not what its CID says${by}`)
      }
    } else if (!left.has(`file ${cid}`) && !(stream !== null && left.has(`stream ${stream}`))) {
      report.lack('attachment_hashes', 'missing_content', cid, `the content is missing; ${where} commits to it`)
    }
    await pace.tell('content', ++done, all.size)
  }
}

/** Hold what was written to the template that the twin had then. */
async function checkTemplates(report, pace) {
  const { book, catalogue } = report
  const all = book.assets()
  let done = 0
  for (const assetId of all) {
    const missing = new Set()
    for (const { entry, written, pin } of book.written(assetId)) {
      if (pin === null) continue
      report.count('references')
      const model = await catalogue.of(pin)
      const fault = model === null ? null : faultOf(model, entry, written)
      if (fault !== null) report.fail('references', fault.code, entry.id, fault.message)
      if (model === null && !missing.has(pin.cid)) {
        missing.add(pin.cid)
        const said = `the template ${pin.template} of this twin (${pin.cid}) is not here`
        report.lack('references', 'missing_template', entry.id, said)
      }
      await pace.tell('templates', done, all.length)
    }
    done++
  }
}

async function checkReferences(report) {
  const { book } = report
  for (const assetId of book.assets()) {
    for (const one of await certificates(book, assetId, Date.now())) {
      report.count('references')
      // Anybody can record one about a twin; that of its owners is theirs to answer for.
      if (one.isRight === false && one.record.form === 'chain') {
        report.fail('references', 'bad_credential', one.record.entry.id, 'the certificate is not what its issuer signed')
      }
    }
  }
}

/** Hold what is known from elsewhere against the bundle. */
function checkAnchors(bundle, anchors, report) {
  const { manifest } = bundle
  const { book } = report
  const say = (anchor, value, matched, message) =>
    report.anchors.push({ anchor, value, matched, message })
  const first = book.entries.get(manifest.assetId)
  if (anchors.asset) {
    const isIt = anchors.asset === manifest.assetId
    if (!isIt) say('asset', anchors.asset, false, `the bundle is about ${manifest.assetId}`)
    else if (first === undefined) say('asset', anchors.asset, false, 'the bundle does not have this asset')
    else say('asset', anchors.asset, true, 'the bundle is about this asset')
  }
  if (anchors.issuer) {
    const whom = keyBytes(anchors.issuer) === null ? named(anchors.issuer) : { key: anchors.issuer }
    const made = first === undefined ? '' : [...first.signers].join(', ')
    let matched = null
    if (first !== undefined && whom?.key !== undefined) matched = first.signers.has(whom.key)
    else if (first !== undefined && whom?.asset !== undefined && book.isWhole(whom.asset)) {
      matched = book.holding(whom.asset).fulfilledBy(first.signers, first.place(Number.MAX_SAFE_INTEGER)).length > 0
    }
    const message = { true: 'the issuer made the twin', false: `the twin was made by ${made}` }
    say('issuer', anchors.issuer, matched, message[matched] ?? 'the bundle does not have the identity that this names')
  }
  if (anchors.root) {
    const isIt = anchors.root === manifest.root
    say('root', anchors.root, isIt ? true : null, isIt ? 'it is the root of the bundle' : `the root of the bundle is ${manifest.root}`)
  }
  if (anchors.ledgerKey) {
    const isIt = anchors.ledgerKey === manifest.publicKey
    const isSound = report.statusOf('ledger_proof') === 'ok'
    if (!isIt) say('ledger_key', anchors.ledgerKey, false, `the bundle names the key ${manifest.publicKey}`)
    else say('ledger_key', anchors.ledgerKey, isSound ? true : null, isSound ? 'it signed the checkpoint' : 'it did not sign what is here')
  }
}

