// The page: takes a bundle, says whether it holds, and shows it.

import { fromBase64, hex, keyBytes, toBase64, utf8 } from './bytes.js'
import { ofBytes, ofFile } from './bundle.js'
import { sha256 } from './digests.js'
import { el, facts, table } from './dom.js'
import { named } from './record.js'
import { PARTS, verify } from './verify.js'
import { draw } from './view.js'

const by = (id) => document.getElementById(id)

const SAYS = {
  verified: 'It is true to itself, and to what you know from elsewhere.',
  consistent:
    'It is true to itself: nothing in it was altered. Anybody can make such a file, though. To be sure whose it is, compare below with something that you know from elsewhere.',
  failed: 'Something in it is not what it should be. Do not rely on it.',
  undetermined: 'Nothing in it is wrong, but something that decides is missing.',
}
const PART_NAMES = {
  data_integrity: 'Transactions: ids, signatures, what they spend',
  ledger_proof: 'Proofs that the ledger has them, and its checkpoint',
  attachment_hashes: 'Files and readings',
  authority: 'Whether those who signed were allowed to speak',
  references: 'Templates that its values are held to, certificates',
  audit_trail: 'The audit log of a home, which a bundle does not have',
}
const STATUS_NAMES = { ok: 'holds', failed: 'failed', undetermined: 'cannot be told', not_checked: 'not checked' }

let source = null
let turn = 0
let shipped = []

/** Return this page as the file that it came from, to compare its hash with those of releases. */
function ownPage(template) {
  const [style, code] = [by('style').textContent, by('code').textContent]
  const hash = (text) => toBase64(sha256(utf8(text)))
  const parts = { style, code, style_hash: hash(style), code_hash: hash(code) }
  return template.replace(/\{\{([a-z_]+)\}\}/g, (_, name) => parts[name])
}

function givenAnchors() {
  const problems = []
  const value = (id) => by(id).value.trim()
  const asset = value('asset')
  const issuer = value('issuer')
  const root = value('root').toLowerCase()
  const key = value('ledger-key')
  const assetId = /^[0-9a-f]{64}$/.test(asset) ? asset : (named(asset)?.asset ?? null)
  if (asset && assetId === null) problems.push('The asset is neither 64 hex digits nor a did:bdb.')
  if (issuer && keyBytes(issuer) === null && named(issuer) === null) {
    problems.push('The issuer is neither a DID nor a public key.')
  }
  if (root && !/^[0-9a-f]{64}$/.test(root)) problems.push('The root is not 64 hex digits.')
  const ledgerKey = keyBytes(key) === null ? (named(key)?.key ?? null) : key
  if (key && ledgerKey === null) problems.push('The key of the ledger is not a public key.')
  return { problems, anchors: { asset: assetId, issuer: issuer || null, root: root || null, ledgerKey } }
}

function takeFragment() {
  const given = new URLSearchParams(location.hash.slice(1))
  for (const [name, id] of [['asset', 'asset'], ['issuer', 'issuer'], ['root', 'root'], ['ledger-key', 'ledger-key']]) {
    if (given.has(name)) by(id).value = given.get(name)
  }
}

async function judge(pages) {
  if (source === null) return
  const mine = ++turn
  const { problems, anchors } = givenAnchors()
  by('anchor-problem').textContent = problems.join(' ')
  if (problems.length) return
  by('progress').hidden = false
  by('verdict').hidden = true
  by('twin').replaceChildren()
  const bar = by('bar')
  const told = (what, done, total) => {
    if (mine !== turn) return
    bar.max = Math.max(total, 1)
    bar.value = done
    by('doing').textContent = `Checking ${what}: ${Math.floor((100 * done) / Math.max(total, 1))} %`
  }
  told('entries', 0, 1)
  let report
  try {
    report = await verify(source, { anchors, pages, shipped, told })
  } catch (error) {
    if (mine === turn) {
      by('progress').hidden = true
      by('say').replaceChildren(el('p', { class: 'bad' }, `This page could not read the file: ${error.message}`))
    }
    return
  }
  if (mine !== turn) return
  by('progress').hidden = true
  show(report)
  if (report.book !== null && report.book.chain(report.manifest.assetId).length) {
    await draw(report, by('twin'))
  }
}

