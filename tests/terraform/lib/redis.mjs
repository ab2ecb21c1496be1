// SPDX-License-Identifier: Apache-2.0
// A group of Redis hosts, rehearsed on loopback: three hosts of three processes each start with the files that the plan gives them, and the first
// one's script forms the cluster and loads the function library. Only places and addresses are ours (127.0.0.x for the hosts, names by a getent
// of our own).
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

import { root } from './environment.mjs';
import { EXAMPLE, filesOf, filled } from './hosts.mjs';

const run = promisify(execFile);
const unless = (ok, complaint) => (ok ? [] : [complaint]);
const PROCESSES = 3;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function program(file, text) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text, { mode: 0o755 });
}

async function secrets(dir, zone) {
    const names = ['-subj', '/CN=redis', '-addext', `subjectAltName=DNS:*.${zone}`];
    await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'redis-key', '-out', 'redis-ca', '-days', '2', ...names], { cwd: dir });
    fs.copyFileSync(path.join(dir, 'redis-ca'), path.join(dir, 'redis-certificate'));
    fs.writeFileSync(path.join(dir, 'redis-password'), 'secret\n');
}

/* One process with its host's file; resolves when it has ended. */
function startNode(host, n, dir, port) {
    const folder = path.join(dir, `${host.name}-${n}`);
    fs.mkdirSync(folder);
    const users = ['user default on >secret ~* &* +@all', ...host.group.flatMap((h) => [1, 2, 3].map((m) => `user repl-${h}-${m} on >secret +psync +replconf +ping`))];
    fs.writeFileSync(path.join(folder, 'users.acl'), `${users.join('\n')}\n`);
    const conf = filled(host.files['/etc/meridian/redis-@N@.conf.in'], host.files, n)
        .replace(`bind ${EXAMPLE.ADDRESS} 127.0.0.1`, `bind ${host.address}`)
        .replaceAll(EXAMPLE.ADDRESS, host.address)
        .replace(/^tls-port .*$/m, `tls-port ${port + n}`)
        .replaceAll(/\/var\/lib\/redis\/\d+/g, folder)
        .replaceAll('/etc/meridian/secrets', dir)
        .replace('@PASSWORD@', 'secret');
    fs.writeFileSync(path.join(folder, 'redis.conf'), conf);
    const child = spawn('redis-server', [path.join(folder, 'redis.conf')]);
    child.words = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (child.words += text));
    child.ended = new Promise((done) => child.on('close', done));
    return child;
}

/* The form script with its files in `dir`; its names come from a getent of ours. */
function prepareForm(hosts, dir, port, zone) {
    const cases = hosts.map((h) => `redis-${h.name}.*) echo "${h.address} STREAM" ;;`).join(' ');
    program(path.join(dir, 'bin/getent'), `#!/bin/bash\ncase $2 in ${cases} esac\n`);
    program(path.join(dir, 'bin/redis-cli'), hosts[0].files['/usr/local/lib/meridian/bin/redis-cli'].replaceAll('/etc/meridian/secrets', dir));
    fs.writeFileSync(path.join(dir, 'host.env'), `export HOSTS='${hosts.map((h) => h.name).join(' ')}' PRIVATE_ZONE=${zone} REDIS_PORT=${port} REDIS_PROCESSES=${PROCESSES}\n`);
    const places = { '/etc/meridian/host.env': path.join(dir, 'host.env'), '/etc/meridian/secrets': dir, '/usr/local/lib/meridian/bin': path.join(dir, 'bin'), '/usr/share/meridian/redis': path.join(root, 'infra/redis') };
    let text = hosts[0].files['/usr/local/lib/meridian/form'];
    for (const [from, to] of Object.entries(places)) text = text.replaceAll(from, to);
    program(path.join(dir, 'form'), text);
}

async function judge(hosts, dir, port, zone) {
    const cli = (...words) => run(path.join(dir, 'bin/redis-cli'), ['-h', hosts[0].address, '-p', String(port + 1), '--no-auth-warning', '-a', 'secret', ...words]).then((a) => a.stdout.trim());
    const nodes = (await cli('cluster', 'nodes')).split('\n');
    const primaries = nodes.filter((line) => /master/.test(line));
    const plain = await run('redis-cli', ['-h', hosts[0].address, '-p', String(port + 1), '-a', 'secret', 'ping']).then((a) => a.stdout, () => '');
    return [
        ...unless(nodes.length === hosts.length * PROCESSES, `${nodes.length} nodes`),
        ...unless(primaries.length === PROCESSES && new Set(primaries.map((line) => line.split(' ')[1].split(':')[0])).size === hosts.length, `primaries: ${primaries.join('\n')}`),
        ...unless(nodes.every((line) => line.includes(`.${zone} `)), `a node without its name:\n${nodes.join('\n')}`),
        ...unless(/cluster_state:ok/.test(await cli('cluster', 'info')), await cli('cluster', 'info')),
        ...unless(/meridian1/.test(await cli('function', 'list')), 'the function library is not there'),
        ...unless(/repl-g1-a-1$/.test(await cli('config', 'get', 'masteruser')), 'a node does not replicate as itself'),
        ...unless(!plain.includes('PONG'), 'it answers without TLS'),
    ];
}

/* r: an applied region with hosts of its own. Ports port + 1..3 of 127.0.0.11..13, and 10000 above. */
export async function aGroupOfHostsFormsACluster(r, dir, port) {
    const group = r.of('aws_instance').filter((i) => i.values.tags?.role === 'redis' && i.index.startsWith('g1-'));
    const names = group.map((i) => i.index).sort();
    const hosts = names.map((name, at) => ({ name, group: names, address: `127.0.0.${11 + at}`, files: filesOf(group.find((i) => i.index === name).values) }));
    const zone = /^export PRIVATE_ZONE='(.*)'$/m.exec(hosts[0].files['/etc/meridian/host.env'])[1];
    await secrets(dir, zone);
    prepareForm(hosts, dir, port, zone);
    const nodes = hosts.flatMap((host) => [1, 2, 3].map((n) => startNode(host, n, dir, port)));
    try {
        for (const again of ['', ' a second time']) {
            const form = spawn(path.join(dir, 'form'), [], { stdio: ['ignore', 'pipe', 'pipe'], timeout: 120000 });
            let words = '';
            for (const stream of [form.stdout, form.stderr]) stream.on('data', (text) => (words += text));
            const code = await new Promise((done) => form.on('close', done));
            if (code !== 0) return [`form${again}: exit ${code}\n${words.slice(-2000)}\n${nodes.map((n) => n.words.slice(-300)).join('\n')}`];
        }
        await sleep(1500); // the youngest replica's name goes round
        return await judge(hosts, dir, port, zone);
    } finally {
        for (const node of nodes) node.kill();
        await Promise.all(nodes.map((node) => node.ended));
    }
}
