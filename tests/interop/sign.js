// Builds and signs transactions with the official JavaScript driver: plans on stdin, one JSON
// document a line, the transactions on stdout, one a line.
//   {"do": "create", "seeds": [hex], "data", "metadata", "amount"}
//   {"do": "transfer", "seed": hex, "spend": transaction, "index", "to": [public keys], "metadata"}
//   {"do": "phrase", "phrase"}: the tutorial's key of a phrase
const path = require('path')
const { createRequire } = require('module')
const load = createRequire(path.join(process.argv[2], 'package.json'))
const driver = load('bigchaindb-driver')
const bip39 = load('bip39')
const { Transaction, Ed25519Keypair } = driver

function plan (wanted) {
  if (wanted.do === 'phrase') {
    return new Ed25519Keypair(bip39.mnemonicToSeedSync(wanted.phrase).slice(0, 32))
  }
  if (wanted.do === 'create') {
    const keys = new Ed25519Keypair(Buffer.from(wanted.seed, 'hex'))
    const output = Transaction.makeOutput(
      Transaction.makeEd25519Condition(keys.publicKey), wanted.amount)
    const tx = Transaction.makeCreateTransaction(
      wanted.data, wanted.metadata, [output], keys.publicKey)
    return Transaction.signTransaction(tx, keys.privateKey)
  }
  const keys = new Ed25519Keypair(Buffer.from(wanted.seed, 'hex'))
  const conditions = wanted.to.map(key => Transaction.makeEd25519Condition(key, false))
  const condition = conditions.length === 1
    ? Transaction.makeEd25519Condition(wanted.to[0])
    : Transaction.makeThresholdCondition(conditions.length, conditions)
  const amount = wanted.spend.outputs[wanted.index].amount
  const output = Transaction.makeOutput(condition, amount)
  output.public_keys = wanted.to
  const tx = Transaction.makeTransferTransaction(
    [{ tx: wanted.spend, output_index: wanted.index }], [output], wanted.metadata)
  return Transaction.signTransaction(tx, keys.privateKey)
}

const lines = require('fs').readFileSync(0, 'utf8').split('\n').filter(line => line.trim())
for (const line of lines) console.log(JSON.stringify(plan(JSON.parse(line))))
