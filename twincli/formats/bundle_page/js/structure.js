// The rules a transaction can be judged by alone: form, data, encodings, id, and who signed it.
//
// These are the rules of the profile `strict`. What BigchainDB 2.2.2 takes besides is in
// `deviations` as far as it is understood here; what is not understood is `Refused`.

import { Refused, isHex, join, keyBytes, utf8 } from './bytes.js'
import { faultOfDetails, fromDetails, isSatisfiable, keyUri, leafKeys, parse } from './conditions.js'
import { sha3Hex, sha3_256 } from './digests.js'
import { isPoint } from './ed25519.js'
import { Num, encode, isObject } from './json.js'

const FIELDS = 'asset,id,inputs,metadata,operation,outputs,version'
const BURN_ADDRESS = 'BurnBurnBurnBurnBurnBurnBurnBurnBurnBurnBurn'
const MOST_AMOUNT = 9_000_000_000_000_000_000n
const MOST_INTEGER = 2n ** 63n - 1n
const MOST_NESTING = 500
const LANGUAGES = new Set(
  'danish dutch english finnish french german hungarian italian norwegian portuguese romanian russian spanish swedish turkish da nl en fi fr de hu it nb pt ro ru es sv tr none'.split(
    ' '
  )
)

const schema = (path, what) => new Refused('schema_validation_error', `${path} ${what}`)
const members = (value) => (isObject(value) ? Object.keys(value).sort().join() : null)

/** Check the names and numbers in asset.data and metadata. */
function checkData(root, path) {
  const waiting = [[root, 1]]
  while (waiting.length) {
    const [value, depth] = waiting.pop()
    if (value instanceof Num) {
      if (value.isInteger && value.text.length > 18) {
        const whole = value.whole
        if (whole > MOST_INTEGER || whole < -MOST_INTEGER - 1n) {
          throw new Refused('overflow_error', `${path}: an integer does not fit into 64 bits`)
        }
      }
    } else if (typeof value === 'object' && value !== null) {
      if (depth > MOST_NESTING) throw new Refused('unencodable', `${path} is nested too deeply`)
      if (Array.isArray(value)) for (const item of value) waiting.push([item, depth + 1])
      else {
        for (const key of Object.keys(value)) {
          if (key[0] === '$' || key.includes('.') || key.includes('\0')) {
            throw new Refused('validation_error', `${path} has a key that BigchainDB refuses`)
          }
          if (key === 'language' && !LANGUAGES.has(value[key])) {
            throw new Refused('validation_error', `${path} names a language that is not known`)
          }
          waiting.push([value[key], depth + 1])
        }
      }
    }
  }
}

export class Checked {
  constructor(tx, text) {
    this.tx = tx
    this.id = tx.id
    this.text = text
    this.operation = tx.operation
    this.assetId = tx.operation === 'CREATE' ? tx.id : tx.asset.id
    this.inputs = []
    this.outputs = []
    this.deviations = []
    this.message = null
  }

  deviate(code, message) {
    this.deviations.push(new Refused(code, message))
  }

  /** The public keys whose signatures it carries. */
  get signers() {
    const found = new Set()
    for (const input of this.inputs) for (const key of input.fulfillment.keys) found.add(key)
    return found
  }

  /** Say whether every fulfillment is good over this transaction. */
  async verify() {
    for (const { fulfillment, spends } of this.inputs) {
      const message =
        spends === null ? this.message : join([this.message, utf8(`${spends.id}${spends.index}`)])
      if (!(await fulfillment.verify(sha3_256(message)))) return false
    }
    return true
  }
}

/** Read a transaction; throws `Refused`, of a wrong id before anything else. */
export function check(tx) {
  if (!isObject(tx)) throw schema('the transaction', 'is not an object')
  if (members(tx) !== FIELDS) {
    checkId(tx, encode({ ...tx, id: null }))
    throw schema('the transaction', 'does not have exactly its fields')
  }
  const asset = encode(tx.asset)
  const tail = `,"metadata":${encode(tx.metadata)},"operation":${encode(tx.operation)},"outputs":${encode(tx.outputs)},"version":${encode(tx.version)}}`
  const inputs = encode(tx.inputs)
  checkId(tx, `{"asset":${asset},"id":null,"inputs":${inputs}${tail}`)
  const made = new Checked(tx, `{"asset":${asset},"id":"${tx.id}","inputs":${inputs}${tail}`)
  checkForm(made)
  const unsigned = tx.inputs.map((entry) => encode({ ...entry, fulfillment: null })).join(',')
  made.message = utf8(`{"asset":${asset},"id":null,"inputs":[${unsigned}]${tail}`)
  return made
}

function checkId(tx, text) {
  const actual = sha3Hex(utf8(text))
  if (tx.id !== actual) {
    throw new Refused('invalid_hash', `its id is not the hash of its body, which is ${actual}`)
  }
}

