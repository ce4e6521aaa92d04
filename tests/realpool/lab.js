'use strict';
// One process: a bcoin regtest node held in memory, and a foundation-stratum pool on top of it. See README.md for the
// options in the environment; PORT is the pool's, RPC the node's HTTP port. Prints READY once miners can connect.
// the pool code has no guard: a submit with no params kills the process. Keep going and say so.
process.on('uncaughtException', (e) => console.log(new Date().toISOString(), 'UNCAUGHT', e.message));

const net = require('net');
const PORT = +(process.env.PORT || 13333), RPC = +(process.env.RPC || 18443);
const DIFF = +(process.env.DIFF || 0.001), BITS = process.env.BITS ? parseInt(process.env.BITS, 16) : 0;

const TXS = +(process.env.TXS || 0); // this many transactions wait in the mempool for every block (merkle branches)

// The pool listens on every interface and has no option for it: keep it on loopback.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...a) {
  return typeof a[0] === 'number' && typeof a[1] !== 'string' ? listen.call(this, a[0], '127.0.0.1', ...a.slice(1)) : listen.apply(this, a);
};

const bcoin = require('bcoin');
const reg = bcoin.Network.get('regtest');
// bcoin 1.0.2 predates Core's regtest prefixes: use the usual ones.
Object.assign(reg.addressPrefix, { pubkeyhash: 0x6f, scripthash: 0xc4, bech32: 'bcrt' });

// Mine 100 + TXS blocks to our own key at once (JS, a second or two), then re-spend TXS of its coins after every block.
async function keepTransactionsComing(node, bcoin) {
  const ring = bcoin.KeyRing.generate();
  const coins = [];
  node.miner.addresses = [ring.getAddress()];
  for (let i = 0; i < 100 + TXS; i++) {
    const block = await node.miner.mineBlock();
    if (i < TXS) coins.push(bcoin.Coin.fromTX(block.txs[0], 0, i + 1));
    await node.chain.add(block);
  }
  const respend = async () => {
    for (let i = 0; i < coins.length; i++) {
      const mtx = new bcoin.MTX();
      mtx.addCoin(coins[i]);
      mtx.addOutput(ring.getAddress(), coins[i].value - 1000);
      mtx.sign(ring);
      const tx = mtx.toTX();
      await node.sendTX(tx);
      coins[i] = bcoin.Coin.fromTX(tx, 0, -1);
    }
  };
  await respend();
  node.on('connect', () => setImmediate(() => respend().catch((e) => console.log('TX', e.message))));
}

async function main() {
  const node = new bcoin.FullNode({
    network: 'regtest', memory: true, listen: false, selfish: true, persistent: false,
    httpHost: '127.0.0.1', httpPort: RPC, apiKey: 'p', logConsole: false, workers: false,
  });
  await node.open();
  await node.connect();
  if (TXS) await keepTransactionsComing(node, bcoin);
  if (BITS) node.chain.getTarget = async (time, prev) => (prev ? BITS : reg.pow.bits);
  node.on('connect', (e) => console.log(new Date().toISOString(), 'NODE height', e.height, e.rhash ? e.rhash() : ''));
  node.on('error', (e) => console.log('NODE error', e.message));

  const address = process.env.ADDRESS || 'mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8'; // hash160 of all zero bytes
  const Stratum = require('foundation-stratum');
  const prefixes = { coin: 'btc', bech32: 'bcrt', bip32: { public: 0x043587cf, private: 0x04358394 }, pubKeyHash: 0x6f, scriptHash: 0xc4, wif: 0xef };
  const config = {
    name: 'lab', coins: ['regtest'], debug: true,
    primary: {
      address, recipients: [],
      coin: {
        name: 'Bitcoin', symbol: 'BTC', version: 2, segwit: true, asicboost: process.env.ROLL !== '0', getinfo: false,
        algorithms: { mining: 'sha256d', block: 'sha256d', coinbase: 'sha256d' },
        rewards: { type: '', addresses: [] }, mainnet: prefixes, testnet: prefixes,
      },
      daemons: [{ host: '127.0.0.1', port: RPC, username: 'x', password: 'p' }],
    },
    ports: [{ port: PORT, enabled: true, type: 'shared', tls: false,
      difficulty: { initial: DIFF, minimum: DIFF, maximum: +(process.env.MAXDIFF || DIFF), targetTime: 5, retargetTime: +(process.env.RETARGET || 20), variance: 0.3 } }],
    banning: { time: 600, invalidPercent: 0.99, checkThreshold: 1e9, purgeInterval: 300 },
    settings: { blockRefreshInterval: 250, jobRebroadcastTimeout: +(process.env.REBROADCAST || 30), connectionTimeout: 600, tcpProxyProtocol: false },
    statistics: {},
  };
  const auth = (ip, port, addr, aux, pass, done) => done({ error: null, authorized: pass !== 'reject', disconnect: pass === 'kick' });
  const pool = Stratum.create(config, { identifier: 'lab' }, auth, (r) => { if (r === true) console.log('READY 127.0.0.1:' + PORT); else console.log('POOL', r); });
  process.stdin.resume().on('end', () => process.exit(0)); // whoever started us is gone
  pool.on('log', (level, text) => console.log(new Date().toISOString(), level, text));
  pool.on('share', (d, type, isBlock, done) => {
    console.log(new Date().toISOString(), 'SHARE', type, 'block=' + !!isBlock, 'diff=' + d.difficulty, 'got=' + d.shareDiff, 'worker=' + d.addrPrimary, d.error || '');
    if (done) done();
  });
  pool.setupPool();
  process.on('SIGTERM', () => process.exit(0));
}
main().catch((e) => { console.error(e); process.exit(1); });
