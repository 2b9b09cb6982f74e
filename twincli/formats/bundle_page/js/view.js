// The twin as a page shows it: card, life, streams, certificates, signers, what is missing.

import { AUTHORISED } from './authority.js'
import { CONTENT } from './bundle.js'
import { certificates } from './certificates.js'
import { chart, track } from './charts.js'
import * as cids from './cid.js'
import { el, facts, growing, short, table, time } from './dom.js'
import { Num, encode, isObject } from './json.js'
import { readings } from './parquet.js'
import { bodyOf, parseTime, text, withoutEnvelope } from './record.js'
import { commitments } from './verify.js'
import { WHY, count, inWords, shown } from './words.js'

const LISTED = 100
const MOST_SERIES = 24
const MOST_CHUNKS = 400
const MOST_DEFAULT = 12

const section = (id, title, ...children) =>
  el('section', { 'aria-labelledby': id }, el('h2', { id }, title), ...children)

const badge = (word, kind) => el('span', { class: `badge ${kind}` }, word)

const STANDINGS = {
  authorised: ['counts', 'good'],
  claimed_by_entity: ['claimed by the thing itself', 'quiet'],
  unauthorised: ['does not count', 'bad'],
  revoked: ['does not count: revoked', 'bad'],
  undetermined: ['cannot be told', 'warn'],
}

function standing(verdict) {
  const [word, kind] = STANDINGS[verdict.standing]
  return el('span', { title: WHY[verdict.why] ?? verdict.why }, badge(word, kind))
}

/** Draw all that a bundle says about its twin. */
export async function draw(report, holder) {
  const { book, manifest } = report
  const twinId = manifest.assetId
  const found = book.state(twinId)
  const template = await templateOf(report.catalogue, found.pin)
  const streams = book.streams(twinId)
  holder.replaceChildren(
    card(book, manifest, found, template),
    await certificateList(book, twinId),
    streamList(report, streams, template),
    life(book, twinId, streams),
    people(book, twinId, streams),
    missing(report),
    aboutBundle(report)
  )
}

// --- The card -----------------------------------------------------------------------------------

/** Return the template that a twin is held to, as it is shown, or null. */
async function templateOf(catalogue, pin) {
  const model = catalogue === null || pin === null ? null : await catalogue.of(pin)
  if (model === null) return null
  const { id, document } = model
  const view = isObject(document.view) ? document.view : {}
  const texts = (value) => (Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [])
  return {
    id,
    name: document.name,
    fields: [document.trackingFields ?? [], document.facts ?? []].flat(),
    title: text(view.title),
    card: texts(view.card),
    charts: texts(view.charts),
    map: text(view.map),
  }
}

function fieldOf(template, path) {
  let fields = template?.fields ?? []
  let found = {}
  for (const name of path.split('.')) {
    found = fields.find((one) => isObject(one) && one.name === name) ?? {}
    fields = Array.isArray(found.fields) ? found.fields : []
  }
  return found
}

function at(path, ...members) {
  for (const held of members) {
    let value = held
    for (const name of path.split('.')) value = isObject(value) && name in value ? value[name] : null
    if (value !== null && value !== undefined) return value
  }
  return null
}

