// The official JavaScript driver and ORM, and a stream, against a node: argv holds the directory of
// the packages and the node's URL; prints one JSON document of what was seen.
const path = require('path')
const { createRequire } = require('module')
const load = createRequire(path.join(process.argv[2], 'package.json'))
const driver = load('bigchaindb-driver')
const Orm = load('bigchaindb-orm').default
const WebSocket = load('ws') // Node 20 has none of its own
const stringify = load('json-stable-stringify')
const { sha3_256: sha3 } = load('js-sha3')
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
  const refusal = async tx => {
    try {
      await connection.postTransactionCommit(tx)
      return null
    } catch (error) { // the driver keeps the reason to itself
      const answer = await fetch(`${url}transactions`, { method: 'POST', body: JSON.stringify(tx) })
      return `${error.status} ${(await answer.json()).message.match(/\(\w+\)/)}`
    }
  }
  const theft = Transaction.signTransaction(
    Transaction.makeTransferTransaction(
      [{ tx: create, output_index: 0 }],
      [Transaction.makeOutput(Transaction.makeEd25519Condition(alice.publicKey))], { km: 1 }),
    alice.privateKey)
  const stolen = Transaction.signTransaction(
    Transaction.makeTransferTransaction(
      [{ tx: sale, output_index: 0 }],
      [Transaction.makeOutput(Transaction.makeEd25519Condition(alice.publicKey))], { km: 2 }),
    alice.privateKey)
  const altered = JSON.parse(JSON.stringify(create))
  altered.metadata.km = 1
  altered.id = sha3(stringify({ ...altered, id: null }))
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
    doubleSpend: await refusal(theft),
    wrongKey: await refusal(stolen),
    badSignature: await refusal(altered)
  }
}

// Commits two transactions and tells what a stream tells of them, and of the second one again.
async function withStream (url) {
  const connection = new Connection(url)
  const { streams } = await (await fetch(url)).json()
  const alice = new Ed25519Keypair()
  const own = () => [Transaction.makeOutput(Transaction.makeEd25519Condition(alice.publicKey))]
  const next = socket => new Promise((resolve, reject) => {
    socket.once('message', data => resolve(JSON.parse(data)))
    socket.once('error', reject)
  })
  const socket = new WebSocket(streams)
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
  const create = Transaction.signTransaction(
    Transaction.makeCreateTransaction({ box: 1 }, null, own(), alice.publicKey), alice.privateKey)
  const moved = Transaction.signTransaction(
    Transaction.makeTransferTransaction([{ tx: create, output_index: 0 }], own(), { n: 1 }),
    alice.privateKey)
  const told = []
  for (const tx of [create, moved]) {
    const event = next(socket)
    await connection.postTransactionCommit(tx)
    told.push(await event)
  }
  socket.close()
  const again = new WebSocket(`${streams}?from_height=${told[1].height}`)
  const resumed = await next(again)
  again.close()
  return {
    keys: Object.keys(told[0]),
    ids: told.every((event, at) => event.transaction_id === [create, moved][at].id),
    asset: told.every(event => event.asset_id === create.id),
    resumed: resumed.transaction_id === moved.id
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
  .then(async driver => {
    const seen = { driver, orm: await withOrm(url), stream: await withStream(url) }
    console.log(JSON.stringify(seen))
  })
  .catch(error => { console.error(error); process.exit(1) })
