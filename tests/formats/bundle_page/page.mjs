// The modules of the page, asked from Python: a question in JSON a line, an answer in JSON a line.

import { readFileSync, readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'

const js = new URL('../../../twincli/formats/bundle_page/js/', import.meta.url)
const load = (name) => import(new URL(name, js))
const [authority, book, bundle, bytes, certificates, cid, conditions, ed25519, json, parquet, record, structure, template, verify] =
  await Promise.all(
    'authority book bundle bytes certificates cid conditions ed25519 json parquet record structure template verify'
      .split(' ')
      .map((name) => load(`${name}.js`))
  )

const templates = new URL('../../../twincli/model/templates/', import.meta.url)
const shipped = readdirSync(templates).map((name) => readFileSync(new URL(name, templates), 'utf8').replace(/\n$/, ''))

/** Judge one transaction alone, by the rules of the profile strict. */
async function transaction({ text }) {
  try {
    const checked = structure.check(json.decode(text))
    const [deviation] = checked.deviations
    if (deviation) return { code: deviation.code }
    return { code: (await checked.verify()) ? null : 'invalid_signature', signers: [...checked.signers] }
  } catch (error) {
    if (!(error instanceof bytes.Refused)) throw error
    return { code: error.code }
  }
}

async function judge({ path, base64, anchors, pages, verdicts }) {
  const data = path ? readFileSync(path) : Buffer.from(base64, 'base64')
  const report = await verify.verify(bundle.ofBytes(new Uint8Array(data)), { anchors, pages, shipped })
  const made = { ...report.document, first: report.first }
  if (verdicts) {
    const { assetId } = report.manifest
    made.verdicts = Object.fromEntries(
      report.book.records(assetId).map(({ entry, verdict }) => [entry.id, verdict?.standing ?? null])
    )
    for (const { anchors: listed, create, verdict } of report.book.streams(assetId)) {
      made.verdicts[create.id] = verdict.standing
      for (const one of listed) made.verdicts[one.entry.id] = one.verdict.standing
    }
    for (const { create, verdict } of report.book.parts(assetId)) made.verdicts[create.id] = verdict.standing
    made.certificates = (await certificates.certificates(report.book, assetId, Date.now())).map(
      ({ record, form, status, isRight }) => ({ id: record.entry.id, form, status, isRight })
    )
    made.state = json.encode(report.book.state(assetId).state)
  }
  return made
}

async function ed({ key, message, signature }) {
  const [a, m, s] = [key, message, signature].map(bytes.fromHex)
  return { good: await ed25519.verify(a, m, s), point: ed25519.isPoint(a) }
}

async function fulfils({ fulfillment, uri, message }) {
  try {
    const found = conditions.parse(fulfillment)
    return found.uri === uri && (await found.verify(bytes.fromHex(message)))
  } catch (error) {
    if (!(error instanceof bytes.Refused)) throw error
    return false
  }
}

function canonical({ text }) {
  try {
    return json.encode(json.decode(text))
  } catch (error) {
    if (!(error instanceof bytes.Refused)) throw error
    return null
  }
}

async function readings({ path }) {
  const found = await parquet.readings(new Uint8Array(readFileSync(path)))
  return found.map(({ series, timeMs, value, isGood }) => [series, timeMs, value, isGood])
}

/** Say what is wrong with values that a template with these compiled bytes is held against. */
async function fits({ compiled, id, entry, written }) {
  const pin = { template: id, cid: await cid.of(bytes.utf8(compiled)) }
  const model = await new template.Catalogue({ entries: new Map() }, [compiled]).of(pin)
  if (model === null) return { code: 'missing_template' }
  return { code: template.faultOf(model, json.decode(entry), json.decode(written))?.code ?? null }
}

/** Judge what is said about a twin with a history: [standing, whether it counts by itself] each. */
function judged({ steps, asked, children }) {
  const found = new authority.Authority()
  for (const { tx, height, number, timeMs, isPart } of steps) {
    const entry = new book.Entry(structure.check(json.decode(tx)), { height, timeMs })
    found[isPart ? 'addChild' : 'add'](entry, entry.place(number), entry.signers)
  }
  const controls = (child, able) => Object.hasOwn(children, child) && children[child].every((key) => able.has(key))
  return asked.map(({ keys, height, number, timeMs, claimedMs, kind, fields, stream }) => {
    const place = { height, number: number ?? Number.MAX_SAFE_INTEGER, timeMs }
    const { standing, via } = found.judge(new Set(keys), place, { kind, fields, stream }, claimedMs, controls)
    return [standing, via === null]
  })
}

const ANSWERS = {
  authority: judged,
  canonical,
  cid: ({ base64 }) => cid.of(new Uint8Array(Buffer.from(base64, 'base64'))),
  ed,
  divided: ({ pairs }) => pairs.map(([top, bottom]) => json.floatText(template.divided(BigInt(top), BigInt(bottom)))),
  fits,
  float: ({ texts }) => texts.map((text) => json.floatText(Number(text))),
  fulfils,
  judge,
  matches: ({ path, text }) => cid.matches(text, new Uint8Array(readFileSync(path))),
  named: ({ texts }) => texts.map(record.named),
  readings,
  time: ({ texts }) => texts.map(record.parseTime),
  transaction,
  uri: ({ details }) => conditions.fromDetails(json.decode(details)).uri,
}

for await (const line of createInterface({ input: process.stdin })) {
  const { what, ...asked } = JSON.parse(line)
  let answer
  try {
    answer = { answer: (await ANSWERS[what](asked)) ?? null }
  } catch (error) {
    answer = { error: error.stack }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
