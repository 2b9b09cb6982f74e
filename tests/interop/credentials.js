// Digital Bazaar's suite of Verifiable Credentials: one command a line of standard input, one
// answer a line of standard output. The first argument is the directory with node_modules.
const {createRequire} = require('node:module');
const {pathToFileURL} = require('node:url');
const readline = require('node:readline');
const path = require('node:path');

const directory = process.argv[2];
const from = createRequire(path.join(directory, 'package.json'));
const load = name => import(pathToFileURL(from.resolve(name)).href);

function keyDocument(url) {
  const [did, fragment] = url.split('#');
  const key = did.slice('did:key:'.length);
  const method = {
    id: `${did}#${key}`,
    type: 'Multikey',
    controller: did,
    publicKeyMultibase: key,
  };
  if(fragment !== undefined) {
    return {'@context': 'https://w3id.org/security/multikey/v1', ...method};
  }
  return {
    '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1'],
    id: did,
    verificationMethod: [method],
    assertionMethod: [method.id],
  };
}

async function main() {
  const vc = await load('@digitalbazaar/vc');
  const {DataIntegrityProof} = await load('@digitalbazaar/data-integrity');
  const suites = {
    'eddsa-jcs-2022': await load('@digitalbazaar/eddsa-jcs-2022-cryptosuite'),
    'eddsa-rdfc-2022': await load('@digitalbazaar/eddsa-rdfc-2022-cryptosuite'),
  };
  const multikey = await load('@digitalbazaar/ed25519-multikey');
  const lists = await load('@digitalbazaar/vc-bitstring-status-list');

  const verifying = name => {
    const found = suites[name];
    const cryptosuite = found.createVerifyCryptosuite
      ? found.createVerifyCryptosuite() : found.cryptosuite;
    return new DataIntegrityProof({cryptosuite});
  };
  const loader = extra => async url => {
    if(extra && url in extra) {
      return {contextUrl: null, documentUrl: url, document: extra[url]};
    }
    if(url.startsWith('did:key:')) {
      return {contextUrl: null, documentUrl: url, document: keyDocument(url)};
    }
    return vc.defaultDocumentLoader(url);
  };
  const everySuite = () => Object.keys(suites).map(verifying);

  const commands = {
    async verify({credential, documents}) {
      const documentLoader = loader(documents);
      const found = await vc.verifyCredential({
        credential, suite: everySuite(), documentLoader,
        checkStatus: credential.credentialStatus ? lists.checkStatus : undefined,
      });
      const status = found.statusResult;
      return {
        verified: found.verified,
        error: found.error ? String(found.error.errors?.[0] ?? found.error) : null,
        status: status?.results ? status.results.map(result => result.status) : null,
      };
    },
    async issue({credential, cryptosuite, seed, created}) {
      const pair = await multikey.generate({seed: Buffer.from(seed, 'hex')});
      const {publicKeyMultibase: key} = await pair.export({publicKey: true});
      const signer = pair.signer();
      signer.id = `did:key:${key}#${key}`;
      const found = suites[cryptosuite];
      const suite = new DataIntegrityProof({
        signer,
        date: created,
        cryptosuite: found.createSignCryptosuite ? found.createSignCryptosuite() : found.cryptosuite,
      });
      const made = {...credential, issuer: `did:key:${key}`};
      return vc.issue({credential: made, suite, documentLoader: loader()});
    },
    async list({url, revoked, length}) {
      const list = await lists.createList({length});
      for(const index of revoked) {
        list.setStatus(index, true);
      }
      return lists.createCredential({id: url, list, statusPurpose: 'revocation'});
    },
  };
  const lines = readline.createInterface({input: process.stdin});
  for await (const line of lines) {
    const {command, ...given} = JSON.parse(line);
    let answer;
    try {
      answer = await commands[command](given);
    } catch(error) {
      answer = {failed: String(error)};
    }
    console.log(JSON.stringify(answer));
  }
}

main();