function card(book, manifest, found, template) {
  const twinId = manifest.assetId
  const [first] = book.chain(twinId)
  const chain = book.chain(twinId)
  const last = chain[chain.length - 1]
  const name = text(first?.envelope?.name) ?? manifest.name ?? 'A twin'
  const titled = template?.title ? at(template.title, found.state, found.facts) : null
  const owners = [...new Set(found.outputs.flatMap(({ keys }) => keys))]
  const paths = template?.card.length
    ? template.card
    : [...new Set([...Object.keys(found.facts), ...Object.keys(found.state)])]
  const values = paths.slice(0, template?.card.length ? 100 : MOST_DEFAULT).map((path) => {
    const value = at(path, found.state, found.facts)
    const { label, unit } = fieldOf(template, path)
    const told = value === null ? '' : `${shown(value)}${text(unit) === null ? '' : ` ${unit}`}`
    return [text(label) ?? path, told]
  })
  let status = null
  if (found.isBurned) status = badge('ended', 'warn')
  else if (found.frozen !== null) status = badge('frozen', 'warn')
  const everything = (document) => el('pre', { tabindex: 0 }, indented(document))
  return section(
    'card',
    'The twin',
    el('h3', { class: 'name' }, name, typeof titled === 'string' && titled !== name ? ` · ${titled}` : '', ' ', status),
    el('div', { class: 'card' }, facts(values)),
    facts([
      ['id', el('code', {}, `did:bdb:${twinId}`)],
      ['owned by', el('span', {}, owners.map((key, place) => [place ? ', ' : '', el('code', {}, key)]).flat())],
      ['created', first ? time(first.timeMs) : null],
      ['last recorded', last ? time(last.timeMs) : null],
      ['template', template === null ? (found.pin?.template ?? null) : `${template.name} (${template.id})`],
    ]),
    el(
      'details',
      {},
      el('summary', {}, 'All facts and values'),
      el('h4', {}, 'Facts, as they were created'),
      everything(found.facts),
      el('h4', {}, found.isSplit ? 'Values, as they were when it was split' : 'Values now'),
      everything(found.state)
    )
  )
}

function indented(value, depth = 0) {
  const pad = '  '.repeat(depth + 1)
  if (Array.isArray(value) && value.length) {
    return `[\n${value.map((one) => pad + indented(one, depth + 1)).join(',\n')}\n${pad.slice(2)}]`
  }
  if (isObject(value) && Object.keys(value).length) {
    const members = Object.keys(value).map((key) => `${pad}${key}: ${indented(value[key], depth + 1)}`)
    return depth || members.length ? `${depth ? '{\n' : ''}${members.join('\n')}${depth ? `\n${pad.slice(2)}}` : ''}` : '{}'
  }
  return value instanceof Num ? value.text : encode(value)
}

// --- Certificates -------------------------------------------------------------------------------

const CERTIFICATE_KINDS = { valid: 'good', 'not checked': 'warn', 'not yet valid': 'warn' }

async function certificateList(book, twinId) {
  const found = await certificates(book, twinId, Date.now())
  const rows = found.map((one) => [
    one.label || one.id || 'a credential',
    el('span', {}, badge(one.status, CERTIFICATE_KINDS[one.status] ?? 'bad'), ' ', one.revoked?.reason ?? ''),
    el('span', {}, one.issuerName ?? '', ' ', el('code', {}, one.issuer ?? 'nobody'), one.declared ? ` for ${one.declared}` : ''),
    one.form,
    el('span', {}, one.until === null ? 'no end' : time(parseTime(one.until))),
    short(one.record.entry.id),
  ])
  return section(
    'certificates',
    'Certificates',
    table(['certificate', 'stands', 'issuer', 'form', 'valid until', 'recorded by'], rows, 'It has none.'),
    rows.length
      ? el('p', { class: 'quiet' }, 'A certificate is worth what its issuer is worth to you. What a status list elsewhere says is not asked: this page asks nothing of the network.')
      : ''
  )
}

// --- Streams ------------------------------------------------------------------------------------

const LATITUDE = /(^|\.)latitude$/

function streamList(report, streams, template) {
  const twinId = report.manifest.assetId
  const own = report.book
    .chain(twinId)
    .filter(({ kind, isCreate }) => !isCreate && kind === 'reading')
    .map((entry) => ({ entry, kind: 'reading', body: bodyOf(entry.envelope), verdict: { standing: AUTHORISED } }))
  const made = streams.map((stream) => oneStream(report, stream, template))
  const values = charted(report.book, twinId, template)
  if (own.length) made.unshift(oneStream(report, { name: 'readings', anchors: own, verdict: null }, template))
  if (!made.length && !values.length) {
    return section('streams', 'Streams', el('p', { class: 'quiet' }, 'It has none.'))
  }
  return section('streams', 'Track and charts', values, made)
}