function checkForm(made) {
  const { tx } = made
  const { operation, metadata, asset } = tx
  const isCreate = operation === 'CREATE'
  if (!isCreate && operation !== 'TRANSFER') throw schema('operation', 'is not known')
  if (tx.version !== '2.0') throw schema('version', "is not '2.0'")
  if (metadata !== null && (!isObject(metadata) || !Object.keys(metadata).length)) {
    throw schema('metadata', 'is neither null nor an object with at least one key')
  }
  if (isCreate) {
    if (members(asset) !== 'data') throw schema('asset', 'does not have exactly the field data')
    if (asset.data !== null && !isObject(asset.data)) throw schema('asset.data', 'is malformed')
  } else if (members(asset) !== 'id' || !isHex(asset.id)) {
    throw schema('asset', 'does not have exactly the field id, of 64 hex digits')
  }
  if (!Array.isArray(tx.inputs) || !tx.inputs.length) throw schema('inputs', 'is empty')
  if (isCreate && tx.inputs.length > 1) throw schema('inputs', 'has several entries')
  if (!Array.isArray(tx.outputs)) throw schema('outputs', 'is not a list')
  if (isCreate) checkData(asset.data, 'asset.data')
  checkData(metadata, 'metadata')
  tx.inputs.forEach((entry, number) => made.inputs.push(checkInput(entry, number, isCreate)))
  tx.outputs.forEach((entry, number) => made.outputs.push(checkOutput(entry, number, made)))
  if (!made.outputs.length) made.deviate('no_outputs', 'it has no outputs')
  if (isCreate && !sameKeys(made.inputs[0].fulfillment.keys, made.inputs[0].owners)) {
    made.deviate('owners_before_mismatch', 'owners_before names keys other than those that signed')
  }
}

export function sameKeys(one, other) {
  const [first, second] = [new Set(one), new Set(other)]
  return first.size === second.size && [...first].every((key) => second.has(key))
}

const keyList = (value, path) => {
  if (!Array.isArray(value) || !value.every((key) => typeof key === 'string' && key.length < 64)) {
    throw schema(path, 'is not a list of public keys')
  }
  return value
}

function checkInput(entry, number, isCreate) {
  const path = `inputs[${number}]`
  if (members(entry) !== 'fulfillment,fulfills,owners_before') {
    throw schema(path, 'does not have exactly its fields')
  }
  const { fulfills } = entry
  let spends = null
  if (isCreate) {
    if (fulfills !== null) throw schema(`${path}.fulfills`, 'of a CREATE is null')
  } else {
    const index = isObject(fulfills) ? fulfills.output_index : null
    const isPlace = index instanceof Num && index.isInteger && index.whole >= 0n
    if (members(fulfills) !== 'output_index,transaction_id' || !isPlace || !isHex(fulfills.transaction_id)) {
      throw schema(`${path}.fulfills`, 'is malformed')
    }
    if (index.whole > MOST_INTEGER) throw schema(`${path}.fulfills`, 'has an index too large')
    spends = { id: fulfills.transaction_id, index: index.canonical }
  }
  const owners = keyList(entry.owners_before, `${path}.owners_before`)
  if (typeof entry.fulfillment !== 'string') {
    throw new Refused('invalid_signature', `${path} is not signed`)
  }
  return { owners, fulfillment: parse(entry.fulfillment), spends }
}

function checkOutput(entry, number, made) {
  const path = `outputs[${number}]`
  if (members(entry) !== 'amount,condition,public_keys') {
    throw schema(path, 'is not an object of amount, condition and public_keys')
  }
  const { amount, condition } = entry
  if (typeof amount !== 'string' || !/^[0-9]{1,20}$/.test(amount)) {
    throw schema(`${path}.amount`, 'is not text of 1 to 20 digits')
  }
  if (members(condition) !== 'details,uri' || typeof condition.uri !== 'string') {
    throw schema(`${path}.condition`, 'is not an object of details and uri')
  }
  const fault = faultOfDetails(condition.details)
  if (fault !== null) throw schema(`${path}.condition.details`, fault)
  const keys = keyList(entry.public_keys, `${path}.public_keys`)
  const value = BigInt(amount)
  if (value < 1n || value > MOST_AMOUNT) {
    throw new Refused('amount_error', `${path}.amount is not from 1 to ${MOST_AMOUNT}`)
  }
  const { details } = condition
  const isPlain = details.type === 'ed25519-sha-256'
  const leaves = leafKeys(details)
  if (!sameKeys(keys, leaves)) {
    made.deviate('public_keys_mismatch', `${path}.public_keys are not the keys of its condition`)
  }
  const uri = isPlain ? keyUri(details.public_key) : fromDetails(details).uri
  if (condition.uri !== uri) {
    made.deviate('condition_uri_mismatch', `${path}.condition.uri does not belong to its details`)
  }
  if (!isPlain && !isSatisfiable(details)) {
    made.deviate('unsatisfiable_threshold', `${path} asks for more signatures than it has keys`)
  }
  for (const key of leaves) {
    if (key !== BURN_ADDRESS && !isPoint(keyBytes(key))) {
      made.deviate('not_a_curve_point', `${path}: no private key belongs to ${key}`)
      break
    }
  }
  if (amount[0] === '0') made.deviate('amount_leading_zero', `${path}.amount starts with 0`)
  return { amount: value, details, uri, keys, isBurned: keys.length === 1 && keys[0] === BURN_ADDRESS }
}

