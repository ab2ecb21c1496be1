// SPDX-License-Identifier: Apache-2.0
// What hosts are told, given to the real programs: our binaries check the configurations, geo plans DNS from the rendered footprint, bash reads
// the scripts, and the balancer's health answer and the agent's figures come from a stand-in edge. (Redis: redis.mjs, who watches: watch.mjs.)
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { promisify } from 'node:util';

import { root } from './environment.mjs';
import { environmentOf, EXAMPLE, filesOf, filled } from './hosts.mjs';

const run = promisify(execFile);
const unless = (ok, complaint) => (ok ? [] : [complaint]);

/* Path of a binary of ours, or undefined. */
export function binary(name) {
    const builds = [process.env.MERIDIAN_BUILD, 'build/test', 'build/release'].filter(Boolean);
    return builds.map((b) => path.resolve(root, b, name)).find((f) => fs.existsSync(f));
}

async function accepts(program, config, dir, name) {
    const file = path.join(dir, name);
    fs.writeFileSync(file, config);
    try {
        await run(program, ['--config', file, '--check-config'], { env: { PATH: process.env.PATH } });
        return [];
    } catch (error) {
        return [`${path.basename(program)} refuses ${name}: ${error.stderr.trim()}`];
    }
}

const template = (r) => r.of('aws_launch_template')[0] ?? r.of('aws_instance').find((i) => i.values.tags.role === 'single');
const hosts = (r, role) => r.of('aws_instance').filter((i) => i.values.tags?.role === role);

/* The edges' and routers' configurations, first and last process of a host. */
export async function binariesTakeTheirConfiguration(r, dir) {
    const edge = binary('edge/meridian-edge');
    const router = binary('region-router/meridian-router');
    if (!edge || !router) return ['no binaries: build first, or name the folder in MERIDIAN_BUILD'];
    const files = filesOf(template(r).values);
    const last = +environmentOf(files).PROCESSES;
    const edges = [1, last].map((n) => accepts(edge, filled(files['/etc/meridian/edge-@N@.yaml.in'], files, n), dir, `${r.name}-edge-${n}.yaml`));
    const routers = [...hosts(r, 'router'), ...hosts(r, 'single')].map((h) => {
        const f = filesOf(h.values);
        return accepts(router, filled(f['/etc/meridian/router.yaml.in'], f, 0), dir, `${r.name}-router-${h.index ?? 'single'}.yaml`);
    });
    return (await Promise.all([...edges, ...routers])).flat();
}

/* The agent takes its configuration; `geo plan` the footprint that the name servers get, and its zone answers the names that the edges expect, with the
   balancers' addresses. */
export async function geoTakesTheFootprint(g, dir) {
    const geo = binary('geo/geo');
    const agent = binary('geo/meridian-geo');
    if (!geo || !agent) return ['no geo: build first, or name the folder in MERIDIAN_BUILD'];
    const complaints = [];
    for (const host of hosts(g, 'geo')) {
        const files = filesOf(host.values);
        const into = path.join(dir, `gdnsd-${host.index}`);
        fs.mkdirSync(into);
        for (const name of ['footprint', 'measured']) fs.writeFileSync(path.join(into, `../${name}.yaml`), files[`/etc/meridian/${name}.yaml`]);
        const config = filled(files['/etc/meridian/geo.yaml.in'], files, 0).replaceAll('/etc/meridian/', `${dir}/`);
        complaints.push(...(await accepts(agent, config, dir, `geo-${host.index}.yaml`)));
        const options = ['--footprint', path.join(dir, 'footprint.yaml'), '--measured', path.join(dir, 'measured.yaml'), ...environmentOf(files).NAME_SERVERS.split(' ').flatMap((name) => ['--name-server', name])];
        try {
            await run(geo, ['plan', '--dir', into, '--listen', `${EXAMPLE.ADDRESS}:53`, ...options]);
        } catch (error) {
            return [`geo refuses the footprint of ${host.index}: ${error.stderr}`];
        }
        const plan = fs.readFileSync(path.join(into, 'config'), 'utf8');
        const zone = fs.readFileSync(path.join(into, 'zones', g.footprint.zone), 'utf8');
        for (const region of g.footprint.regions) {
            complaints.push(...unless(new RegExp(`^${region.name} .*DYNA`, 'm').test(zone), `gdnsd does not answer ${region.name}.${g.footprint.zone}`));
            for (const address of g.addresses[region.name]) complaints.push(...unless(plan.includes(` ${address} `), `gdnsd does not know ${address} of ${region.name}`));
        }
    }
    return complaints;
}

