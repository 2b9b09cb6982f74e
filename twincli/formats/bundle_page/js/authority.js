// Whose word counts about a twin: the rules of `twincli/rules/authority.py`, in the same order.
//
// What was given to a key is asked one by one here, where Python keeps it sorted: a page judges
// one twin. A test judges the same histories with both.

import { canFulfil, leafKeys } from './conditions.js'
import { isObject } from './json.js'
import { bodyOf, isKnown, named, parseTime, text } from './record.js'

export const AUTHORISED = 'authorised'
export const CLAIMED = 'claimed_by_entity'
export const UNAUTHORISED = 'unauthorised'
export const REVOKED = 'revoked'
export const UNDETERMINED = 'undetermined'

const verdict = (standing, via, why) => ({ standing, via, why })
export const OWNER = verdict(AUTHORISED, null, 'owner')
const STRANGER = verdict(UNAUTHORISED, null, 'stranger')
const RANKS = { [AUTHORISED]: 4, [UNDETERMINED]: 3, [REVOKED]: 2, [UNAUTHORISED]: 0 }
const rank = (one) => 2 * RANKS[one.standing] + (one.via === null ? 0 : 1)
const best = (one, other) => (rank(other) > rank(one) ? other : one)

/** Order places: the height of the block, then the number of the transaction. */
export const before = (one, other) =>
  one.height < other.height || (one.height === other.height && one.number < other.number)

/** How many of places, which are in order, lie before another. */
function countBefore(places, place) {
  let low = 0
  let high = places.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (before(places[middle], place)) low = middle + 1
    else high = middle
  }
  return low
}

/** Who held an asset when, and its own key. */
export class Holders {
  constructor() {
    this.entity = null
    this.entities = []
    this.namedAt = []
    this.unspent = new Map()
    this.known = new Map() // condition URI: details, count, turns
    this.byLeaf = new Map()
  }

  /** Take the next transaction; return the conditions that it spent and those that it made. */
  add(tx, place) {
    const spent = []
    for (const name of tx.spends) {
      spent.push(this.unspent.get(name))
      this.unspent.delete(name)
    }
    const made = tx.outputs.map((output, index) => {
      this.unspent.set(`${tx.id}:${index}`, output.uri)
      if (!this.known.has(output.uri)) this.know(output)
      return output.uri
    })
    const before = new Map([...spent, ...made].map((uri) => [uri, this.known.get(uri).count]))
    for (const uri of spent) this.known.get(uri).count--
    for (const uri of made) this.known.get(uri).count++
    for (const [uri, count] of before) {
      const now = this.known.get(uri)
      if (count > 0 !== now.count > 0) now.turns.push(place)
    }
    const entity = this.entityAfter(tx)
    if (entity !== this.entity) {
      this.entity = entity
      this.entities.push(entity)
      this.namedAt.push(place)
    }
    return [new Set(spent), new Set(made)]
  }

  know({ uri, details }) {
    this.known.set(uri, { details, count: 0, turns: [] })
    for (const key of new Set(leafKeys(details))) {
      if (!this.byLeaf.has(key)) this.byLeaf.set(key, [])
      this.byLeaf.get(key).push(uri)
    }
  }

  entityAfter(tx) {
    const { envelope } = tx
    if (tx.operation === 'CREATE') return text(envelope?.entity)
    const body = envelope?.kind === 'transfer' ? bodyOf(envelope) : {}
    return text(body.entity) || this.entity
  }

  holds(uri) {
    return this.known.get(uri).count > 0
  }

  entityBefore(place) {
    const found = countBefore(this.namedAt, place)
    return found ? this.entities[found - 1] : null
  }

  names(key, place) {
    const uris = this.byLeaf.get(key) ?? []
    return uris.some((uri) => countBefore(this.known.get(uri).turns, place) % 2)
  }

  /** Return the conditions that held something before a place and that keys, a Set, fulfil. */
  fulfilledBy(keys, place) {
    const uris = new Set([...keys].flatMap((key) => this.byLeaf.get(key) ?? []))
    return [...uris].filter((uri) => {
      const { turns, details } = this.known.get(uri)
      return countBefore(turns, place) % 2 && canFulfil(details, keys)
    })
  }
}

class Given {
  constructor(txId, place, grant, link) {
    this.txId = txId
    this.place = place
    this.publicKey = grant?.publicKey ?? null
    this.role = grant?.role ?? null
    this.scope = grant?.scope ?? {}
    this.until = grant?.until ?? null
    this.verb = link?.verb ?? null
    this.child = link?.child ?? null
    this.ended = null
    this.doubted = null
  }

  get name() {
    return this.child ?? this.txId
  }
}

const gone = (name) => name.join(' ')
const sameSet = (one, other) => one.size === other.size && [...one].every((uri) => other.has(uri))

