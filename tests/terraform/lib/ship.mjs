// SPDX-License-Identifier: Apache-2.0
// A host's log lines on their way to an Elasticsearch that is none, with the files and the command of the plan: over TLS, with the password of the
// secret, and not to somebody with another's certificate. Only places, the address and where lines come from (a file, no journal) are ours.
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { promisify } from 'node:util';

import { filesOf } from './hosts.mjs';

const run = promisify(execFile);
const unless = (ok, complaint) => (ok ? [] : [complaint]);
const BOOT = '/usr/local/lib/meridian/boot';
const PASSWORD = 'a"b$c\\d`e\'f'; // all but blanks, which rsyslog refuses
const LINE = '{"ts":"2026-11-22T12:00:00.123Z","level":"info","process":"a.b","region":"eu","event":"process.state"}';

async function missing() {
    const there = await run('rsyslogd', ['-v']).then(() => run('find', ['/usr/lib', '-name', 'omelasticsearch.so']), () => ({ stdout: '' }));
    if (!there.stdout) console.log('SKIPPED: rsyslog or rsyslog-elasticsearch missing');
    return !there.stdout;
}

/* Takes bulks; `heard` are their bodies and who sent them, `refused` counts those who did not like its certificate. */
async function elasticsearch(dir) {
    const heard = [];
    const server = https.createServer({ key: fs.readFileSync(path.join(dir, 'key')), cert: fs.readFileSync(path.join(dir, 'ca')) }, (request, answer) => {
        let body = '';
        request.on('data', (part) => (body += part)).on('end', () => {
            if (request.url.startsWith('/_bulk')) heard.push({ body, who: Buffer.from((request.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString() });
            answer.setHeader('content-type', 'application/json');
            answer.end('{"took":1,"errors":false,"items":[]}');
        });
    });
    const it = { heard, refused: 0, server };
    server.on('tlsClientError', () => it.refused++);
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    return it;
}

/* The shipper's files in a folder, and its environment as systemd would read it: what the host's boot wrote, read by bash. */
async function placed(files, dir, authority, port) {
    const here = (text) => text.replaceAll('/etc/meridian-ship', dir).replaceAll('/etc/meridian/secrets', dir).replaceAll('/var/lib/meridian-ship', path.join(dir, 'state'));
    fs.mkdirSync(path.join(dir, 'state'), { recursive: true });
    for (const [file, text] of Object.entries(files)) if (file.startsWith('/etc/meridian-ship/')) fs.writeFileSync(path.join(dir, path.basename(file)), here(text));
    const conf = path.join(dir, 'rsyslog.conf');
    fs.writeFileSync(conf, fs.readFileSync(conf, 'utf8').replace(/^module\(load="imjournal".*$/m, 'module(load="imfile" mode="polling" pollingInterval="1")')
        .replace(/^if .*$/m, `input(type="imfile" file="${dir}/lines" tag="meridian" ruleset="ship" freshStartTail="off")`));
    fs.writeFileSync(path.join(dir, 'lines'), `${LINE}\n`);
    fs.writeFileSync(path.join(dir, 'logs-password'), `${PASSWORD}\n`);
    await run('bash', ['-euc', `${here(/^where\(\) \{\n[\s\S]*?^\}$/m.exec(files[BOOT])[0])}\nwhere`]);
    const mode = fs.statSync(path.join(dir, 'where')).mode & 0o777;
    if (mode !== 0o600) throw new Error(`where: ${mode.toString(8)}`);
    const { stdout } = await run('bash', ['-euc', `set -a; . ${dir}/where; env -0 | grep -z ^ELASTICSEARCH`]);
    const env = Object.fromEntries(stdout.split('\0').filter(Boolean).map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
    const command = here(/^ExecStart=(.*)$/m.exec(files['/etc/systemd/system/meridian-ship.service'])[1]).split(' ');
    return { command, env: { ...process.env, ...env, ELASTICSEARCH: `https://localhost:${port}`, ELASTICSEARCH_CA: authority } };
}

async function shipping(shipper, until) {
    const child = spawn(shipper.command[0], shipper.command.slice(1), { env: shipper.env, stdio: 'ignore' });
    const ended = new Promise((done) => child.on('close', done).on('error', done));
    try {
        for (const end = Date.now() + 120000; !until() && child.exitCode === null && Date.now() < end; ) await new Promise((done) => setTimeout(done, 100));
    } finally {
        child.kill('SIGKILL'); // with lines that nobody took it would wait for them
        await ended;
    }
}

/* r: an applied region whose hosts ship. */
export async function linesReachElasticsearch(r, dir) {
    if (await missing()) return [];
    const files = filesOf(r.of('aws_launch_template')[0].values);
    const options = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=logs', '-addext', 'subjectAltName=DNS:localhost'];
    for (const [key, cert] of [['key', 'ca'], ['other-key', 'other-ca']]) await run('openssl', [...options, '-keyout', key, '-out', cert], { cwd: dir });
    const store = await elasticsearch(dir);
    const { port } = store.server.address();
    try {
        await shipping(await placed(files, path.join(dir, 'stranger'), path.join(dir, 'other-ca'), port), () => store.refused > 0 || store.heard.length > 0);
        if (store.heard.length || !store.refused) return [`to somebody whose certificate is another's: ${store.refused} refusals, ${JSON.stringify(store.heard)}`];
        await shipping(await placed(files, path.join(dir, 'host'), path.join(dir, 'ca'), port), () => store.heard.length > 0);
        const [first] = store.heard;
        return [
            ...unless(first?.body.includes(`"meridian":${LINE}`), `what arrives: ${first?.body}`),
            ...unless(first?.who === `shipper:${PASSWORD}`, `who says to have sent it: ${first?.who}`),
        ];
    } finally {
        store.server.closeAllConnections();
        await new Promise((done) => store.server.close(done));
    }
}
