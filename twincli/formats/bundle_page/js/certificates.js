// Certificates: W3C credentials with eddsa-jcs-2022 proofs, their issuers, and how they stand.

import { fromBase58, join, keyBytes, utf8 } from './bytes.js'
import { sha256 } from './digests.js'
import { verify } from './ed25519.js'
import { Num, encode, isObject } from './json.js'
import { named, parseTime, text } from './record.js'

const MOST_PROOFS = 8

const listed = (value) => (Array.isArray(value) ? value : value === null || value === undefined ? [] : [value])

/** Return the JCS form (RFC 8785), or null where a number has none. */
export function jcs(value) {
  if (value instanceof Num) {
    const number = value.value
    if (value.isInteger && !Number.isSafeInteger(number)) return null
    return Number.isFinite(number) ? String(Object.is(number, -0) ? 0 : number) : null
  }
  if (Array.isArray(value)) {
    const items = value.map(jcs)
    return items.includes(null) ? null : `[${items.join(',')}]`
  }
  if (!isObject(value)) return encodeText(value)
  // JCS orders by UTF-16, as JavaScript does.
  const members = Object.keys(value).sort().map((key) => [key, jcs(value[key])])
  if (members.some(([, item]) => item === null)) return null
  return `{${members.map(([key, item]) => `${encodeText(key)}:${item}`).join(',')}}`
}

const encodeText = (value) =>
  encode(value).replace(/\\u00([01][0-9A-F])/g, (_, digits) => `\\u00${digits.toLowerCase()}`)

/** Return the base58 key of a verification method, or null. */
function keyOf(method) {
  if (typeof method !== 'string' || !method.includes('#')) return null
  return named(method)?.key ?? null
}

/** Say of one proof whether it holds: true, false, or null with why. */
async function holds(document, proof) {
  if (proof.type !== 'DataIntegrityProof' || proof.cryptosuite !== 'eddsa-jcs-2022') return null
  if ('previousProof' in proof) return null
  if (proof.proofPurpose !== 'assertionMethod' || typeof proof.verificationMethod !== 'string') return false
  const key = keyOf(proof.verificationMethod)
  if (key === null) return proof.verificationMethod.startsWith('did:key:') ? false : null
  const value = text(proof.proofValue) ?? ''
  const signature = value[0] === 'z' ? fromBase58(value.slice(1), 128) : null
  if (signature === null || signature.length !== 64) return false
  const options = Object.assign(Object.create(null), proof)
  delete options.proofValue
  const bare = Object.assign(Object.create(null), document)
  delete bare.proof
  if ('@context' in options) {
    const [mine, theirs] = [listed(options['@context']), listed(bare['@context'])]
    if (mine.some((item, at) => theirs[at] === undefined || encode(item) !== encode(theirs[at]))) return false
    bare['@context'] = options['@context']
  }
  const [head, body] = [jcs(options), jcs(bare)]
  if (head === null || body === null) return false
  return verify(keyBytes(key), join([sha256(utf8(head)), sha256(utf8(body))]), signature)
}

/** Return whether the proofs of a credential hold, and its issuer signed: true, false or null. */
async function isRight(document, issuer) {
  const proofs = listed(document.proof)
  if (!proofs.length || proofs.length > MOST_PROOFS || !proofs.every(isObject)) return false
  const answers = await Promise.all(proofs.map((proof) => holds(document, proof)))
  if (answers.includes(false) || issuer === null) return false
  const signed = proofs.filter((_, at) => answers[at]).map((proof) => keyOf(proof.verificationMethod))
  const key = named(issuer)?.key
  if (key !== undefined && answers.includes(true)) return signed.includes(key)
  return null
}

/** Return the certificates of a twin, as they stand at a time. */
export async function certificates(book, twinId, nowMs) {
  const records = book.records(twinId).filter(({ kind }) => kind === 'certificate')
  const found = []
  for (const record of records) {
    const document = record.body.credential
    if (!isObject(document)) continue
    const issuer = isObject(document.issuer) ? text(document.issuer.id) : text(document.issuer)
    const subjects = listed(document.credentialSubject).filter(isObject)
    const first = subjects[0] ?? {}
    const key = issuer?.startsWith('did:key:') ? (named(issuer)?.key ?? null) : null
    const issuerName = isObject(document.issuer) ? text(document.issuer.name) : null
    const assets = subjects.map((one) => named(one.id)?.asset).filter((asset) => asset !== undefined)
    found.push({
      record,
      issuer,
      key,
      issuerName,
      declared: text(first.declaredIssuer),
      about: assets.length ? assets.includes(twinId) : null,
      label: ['certificateType', 'standard', 'certificateNumber'].map((name) => text(first[name])).filter(Boolean).join(' '),
      id: text(document.id),
      from: text(document.validFrom) ?? text(document.issuanceDate),
      until: text(document.validUntil) ?? text(document.expirationDate),
      isRight: await isRight(document, issuer),
      name: `${key} ${text(document.id) ?? encode(document)}`,
      revoked: null,
    })
  }
  for (const { body, entry } of records) {
    for (const one of found) {
      const isMeant = body.revokes === one.record.entry.id
      if (!isMeant || one.key === null || !entry.signers.has(one.key)) continue
      // What its issuer revoked is revoked in every record of it.
      for (const other of found) if (other.name === one.name) other.revoked ??= { entry, reason: text(body.reason) }
    }
  }
  for (const one of found) {
    one.form = form(book, twinId, one)
    one.status = status(one, nowMs)
  }
  return found
}

function form(book, twinId, { declared, key, issuerName, record }) {
  if (declared !== null) return 'self-declared'
  const { entry } = record
  if (key !== null && issuerName !== null) {
    const isOwn = record.form === 'chain' && entry.signers.has(key)
    if (isOwn || book.isController(twinId, key, entry)) return 'self-declared'
  }
  return key !== null && entry.signers.has(key) ? 'issued' : 'foreign'
}

function status({ isRight: right, about, revoked, from, until }, nowMs) {
  if (right === false || about === false) return 'invalid'
  if (revoked !== null && (revoked.entry.claimed ?? revoked.entry.timeMs) <= nowMs) return 'revoked'
  const [first, last] = [parseTime(from), parseTime(until)]
  if (last !== null && nowMs > last) return 'expired'
  if (first !== null && nowMs < first) return 'not yet valid'
  return right === true ? 'valid' : 'not checked'
}