/** Draw the numbers that appends recorded, of the fields that the template charts. */
function charted(book, twinId, template) {
  const paths = template?.charts ?? []
  const points = new Map(paths.map((path) => [path, []]))
  const places = []
  const { corrected } = book.state(twinId)
  for (const entry of book.chain(twinId)) {
    if (corrected.has(entry.id)) continue
    const written = withoutEnvelope(entry.metadata)
    const when = entry.claimed ?? entry.timeMs
    for (const path of paths) {
      const value = at(path, written)
      if (value instanceof Num) points.get(path).push([when, value.value])
    }
    const spot = template?.map ? at(template.map, written) : null
    if (isObject(spot) && spot.latitude instanceof Num && spot.longitude instanceof Num) {
      places.push([when, spot.latitude.value, spot.longitude.value])
    }
  }
  const inTime = (list) => list.sort((one, other) => one[0] - other[0])
  const drawn = paths.map((path) => {
    const { label, unit } = fieldOf(template, path)
    return chart(text(label) ?? path, text(unit) ?? '', inTime(points.get(path)))
  })
  return [places.length > 1 ? track('Track', inTime(places)) : null, ...drawn].filter((one) => one !== null)
}

function oneStream(report, { name, anchors, verdict }, template) {
  const holder = el('div', { 'aria-live': 'polite' })
  const counting = anchors.filter((one) => one.verdict.standing === AUTHORISED)
  const chunks = counting.flatMap(({ body }) => (Array.isArray(body.chunks) ? body.chunks.filter(isObject) : []))
  const here = chunks.filter(({ cid }) => report.bundle.places.has(CONTENT + cid))
  const inline = counting.filter(({ kind }) => kind === 'reading')
  const left = anchors.length - counting.length
  const isLeft = report.manifest.leftOut.some((one) => one.stream === name)
  const told = [
    isLeft ? 'some of it was left out of this bundle' : '',
    count(anchors, 'record'),
    chunks.length ? `${here.length} of ${chunks.length} chunks are here` : '',
    left ? `${left} records do not count` : '',
  ]
  const open = async () => {
    button.disabled = true
    holder.replaceChildren(el('p', {}, 'Reading...'))
    holder.replaceChildren(...(await drawings(report, name, here, inline, template)))
    button.hidden = true
  }
  const button = el('button', { type: 'button', onclick: open }, `Draw ${name}`)
  button.hidden = !here.length && !inline.length
  // Few readings are drawn at once.
  if (!button.hidden && here.length <= 8) open()
  return el(
    'article',
    {},
    el('h3', {}, name, ' ', verdict === null ? '' : standing(verdict)),
    el('p', { class: 'quiet' }, told.filter(Boolean).join(' · ')),
    button,
    holder
  )
}

async function drawings(report, name, chunks, inline, template) {
  const series = new Map()
  const take = (path, timeMs, value) => {
    if (typeof value !== 'number' && typeof value !== 'boolean') return
    if (!series.has(path)) series.set(path, [])
    series.get(path).push([timeMs, Number(value)])
  }
  const faults = []
  let encrypted = 0
  for (const { cid } of chunks.slice(0, MOST_CHUNKS)) {
    try {
      const data = await report.bundle.read(CONTENT + cid)
      // What does not have its CID is not shown.
      if (!(await cids.matches(cid, data))) throw new Error('it was altered')
      if (isEncrypted(data)) encrypted++
      else for (const one of await readings(data)) take(one.series, one.timeMs, one.value)
    } catch (error) {
      faults.push(el('p', { class: 'bad' }, `${cid}: ${error.message}`))
    }
    await new Promise((resolve) => setTimeout(resolve))
  }
  for (const { body } of inline) {
    for (const one of Array.isArray(body.readings) ? body.readings : []) {
      const timeMs = isObject(one) ? parseTime(one.timestamp) : null
      if (timeMs !== null) for (const [path, value] of leaves(one.data, name)) take(path, timeMs, value)
    }
  }
  for (const points of series.values()) points.sort((one, other) => one[0] - other[0])
  const drawn = []
  if (encrypted) {
    const which = encrypted === 1 ? '1 chunk is' : `${encrypted} chunks are`
    drawn.push(el('p', { class: 'quiet' }, `${which} encrypted and not opened by this page`))
  }
  const used = new Set()
  for (const [path, points] of series) {
    if (!LATITUDE.test(path)) continue
    const other = path.replace(/latitude$/, 'longitude')
    const longitudes = new Map((series.get(other) ?? []).map(([ms, value]) => [ms, value]))
    const places = points.filter(([ms]) => longitudes.has(ms)).map(([ms, value]) => [ms, value, longitudes.get(ms)])
    const made = track(path.replace(/\.?latitude$/, ''), places)
    if (made !== null) {
      drawn.push(made)
      used.add(path)
      used.add(other)
    }
  }
  const rest = [...series].filter(([path]) => !used.has(path))
  for (const [path, points] of rest.slice(0, MOST_SERIES)) {
    const unit = text(fieldOf(template, path).unit) ?? ''
    const made = chart(path, unit, points)
    drawn.push(made ?? el('p', {}, `${path}: ${points.map(([, value]) => value).join(', ')} ${unit}`))
  }
  if (rest.length > MOST_SERIES) drawn.push(el('p', { class: 'quiet' }, `and ${rest.length - MOST_SERIES} more series`))
  if (chunks.length > MOST_CHUNKS) drawn.push(el('p', { class: 'quiet' }, `only the first ${MOST_CHUNKS} chunks are drawn`))
  return [...faults, ...drawn]
}

