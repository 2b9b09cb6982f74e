// What a transaction says, in a line for people. The texts in it are a stranger's.

import { Num, encode, isObject } from './json.js'
import { named, text, withoutEnvelope } from './record.js'

const MOST = 6
const LONGEST = 120

const cut = (value) => (value.length > LONGEST ? `${value.slice(0, LONGEST)}...` : value)
const start = (id) => `${id.slice(0, 10)}...`
const said = (word, value) => (typeof value === 'string' ? `${word} ${cut(value)}` : '')
const several = (listed) => {
  const words = (Array.isArray(listed) ? listed : []).filter((one) => typeof one === 'string')
  return words.slice(0, MOST).map(cut).join(', ') + (words.length > MOST ? ', ...' : '')
}

/** Return a value of a stranger as a short text. */
export function shown(value) {
  if (typeof value === 'string') return cut(value)
  if (value instanceof Num) return value.text
  if (isObject(value)) {
    const { latitude, longitude } = value
    if (latitude instanceof Num && longitude instanceof Num) return `${latitude.text}, ${longitude.text}`
  }
  return cut(encode(value))
}

const TELLING = {
  event: (body) => [text(body.type)],
  state: (body) => [
    typeof body.from === 'string' && typeof body.to === 'string' ? `${cut(body.from)} to ${cut(body.to)}` : '',
    text(body.reason),
  ],
  stage: (body) => [`${text(body.stage) ?? ''}${said(' in', body.location)}`],
  maintenance: (body) => [
    `${text(body.type) ?? ''}${said(' by', body.technician)}`,
    several(body.work),
    typeof body.total === 'string' ? `${body.total} ${text(body.currency) ?? ''}` : '',
    said('next', body.next),
  ],
  certificate: (body) => {
    if (typeof body.revokes === 'string') return [`revokes ${start(body.revokes)}`, text(body.reason)]
    const found = isObject(body.credential) ? body.credential : {}
    const subject = isObject(found.credentialSubject) ? found.credentialSubject : {}
    const words = ['certificateType', 'standard', 'certificateNumber'].map((name) => text(subject[name]))
    const issuer = isObject(found.issuer) ? said('by', found.issuer.name) : ''
    return [words.filter(Boolean).join(' '), issuer, said('until', found.validUntil)]
  },
  link: (body) => [
    typeof body.to === 'string' ? `${text(body.verb) ?? ''} ${start(body.to)}` : '',
    typeof body.from === 'string' ? `${start(body.from)} ${text(body.verb) ?? ''} this` : '',
  ],
  grant: (body) => [text(body.role), `to ${several(body.to)}`, said('until', body.until)],
  revoke: (body) => [
    body.all === true ? 'all that was granted' : '',
    Array.isArray(body.from) ? `from ${several(body.from)}` : '',
    typeof body.grant === 'string' ? `${text(body.verb) ?? ''} ${start(body.grant)}` : '',
    said('because:', body.reason),
  ],
  file: (body) => [text(body.name), text(body.type)],
  reading: (body) => [count(body.readings, 'reading')],
  chunk: (body) => [count(body.chunks, 'chunk'), readingsOf(body.chunks)],
}

export const count = (listed, noun) => {
  const number = Array.isArray(listed) ? listed.length : 0
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

function readingsOf(chunks) {
  const counts = (Array.isArray(chunks) ? chunks : []).map((one) => (one?.count instanceof Num ? one.count.value : 0))
  return `${counts.reduce((sum, one) => sum + one, 0)} readings`
}

const NAMES = {
  asset: 'created',
  identity: 'registered as an identity',
  template: 'registered as a template',
  stream: 'stream created',
  append: 'recorded',
  transfer: 'handed over',
  burn: 'ended',
  migrate: 'held to a template',
  freeze: 'frozen',
  unfreeze: 'released',
  reading: 'readings',
  chunk: 'readings',
  grant: 'granted',
  revoke: 'taken back',
  file: 'file attached',
}

/** Return the kind of a record in a word or two, and what it says. */
export function inWords(kind, body, entry) {
  const name = kind === null ? (entry.isCreate ? 'created' : 'recorded') : (NAMES[kind] ?? cut(kind))
  const telling = Object.hasOwn(TELLING, kind ?? '') ? TELLING[kind] : null
  const parts = telling === null ? [] : telling(body)
  if (kind === 'migrate') parts.push(text(entry.envelope?.template))
  if (typeof entry.envelope?.corrects === 'string') parts.push(`corrects ${start(entry.envelope.corrects)}`)
  const written = withoutEnvelope(entry.isCreate ? entry.data : entry.metadata)
  if (telling === null || kind === 'state') {
    const names = Object.keys(written)
    parts.push(...names.slice(0, MOST).map((key) => `${cut(key)} ${shown(written[key])}`))
    if (names.length > MOST) parts.push('...')
  }
  return { name, told: parts.filter(Boolean).join('; ') }
}

/** Return a key as people may know it: the did:key, or the beginning of the key. */
export const whom = (did) => named(did)?.key ?? did

export const WHY = {
  owner: 'an owner says it',
  grant: 'the owner granted it',
  link: 'by a linked part',
  entity: 'the thing itself claims it',
  revoked: 'the right was taken back',
  expired: 'the right had expired',
  ended: 'the right ended when the twin was handed over',
  scope: 'outside what was granted',
  unknown_record: 'a record here is of a kind that this page does not know',
  no_block_time: 'the right had an end, and the time of the block is not known',
  stranger: 'nobody allowed this signer to speak for the twin',
  missing_history: 'the history that decides it is not here',
}
