// SPDX-License-Identifier: Apache-2.0
// Who watches, with what hosts are told: promtool and amtool read every configuration; and a rehearsal on loopback, in which the figures of a Redis
// behind TLS reach the monitor by its exporter and its host's agent, with the files and commands of the plan. Only places and addresses are ours.
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';

import { environmentOf, EXAMPLE, filesOf, filled } from './hosts.mjs';

const run = promisify(execFile);
const unless = (ok, complaint) => (ok ? [] : [complaint]);
const hosts = (r, role) => r.of('aws_instance').filter((i) => i.values.tags?.role === role);
const FOLDER = '/etc/meridian-watch/';

async function missing(...tools) {
    const lacking = [];
    for (const tool of tools) await run(tool, ['--version']).catch((error) => error.code === 'ENOENT' && lacking.push(tool));
    if (lacking.length) console.log(`SKIPPED: ${lacking.join(' and ')} missing`);
    return lacking.length > 0;
}

/* What a host has below /etc/meridian-watch, as after its boot (process 1), written below `at`. */
function written(host, at, change = (text) => text) {
    const files = filesOf(host.values);
    for (const [file, text] of Object.entries(files).filter(([f]) => f.startsWith(FOLDER))) {
        const to = path.join(at, file.slice(FOLDER.length).replace('@N@', '1').replace(/\.in$/, ''));
        fs.mkdirSync(path.dirname(to), { recursive: true });
        fs.writeFileSync(to, change(file.endsWith('.in') ? filled(text, files, 1) : text));
    }
    return files;
}

/* Agents', Prometheus' and Alertmanager's configurations. */
export async function watchersTakeTheirConfiguration(r, dir) {
    if (await missing('promtool', 'amtool')) return [];
    const complaints = [];
    const check = (tool, ...words) => run(tool, words).then(({ stdout, stderr }) => stdout + stderr, (error) => void complaints.push(`${words.at(-1)}: ${error.stdout}${error.stderr}`) ?? '');
    for (const h of [...r.of('aws_launch_template'), ...hosts(r, 'router'), ...hosts(r, 'redis'), ...hosts(r, 'geo')]) {
        const at = path.join(dir, `${h.values.tags?.role ?? 'edge'}-${h.index ?? ''}`);
        written(h, at);
        const said = await check('promtool', 'check', 'config', '--agent', path.join(at, 'agent.yml'));
        const jobs = fs.readdirSync(path.join(at, 'targets')).map((f) => f.replace(/[-.].*/, ''));
        complaints.push(...jobs.flatMap((job) => unless(!said.includes(`targets/${job}*`), `${h.address}: ${said}`))); // promtool names files that are not there
    }
    for (const h of [...hosts(r, 'monitor'), ...hosts(r, 'single')]) {
        written(h, dir);
        const said = await check('promtool', 'check', 'config', path.join(dir, 'prometheus.yml'));
        const jobs = fs.readdirSync(path.join(dir, 'targets')).map((f) => f.replace(/[-.].*/, '')).filter((job) => job !== 'alertmanager');
        complaints.push(...unless(jobs.length === (h.values.tags.role === 'single' ? 3 : 0) && !jobs.some((job) => said.includes(`targets/${job}*`)), `${h.address}: ${jobs}: ${said}`));
        complaints.push(...unless((said.match(/rules found/g) ?? []).length === 5, `the monitor's rules: ${said}`));
        await check('amtool', 'check-config', path.join(dir, 'alertmanager.yml'));
    }
    return complaints;
}

/* A unit's command as an argument list, with our places. */
const command = (unit, places) => places(/^ExecStart=(.*)$/m.exec(unit)[1]).split(/ +/);

/* What Prometheus answers; while it starts it says "Service Unavailable", which is no JSON: that rejects. */
const get = (url) => fetch(url).then((answer) => answer.json());