/** Who may speak for one twin, fed with its history and with the CREATEs of its parts, in order. */
export class Authority {
  constructor() {
    this.holders = new Holders()
    this.given = []
    this.children = new Map()
    this.writers = new Map()
    this.revoked = new Map()
    this.gifts = [] // { givers, given }: what was given and has not ended, by those who gave it
    this.clouds = []
    this.weather = []
  }

  /** Take the twin's next transaction, which `signers`, a Set, signed. */
  add(tx, place, signers) {
    const isCreate = tx.operation === 'CREATE'
    let [spent, made] = this.holders.add(tx, place)
    const { envelope } = tx
    if (isCreate) {
      // Whoever issues a twin for somebody else does not control it.
      const own = tx.outputs.filter(({ details }) => canFulfil(details, signers))
      spent = new Set(own.map(({ uri }) => uri))
    }
    const known = envelope === null || isKnown(envelope, isCreate)
    if (!isCreate && !sameSet(spent, made)) this.end(made, known ? keeps(envelope) : null, place)
    if (!known && spent.size) this.doubt(new Set([...spent, ...made]), place)
    else if (envelope !== null && !isCreate) this.take(envelope, tx.id, place, spent)
  }

  take({ kind, body }, txId, place, givers) {
    const told = isObject(body) ? body : {}
    if (kind === 'grant') {
      for (const grant of granted(told)) this.give(new Given(txId, place, grant, null), givers)
    } else if (kind === 'link') {
      const { verb, to: child } = told
      if ((verb === 'part' || verb === 'stream') && typeof child === 'string') {
        this.give(new Given(txId, place, null, { verb, child }), givers)
      }
    } else if (kind === 'revoke') {
      const made = revokedBy(told)
      if (made === null) this.doubt(givers, place)
      else {
        for (const name of made.what) {
          const key = gone(name)
          if (!this.revoked.has(key)) this.revoked.set(key, [])
          this.revoked.get(key).push({ txId, place, since: made.since })
        }
      }
    }
  }

  /** Take a CREATE that names the twin as its parent: a link if a controller signed it. */
  addChild(create, place, signers) {
    const givers = this.holders.fulfilledBy(signers, place)
    if (!givers.length) return
    const verb = create.envelope?.kind === 'stream' ? 'stream' : 'part'
    this.give(new Given(create.id, place, null, { verb, child: create.id }), new Set(givers))
  }

  give(given, givers) {
    if (this.clouds.length) given.doubted = given.place
    this.given.push(given)
    this.gifts.push({ givers, given })
    if (given.publicKey !== null && given.role === 'writer') {
      if (!this.writers.has(given.publicKey)) this.writers.set(given.publicKey, [])
      this.writers.get(given.publicKey).push(given)
    }
    if (given.child !== null) {
      if (!this.children.has(given.child)) this.children.set(given.child, [])
      this.children.get(given.child).push(given)
    }
  }

  doubt(givers, place) {
    if (!this.clouds.length) this.weather.push(place)
    this.clouds.push(givers)
    for (const given of this.given) given.doubted ??= place
  }

  /** End what those gave who hold nothing any more, but for what the transfer keeps. */
  end(made, kept, place) {
    const isGone = (givers) => ![...givers].some((uri) => this.holders.holds(uri))
    const wasClouded = this.clouds.length > 0
    this.clouds = this.clouds.filter((givers) => !isGone(givers))
    const rest = []
    for (const gift of this.gifts) {
      const { givers, given } = gift
      if (!isGone(givers)) rest.push(gift)
      else if (kept === null || kept.has(given.name) || kept.has(given.txId)) {
        rest.push({ givers: made, given })
      } else given.ended = place
    }
    this.gifts = rest
    if (wasClouded && !this.clouds.length) this.weather.push(place)
  }

  revocation(given, key) {
    const names = [['all'], ['given', given.txId], ['key', key]]
    if (given.child !== null) {
      names.push(['given', given.child], ['given', given.verb, given.child])
    }
    let found = null
    for (const name of names) {
      for (const made of this.revoked.get(gone(name)) ?? []) {
        if (before(made.place, given.place)) continue
        if (found === null) found = { ...made }
        else {
          if (before(made.place, found.place)) found = { ...made, since: found.since }
          if (made.since !== null) found.since = Math.min(made.since, found.since ?? made.since)
        }
      }
    }
    return found
  }