function show(report) {
  const { status, first } = report
  document.body.dataset.status = status
  by('status').textContent = status
  by('status').className = `status ${status}`
  by('say').replaceChildren(
    el('p', {}, SAYS[status]),
    first === null
      ? ''
      : el('p', { class: first.severity === 'failed' ? 'bad' : 'warn' }, 'First: ', el('code', {}, first.where), `: ${first.message} (${first.code})`)
  )
  const rows = PARTS.map((name) => [
    PART_NAMES[name],
    el('span', { class: `badge ${report.statusOf(name)}` }, STATUS_NAMES[report.statusOf(name)]),
    String(report.parts[name].checked),
  ])
  const problems = PARTS.flatMap((name) => report.parts[name].problems)
  by('parts').replaceChildren(table(['checked', 'answer', 'items'], rows, ''))
  if (problems.length) {
    const items = problems.slice(0, 200).map(({ where, code, message }) => el('li', {}, el('code', {}, where), `: ${message} (${code})`))
    const more = problems.length > 200 ? el('p', { class: 'quiet' }, `and ${problems.length - 200} more`) : ''
    by('parts').append(el('details', { open: problems.length < 4 }, el('summary', {}, `Problems: ${problems.length}`), el('ul', {}, items), more))
  }
  const anchors = report.anchors.map(({ anchor, value, matched, message }) => [
    anchor,
    el('code', {}, value),
    el('span', { class: `badge ${matched ? 'ok' : matched === null ? 'undetermined' : 'failed'}` }, matched ? 'fits' : matched === null ? 'cannot be told' : 'does not fit'),
    message,
  ])
  by('anchored').replaceChildren(anchors.length ? table(['you know', 'value', 'answer', 'why'], anchors, '') : '')
  by('verdict').hidden = false
  by('chosen').textContent = source.name ?? ''
  if (report.manifest !== null) {
    document.title = `${status}: ${report.manifest.name ?? report.manifest.assetId.slice(0, 10)}`
    by('offers').replaceChildren(
      facts([
        ['asset', el('code', {}, report.manifest.assetId)],
        ['root', el('code', {}, report.manifest.root)],
        ['key of the ledger', el('code', {}, report.manifest.publicKey)],
      ])
    )
  }
}

function embedded() {
  const found = by('bundle')
  const text = found.textContent
  if (text === '') return null
  const bytes = fromBase64(text)
  // Not the base64 of any bytes: nothing that could be read.
  return bytes ?? new Uint8Array(0)
}

function offerSaving(bytes) {
  const link = by('save')
  link.href = URL.createObjectURL(new Blob([bytes], { type: 'application/zip' }))
  link.hidden = false
}

export function start(template, released, templates) {
  shipped = templates
  const pages = [hex(sha256(utf8(ownPage(template)))), ...released]
  const take = (file) => {
    if (!file) return
    source = Object.assign(ofFile(file), { name: file.name })
    by('save').hidden = true
    judge(pages)
  }
  by('file').addEventListener('change', (event) => take(event.target.files[0]))
  const drop = by('drop')
  for (const name of ['dragenter', 'dragover']) {
    window.addEventListener(name, (event) => {
      event.preventDefault()
      drop.classList.add('over')
    })
  }
  window.addEventListener('dragleave', () => drop.classList.remove('over'))
  window.addEventListener('drop', (event) => {
    event.preventDefault()
    drop.classList.remove('over')
    take(event.dataTransfer.files[0])
  })
  by('anchors').addEventListener('submit', (event) => {
    event.preventDefault()
    judge(pages)
  })
  window.addEventListener('hashchange', () => {
    takeFragment()
    judge(pages)
  })
  takeFragment()
  const bytes = embedded()
  if (bytes !== null) {
    source = Object.assign(ofBytes(bytes), { name: 'the bundle in this page' })
    by('another').open = false
    offerSaving(bytes)
    judge(pages)
  }
}