/* The `prepare` of a host with Redis in a folder of ours: what it needs of a system are stand-ins. Answers the exporter's passwords. */
async function prepared(files, dir, port) {
    const bin = path.join(dir, 'bin');
    fs.mkdirSync(bin);
    for (const name of ['systemctl', 'sysctl', 'chown', 'install']) fs.writeFileSync(path.join(bin, name), '#!/bin/sh\n', { mode: 0o755 });
    fs.mkdirSync(path.join(dir, 'redis'));
    const env = environmentOf(files);
    fs.writeFileSync(path.join(dir, 'host.env'), `export EXPORTED='${env.EXPORTED}' HOSTS='${env.HOSTS}' DATA_DIR='${dir}/data' REDIS_PORT=${port - 1} REDIS_PROCESSES=${env.REDIS_PROCESSES > 1 ? 2 : 1}\n`);
    for (const n of [1, 2]) fs.writeFileSync(path.join(dir, `redis-${n}.conf`), '');
    const script = files['/usr/local/lib/meridian/prepare'].replaceAll('/etc/meridian/secrets', dir).replaceAll('/etc/meridian', dir).replaceAll('/etc/redis', `${dir}/redis`);
    await run('bash', ['-c', script], { env: { PATH: `${bin}:${process.env.PATH}` } });
    const passwords = fs.readFileSync(path.join(dir, 'redis-passwords.json'), 'utf8');
    const names = Object.keys(JSON.parse(passwords));
    if (names.join() !== [0, 1].slice(0, env.REDIS_PROCESSES).map((n) => `${env.EXPORTED}:${port + n}`).join()) throw new Error(`prepare: ${names}`);
    return passwords;
}

/* So many ports of 127.0.0.1 that nobody has just now: other tests run beside. */
async function freePorts(count) {
    const servers = await Promise.all(Array.from({ length: count }, () => new Promise((done, fail) => {
        const server = net.createServer().on('error', fail).listen(0, '127.0.0.1', () => done(server));
    })));
    const ports = servers.map((server) => server.address().port);
    await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
    return ports;
}

const PASSWORD = 'secret-secret-secret';

/* Runs the commands until Prometheus at that port answers `ask` with something that ends it; answers that, or what was said instead. */
async function answered(commands, dir, port, ask, ends) {
    let words = '';
    const children = commands.map(([program, ...options]) => {
        const child = spawn(program, options, { cwd: dir });
        for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (words += text));
        child.ended = new Promise((done) => child.on('close', done));
        return child;
    });
    try {
        for (const until = Date.now() + 240000; Date.now() < until; await new Promise((done) => setTimeout(done, 300))) {
            const found = await get(`http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(ask)}`).then((a) => a.data.result).catch(() => []);
            if (ends(found)) return { found };
        }
        return { words: words.slice(-3000) };
    } finally {
        for (const child of children) child.kill('SIGKILL'); // an agent would try for a minute to bring the rest
        await Promise.all(children.map((child) => child.ended));
    }
}

/* The one host of \`single\`: what runs on it is seen by its own Prometheus, of which Redis is there and the rest is not. */
export async function singleSeesItself(r, dir) {
    fs.writeFileSync(path.join(dir, 'redis-password'), `${PASSWORD}\n`);
    const [host] = hosts(r, 'single');
    const [redis, exporter, monitor] = await freePorts(3);
    const passwords = await prepared(filesOf(host.values), dir, redis);
    const made = ['users.acl'].every((file) => fs.existsSync(path.join(dir, 'data', String(redis), file))) && fs.existsSync(path.join(dir, 'redis/redis-1.conf'));
    if (!made) return ['no users, or no configuration'];
    if (await missing('prometheus', 'prometheus-redis-exporter')) return [];
    fs.writeFileSync(path.join(dir, 'redis-passwords.json'), passwords);
    const here = (text) =>
        text.replaceAll('127.0.0.1:6400', `127.0.0.1:${redis}`).replaceAll('127.0.0.1:9121', `127.0.0.1:${exporter}`).replaceAll('127.0.0.1:9090', `127.0.0.1:${monitor}`)
            .replaceAll('/var/lib/prometheus', `${dir}/metrics`).replaceAll('/etc/meridian-watch', `${dir}/watch`).replaceAll('/etc/meridian', dir).replace('scrape_interval: 15s', 'scrape_interval: 1s');
    const files = written(host, path.join(dir, 'watch'), here);
    const unit = (name) => command(files[`/etc/systemd/system/${name}.service`], here);
    const commands = [['redis-server', '--port', String(redis), '--bind', '127.0.0.1', '--requirepass', PASSWORD, '--save', ''], unit('prometheus-redis-exporter'), unit('prometheus')];
    const { found, words } = await answered(commands, dir, monitor, 'redis_up or up{job!="redis"}', (all) => all.length === 3 && all.some((one) => one.value[1] === '1'));
    if (!found) return [`the host does not see itself: ${words}`];
    const seen = found.map(({ metric: m, value: [, v] }) => `${m.__name__} ${m.job} ${m.instance} ${v}`).sort().join(', ');
    const expected = `redis_up redis 127.0.0.1:${redis} 1, up edge ${EXAMPLE.HOST}-1 0, up router router-a 0`;
    return unless(seen === expected && found.every(({ metric: m }) => m.region && m.host === EXAMPLE.HOST), `${seen} is not ${expected}: ${JSON.stringify(found)}`);
}