  /** Say whether a statement about the twin counts. */
  judge(keys, place, topic, claimed, controls) {
    if (this.holders.fulfilledBy(keys, place).length) return OWNER
    let found = STRANGER
    for (const key of keys) {
      const writers = this.writers.get(key) ?? []
      for (const given of writers) {
        if (allows(given.scope, topic)) found = best(found, this.held(given, key, place, claimed))
      }
      if (writers.length && before(writers[0].place, place)) {
        found = best(found, verdict(UNAUTHORISED, writers[0].txId, 'scope'))
      }
    }
    if (found.standing !== AUTHORISED) {
      for (const [child, listed] of this.children) {
        if (found.standing === AUTHORISED) break
        found = best(found, this.byLink(child, listed, keys, place, claimed, controls))
      }
    }
    if (countBefore(this.weather, place) % 2) {
      return verdict(UNDETERMINED, found.via, 'unknown_record')
    }
    const entity = this.holders.entityBefore(place)
    if (found.standing === UNAUTHORISED && entity !== null && keys.has(entity)) {
      return verdict(CLAIMED, found.via, 'entity')
    }
    return found
  }

  /** Return the verdict by links to a child: the best that enough keys for it have. */
  byLink(child, listed, keys, place, claimed, controls) {
    const verdicts = new Map()
    for (const key of keys) {
      let one = STRANGER
      for (const given of listed) one = best(one, this.held(given, key, place, claimed))
      verdicts.set(key, one)
    }
    const limits = [...new Set([...verdicts.values()].map(rank))].sort((a, b) => b - a)
    for (const limit of limits) {
      const able = new Set([...verdicts].filter(([, one]) => rank(one) >= limit).map(([key]) => key))
      if (controls(child, able)) return [...verdicts.values()].find((one) => rank(one) === limit)
    }
    return STRANGER
  }

  /** Say whether what was given held at a place, whatever its scope. */
  held(given, key, place, claimed) {
    const via = given.txId
    if (!before(given.place, place)) return STRANGER
    const made = this.revocation(given, key)
    if (made !== null && before(made.place, place)) return verdict(REVOKED, via, 'revoked')
    if (given.ended !== null && before(given.ended, place)) return verdict(UNAUTHORISED, via, 'ended')
    const moments = [
      [given.until, verdict(UNAUTHORISED, via, 'expired')],
      [made === null ? null : made.since, verdict(REVOKED, via, 'revoked')],
    ]
    const when = place.timeMs ?? claimed
    for (const [moment, one] of moments) {
      if (moment !== null && when !== null && when >= moment) return one
    }
    if (given.doubted !== null && before(given.doubted, place)) {
      return verdict(UNDETERMINED, via, 'unknown_record')
    }
    if (place.timeMs === null && moments.some(([moment]) => moment !== null)) {
      return verdict(UNDETERMINED, via, 'no_block_time')
    }
    return verdict(AUTHORISED, via, given.child === null ? 'grant' : 'link')
  }
}

function keeps(envelope) {
  const listed = Array.isArray(envelope?.keeps) ? envelope.keeps : []
  return new Set(listed.filter((one) => typeof one === 'string'))
}

function allows(scope, { kind, fields, stream }) {
  if (!scope.fields && !scope.kinds && !scope.streams) return true
  if (scope.kinds?.has(kind)) return true
  if (stream !== null && scope.streams?.has(stream)) return true
  return fields.length > 0 && Boolean(scope.fields) && fields.every((name) => scope.fields.has(name))
}

/** Return what the body of a grant allows to whom; a malformed one grants nothing. */
export function granted(body) {
  const { to, role } = body
  if (typeof role !== 'string' || !Array.isArray(to)) return []
  let until = null
  if ('until' in body) {
    until = parseTime(body.until)
    if (until === null) return []
  }
  const scope = {}
  for (const name of ['fields', 'kinds', 'streams']) {
    const listed = body[name] ?? null
    if (listed === null) continue
    if (!Array.isArray(listed) || !listed.every((one) => typeof one === 'string')) return []
    scope[name] = new Set(listed)
  }
  return [...new Set(to)]
    .map(named)
    .filter((one) => one?.key !== undefined)
    .map(({ key }) => ({ publicKey: key, role, scope, until }))
}

/** Return what the body of a revocation names, null where it is malformed. */
export function revokedBy(body) {
  const since = parseTime(body.since)
  if ('since' in body && since === null) return null
  const everything = body.all ?? null
  if (everything !== null && everything !== true) return null
  const what = everything === null ? [] : [['all']]
  const verb = body.verb ?? null
  if (verb !== null && typeof verb !== 'string') return null
  const grant = body.grant ?? null
  if (typeof grant === 'string') what.push(verb === null ? ['given', grant] : ['given', verb, grant])
  else if (grant !== null) return null
  const listed = body.from ?? null
  if (listed !== null && !Array.isArray(listed)) return null
  for (const one of listed ?? []) {
    const whom = named(one)
    if (whom === null) return null
    what.push(whom.key === undefined ? ['given', whom.asset] : ['key', whom.key])
  }
  return what.length ? { what, since } : null
}

/** Return what a record of a kind with this body is about. */
export const topicOf = (kind, body) => ({
  kind,
  fields: isObject(body.data) ? Object.keys(body.data) : [],
  stream: text(body.stream),
})