/* Every script that any host runs, read by bash. */
export async function bashReadsTheScripts(all) {
    const scripts = new Map();
    for (const h of all.flatMap((r) => [...r.of('aws_instance'), ...r.of('aws_launch_template')]))
        for (const [file, text] of Object.entries(filesOf(h.values))) if (text.startsWith('#!/bin/bash')) scripts.set(text, file);
    const complaints = [...scripts].map(([text, file]) =>
        new Promise((done) => {
            const bash = spawn('bash', ['-n']);
            let words = '';
            bash.stderr.on('data', (t) => (words += t));
            bash.on('close', (code) => done(unless(code === 0, `${file}: ${words}`)));
            bash.stdin.end(text);
        }));
    return [...unless(scripts.size > 0, 'no host runs any script'), ...(await Promise.all(complaints)).flat()];
}

/* Every unit that a host is given, read by systemd; that programs of other machines are not here is no fault. */
export async function systemdReadsTheUnits(all, dir) {
    if (await run('systemd-analyze', ['--version']).then(() => false, () => true)) return console.log('SKIPPED: systemd-analyze missing'), [];
    const units = new Map();
    for (const h of all.flatMap((r) => [...r.of('aws_instance'), ...r.of('aws_launch_template')]))
        for (const [file, text] of Object.entries(filesOf(h.values))) if (/^\/etc\/systemd\/system\/[^/]+\.(service|socket|timer)$/.test(file)) units.set(`${path.basename(file)} ${text}`, [path.basename(file), text]);
    const complaints = [];
    for (const [at, [name, text]] of [...units.values()].entries()) {
        const folder = path.join(dir, String(at));
        fs.mkdirSync(folder);
        fs.writeFileSync(path.join(folder, name), text);
        const said = await run('systemd-analyze', ['verify', '--man=no', path.join(folder, name)]).then((a) => a.stderr, (error) => error.stderr);
        complaints.push(...said.split('\n').filter((line) => line.includes(name) && !/is not executable|not loaded/.test(line)).map((line) => `${name}: ${line}`));
    }
    return [...unless(units.size > 0, 'no host has a unit'), ...complaints];
}

const METRICS = 'meridian_edge_connections 400\nmeridian_edge_move_stored_seconds_sum 0.5\nmeridian_edge_move_stored_seconds_count 100\n';

/* The balancer's answer and the agent's figures: two processes, of which one is a stand-in that is ready or not. */
export async function hostAnswersForItsEdges(r, dir) {
    const files = filesOf(template(r).values);
    const state = { ready: true };
    const edge = http.createServer((q, a) => {
        a.statusCode = q.url === '/metrics' || state.ready ? 200 : 503;
        a.end(q.url === '/metrics' ? METRICS : '');
    });
    await new Promise((done) => edge.listen(0, '127.0.0.1', done));
    const env = path.join(dir, 'host.env');
    // Process 1 is not there, process 2 is the stand-in.
    fs.writeFileSync(env, `export PROCESSES=2 ADMIN_PORT=${edge.address().port - 2} CAPACITY=1000 GROUP=g HOOK=h DRAIN_SECONDS=1\n`);
    fs.writeFileSync(path.join(dir, 'meminfo'), 'MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 250 kB\n');
    const call = (name, input, ...words) =>
        new Promise((done) => {
            const script = path.join(dir, name);
            fs.writeFileSync(script, files[`/usr/local/lib/meridian/${name}`], { mode: 0o755 });
            const child = spawn(script, words, { env: { PATH: process.env.PATH, MERIDIAN_HOST_ENV: env, MERIDIAN_MEMINFO: path.join(dir, 'meminfo') } });
            let out = '';
            child.stdout.on('data', (t) => (out += t));
            child.on('close', () => done(out));
            child.stdin.end(input);
        });
    try {
        const question = 'GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n';
        const up = await call('host-health', question);
        state.ready = false;
        const down = await call('host-health', question);
        const figures = await call('host-agent', '', '--measure');
        return [
            ...unless(up.startsWith('HTTP/1.1 200 '), `with one edge ready: ${up}`),
            ...unless(down.startsWith('HTTP/1.1 503 '), `with none ready: ${down}`),
            ...unless(figures === '75.0 40.0 5.0\n', `memory, connections, response: ${figures}`),
        ];
    } finally {
        edge.close();
        edge.closeAllConnections?.();
    }
}