/* r: an applied region with Redis hosts. */
export async function figuresReachTheMonitor(r, dir) {
    if (await missing('prometheus', 'prometheus-redis-exporter')) return [];
    const [host] = hosts(r, 'redis');
    const [redis, exporter, agent, monitor] = await freePorts(4);
    const zone = environmentOf(filesOf(host.values)).PRIVATE_ZONE;
    const placed = (folder) => (text) =>
        text.replaceAll(`prometheus.${zone}:9090`, `127.0.0.1:${monitor}`).replace(/redis-[\w-]+\.[\w.-]+:\d+/g, `localhost:${redis}`).replaceAll('127.0.0.1:9121', `127.0.0.1:${exporter}`)
            .replaceAll('127.0.0.1:9090', `127.0.0.1:${agent}`).replaceAll('0.0.0.0:9090', `127.0.0.1:${monitor}`).replaceAll('/var/lib/prometheus', `${dir}/data`)
            .replaceAll('/etc/meridian-watch', `${dir}/${folder}`).replaceAll('/etc/meridian/secrets', dir).replaceAll('/etc/meridian', dir).replace('scrape_interval: 15s', 'scrape_interval: 1s');
    await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'redis-key', '-out', 'redis-ca', '-days', '2', '-subj', '/CN=redis', '-addext', 'subjectAltName=DNS:localhost'], { cwd: dir });
    fs.writeFileSync(path.join(dir, 'redis-password'), `${PASSWORD}\n`);
    const [here, there] = [placed('host'), placed('monitor')];
    const files = written(host, path.join(dir, 'host'), here);
    fs.writeFileSync(path.join(dir, 'redis-passwords.json'), here(await prepared(files, dir, redis)));
    const [watcher] = hosts(r, 'monitor');
    const units = written(watcher, path.join(dir, 'monitor'), there);
    const unit = (from, name, places) => command(from[`/etc/systemd/system/${name}.service`], places);
    const tls = ['--tls-cert-file', 'redis-ca', '--tls-key-file', 'redis-key', '--tls-ca-cert-file', 'redis-ca', '--tls-auth-clients', 'no'];
    const commands = [
        ['redis-server', '--port', '0', '--tls-port', String(redis), '--bind', '127.0.0.1', ...tls, '--requirepass', PASSWORD, '--save', ''],
        unit(files, 'prometheus-redis-exporter', here), unit(files, 'prometheus', here), unit(units, 'prometheus', there),
    ];
    const { found, words } = await answered(commands, dir, monitor, 'redis_up', (all) => all[0]?.value[1] === '1');
    if (!found) return [`the monitor does not hear of Redis: ${words}`];
    const [{ metric }] = found;
    return unless(metric.region === r.name && metric.job === 'redis' && !('exporter' in metric) && !('tls' in metric), JSON.stringify(found));
}
