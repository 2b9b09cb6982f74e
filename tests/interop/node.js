// The official JavaScript driver and ORM against a node: argv holds the directory of the packages
// and the node's URL; prints one JSON document of what was seen.
const path = require('path')
const { createRequire } = require('module')
const load = createRequire(path.join(process.argv[2], 'package.json'))
const driver = load('bigchaindb-driver')
const Orm = load('bigchaindb-orm').default
const { Transaction, Ed25519Keypair, Connection } = driver

async function withDriver (url) {
  const connection = new Connection(url)
  const alice = new Ed25519Keypair()
  const bob = new Ed25519Keypair()
  const output = Transaction.makeOutput(Transaction.makeEd25519Condition(alice.publicKey))
  const create = Transaction.signTransaction(
    Transaction.makeCreateTransaction({ car: { colour: 'red' } }, { km: 0 }, [output], alice.publicKey),
    alice.privateKey)
  const made = await connection.postTransactionCommit(create)
  const sale = Transaction.signTransaction(
    Transaction.makeTransferTransaction(
      [{ tx: create, output_index: 0 }],
      [Transaction.makeOutput(Transaction.makeEd25519Condition(bob.publicKey))], { km: 1200 }),
    alice.privateKey)
  await connection.postTransactionSync(sale)
  let refused = null
  const theft = Transaction.signTransaction(
    Transaction.makeTransferTransaction(
      [{ tx: create, output_index: 0 }],
      [Transaction.makeOutput(Transaction.makeEd25519Condition(alice.publicKey))], { km: 1 }),
    alice.privateKey)
  try { await connection.postTransactionCommit(theft) } catch (error) { refused = error.status }
  return {
    made: made.id === create.id,
    one: (await connection.getTransaction(sale.id)).id === sale.id,
    history: (await connection.listTransactions(create.id)).length,
    transfers: (await connection.listTransactions(create.id, 'TRANSFER')).length,
    spent: (await connection.listOutputs(alice.publicKey, true)).length,
    unspent: (await connection.listOutputs(bob.publicKey, false)).length,
    assets: (await connection.searchAssets('red')).length,
    metadata: (await connection.searchMetadata('1200')).length,
    blocks: await connection.listBlocks(sale.id),
    block: (await connection.getBlock(2)).transactions.length,
    refused
  }
}

async function withOrm (url) {
  const orm = new Orm(url)
  orm.define('myModel', 'https://schema.org/v1/myModel')
  const alice = new Ed25519Keypair()
  const made = await orm.models.myModel.create({ keypair: alice, data: { entity: 'car', km: 0 } })
  const appended = await made.append({ toPublicKey: alice.publicKey, keypair: alice, data: { km: 7 } })
  const burned = await appended.burn({ keypair: alice })
  const found = await orm.models.myModel.retrieve(made.id)
  return {
    created: made.data, appended: appended.data, burned: burned.data, found: found.length,
    all: (await orm.models.myModel.retrieve()).length, history: found[0].transactionHistory.length
  }
}

const url = process.argv[3] + '/api/v1/'
withDriver(url)
  .then(async seen => console.log(JSON.stringify({ driver: seen, orm: await withOrm(url) })))
  .catch(error => { console.error(error); process.exit(1) })
