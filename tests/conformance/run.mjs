#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// run.mjs - WebSocket conformance of an echo endpoint, over raw sockets: the case list of the Autobahn suite's groups 1-7 and 10, and more.
// Usage: run.mjs [--cap BYTES] [--filter PREFIX] [--jobs N] [--list] [URL...]      URLs also from MERIDIAN_ECHO_URL (separated by blanks)
// The server must be configured for it: messages up to --cap (default 1 MiB), at least 64 fragments a message, and no limit on connections of
// one address. Prints what failed, and last `N passed, N failed`. Exit 1 when anything did, 2 when nothing could be run.
import cases, { suite } from './cases.mjs';
import { Mismatch, Peer } from './peer.mjs';

const options = { cap: 1 << 20, filter: '', jobs: 8, list: false, urls: [] };
const args = process.argv.slice(2);
while (args.length) {
  const arg = args.shift();
  if (arg === '--cap') options.cap = Number(args.shift());
  else if (arg === '--filter') options.filter = args.shift();
  else if (arg === '--jobs') options.jobs = Number(args.shift());
  else if (arg === '--list') options.list = true;
  else if (arg.startsWith('-')) {
    console.error('usage: run.mjs [--cap BYTES] [--filter PREFIX] [--jobs N] [--list] [URL...]');
    process.exit(2);
  } else options.urls.push(arg);
}
if (options.urls.length === 0) options.urls = (process.env.MERIDIAN_ECHO_URL ?? '').split(/\s+/).filter(Boolean);
const chosen = cases.filter((c) => c.number.startsWith(options.filter));
if (options.list) {
  for (const c of chosen) console.log(`${c.number}\t${c.title}`);
  process.exit(0);
}
if (options.urls.length === 0 || chosen.length === 0) {
  console.error('run.mjs: no URL (argument or MERIDIAN_ECHO_URL), or no such case');
  process.exit(2);
}

async function runOne(url, c) {
  let peer;
  try {
    peer = await Peer.open(url);
    await c.run(peer, options);
    return { strict: peer.strict };
  } catch (error) {
    return { error: error instanceof Mismatch ? error.message : (error.stack ?? String(error)) };
  } finally {
    peer?.destroy();
  }
}

let passed = 0, failed = 0;
for (const url of options.urls) {
  const queue = [...chosen];
  let loose = 0;
  const worker = async () => {
    for (let c = queue.shift(); c; c = queue.shift()) {
      const result = await runOne(url, c);
      if (result.error) console.log(`FAILED ${c.number} ${c.title} (${url})\n       ${result.error}`);
      else if (!result.strict) console.log(`non-strict ${c.number} ${c.title} (${url})`);
      if (result.error) failed++;
      else passed++;
      loose += !result.error && !result.strict;
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, worker));
  console.log(`${url}: ${chosen.length} cases (${chosen.filter((c) => cases.indexOf(c) < suite).length} of the suite), ${loose} of them non-strict`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