const AGE = 'age-encryption.org/v1\n'
const isEncrypted = (data) => AGE.split('').every((letter, at) => data[at] === letter.charCodeAt(0))

function* leaves(value, path) {
  if (isObject(value)) for (const key of Object.keys(value)) yield* leaves(value[key], `${path}.${key}`)
  else if (value instanceof Num) yield [path, value.value]
  else if (typeof value === 'boolean') yield [path, value]
}

// --- The life -----------------------------------------------------------------------------------

function life(book, twinId, streams) {
  const records = book.records(twinId)
  const parts = book.parts(twinId).map(({ create, verdict }) => ({
    entry: create,
    kind: 'part',
    body: {},
    verdict,
    told: { name: 'part', told: `${text(create.envelope.name) ?? create.id.slice(0, 10)} names it as its parent` },
  }))
  const made = streams.map(({ name, create, verdict, anchors }) => ({
    entry: create,
    kind: 'stream',
    body: {},
    verdict,
    told: { name: 'stream', told: `${name}; ${count(anchors, 'record')}` },
  }))
  const happened = ({ entry }) => entry.claimed ?? entry.timeMs
  const all = [...records, ...parts, ...made].sort((one, other) => happened(other) - happened(one) || other.entry.index - one.entry.index)
  const { corrected } = book.state(twinId)
  const holder = el('ol', { class: 'life' })
  return section(
    'life',
    'Its life, newest first',
    growing(all, (one) => moment(one, corrected.has(one.entry.id)), LISTED, holder)
  )
}

function moment({ entry, kind, body, verdict, told }, isCorrected) {
  const words = told ?? inWords(kind, body, entry)
  const claimed = entry.claimed
  const document = { transaction: entry.id, kind, body, metadata: entry.metadata, data: entry.data }
  const details = el('details', {}, el('summary', {}, 'details'))
  details.addEventListener('toggle', () => {
    if (details.children.length === 1) {
      details.append(
        facts([
          ['transaction', el('code', {}, entry.id)],
          ['committed', time(entry.timeMs)],
          ['block', String(entry.height)],
          ['signed by', el('span', {}, [...entry.signers].map((key, place) => [place ? ', ' : '', el('code', {}, key)]).flat())],
          ['because', verdict === null ? null : (WHY[verdict.why] ?? null)],
        ]),
        el('pre', { tabindex: 0 }, indented(document))
      )
    }
  })
  return el(
    'li',
    { tabindex: -1 },
    time(claimed ?? entry.timeMs),
    ' ',
    el('b', {}, words.name),
    ' ',
    el('span', { class: isCorrected ? 'struck' : '' }, words.told),
    ' ',
    isCorrected ? badge('corrected', 'quiet') : '',
    verdict !== null && verdict.why !== 'owner' ? standing(verdict) : '',
    claimed !== null && Math.abs(claimed - entry.timeMs) > 60_000 ? el('span', { class: 'quiet' }, ' recorded ', time(entry.timeMs)) : '',
    details
  )
}

// --- Who ----------------------------------------------------------------------------------------

function people(book, twinId, streams) {
  const found = new Map()
  const take = (entry, what) => {
    for (const key of entry.signers) {
      if (!found.has(key)) found.set(key, { count: 0, what: new Set(), last: 0 })
      const one = found.get(key)
      one.count++
      one.what.add(what)
      one.last = Math.max(one.last, entry.timeMs)
    }
  }
  for (const { entry, kind, form } of book.records(twinId)) {
    const name = inWords(kind, {}, entry).name
    take(entry, form === 'chain' ? name : `${name}, as somebody else`)
  }
  for (const { name, create, anchors } of streams) {
    take(create, `stream ${name}`)
    for (const { entry } of anchors) take(entry, `readings of ${name}`)
  }
  const owners = new Set(book.state(twinId).outputs.flatMap(({ keys }) => keys))
  const names = new Map()
  for (const entry of book.entries.values()) {
    const [name, key] = [text(entry.envelope?.name), text(entry.envelope?.entity)]
    if (entry.isCreate && entry.kind === 'identity' && name !== null && key !== null) names.set(key, name)
  }
  const rows = [...found].map(([key, { count, what, last }]) => [
    el('span', {}, el('code', {}, key), names.has(key) ? ` calls itself ${names.get(key)}` : '', owners.has(key) ? [' ', badge('owner', 'good')] : ''),
    String(count),
    [...what].slice(0, 8).join(', '),
    time(last),
  ])
  return section('people', 'Who signed what', table(['key', 'records', 'what', 'last'], rows, 'Nobody.'))
}

// --- What is not here ---------------------------------------------------------------------------

function missing(report) {
  const { manifest, bundle, book } = report
  const items = manifest.leftOut.map(({ what, stream, cid, from, to, count }) => {
    const name = stream === null ? el('code', {}, cid) : stream
    const span = from || to ? ` (${from ?? 'the beginning'} to ${to ?? 'the end'})` : ''
    const why = `${count === 1 ? 'was' : 'were'} ${what === 'missing' ? 'not at hand' : 'left out'}`
    const them = count === 1 ? 'it' : 'them'
    // Of a stream that is left out nothing but its beginning is here.
    const isWhole = stream !== null && !span && what !== 'missing'
    const kind = isWhole ? 'record' : stream === null ? 'file' : 'chunk'
    const still = isWhole ? `the ledger still has ${them}` : `the transactions still commit to ${them}`
    return el('li', {}, name, `${span}: ${count} ${kind}${count === 1 ? '' : 's'} ${why}; ${still}`)
  })
  for (const [cid, { of, stream }] of commitments(book)) {
    const isTold = manifest.leftOut.some((one) => one.cid === cid || (stream !== null && one.stream === stream))
    if (!bundle.places.has(CONTENT + cid) && !isTold) {
      items.push(el('li', {}, of === 'stream' ? `a chunk of ${stream ?? 'readings'} ` : 'a file ', el('code', {}, cid), ' is not here'))
    }
  }
  return section(
    'missing',
    'What is missing or left out',
    items.length ? el('ul', {}, items) : el('p', { class: 'quiet' }, 'Nothing that its records commit to.')
  )
}

function aboutBundle(report) {
  const { manifest, bundle, book } = report
  const files = bundle.contents.length
  return section(
    'about',
    'The bundle',
    facts([
      ['ledger', el('code', {}, manifest.ledgerId)],
      ['its key', el('code', {}, manifest.publicKey)],
      ['checkpoint', el('span', {}, `${manifest.size} transactions, root `, el('code', {}, manifest.root))],
      ['here', `${book.entries.size} transactions, ${files} files, ${bundle.source.size} bytes`],
      ['rules', manifest.profile],
    ])
  )
}
