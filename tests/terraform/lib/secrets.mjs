// SPDX-License-Identifier: Apache-2.0
// terraform/secrets on an applied region, with a Secrets Manager that is a folder: what can be made is made, fits, and is brought once.
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

import { root } from './environment.mjs';

const run = promisify(execFile);
const unless = (ok, complaint) => (ok ? [] : [complaint]);

const AWS = `#!/bin/bash
while [ $# -gt 0 ]; do case $1 in --secret-id) file=$STORE/\${2//\\//_} ;; --secret-string) value=\${2#file://} ;; get-secret-value) get=1 ;; esac; shift; done
if [ "\${get:-}" ]; then cat "$file" 2>/dev/null; else cp "$value" "$file"; fi
`;

/* The script on one root: { code, out, err }. */
function secrets(dir, tree, name, env) {
    const folder = path.join(dir, 'values');
    return run(path.join(root, 'terraform/secrets'), [path.join(tree, name), folder], { env }).then((a) => ({ code: 0, ...a }), (error) => error);
}

/* tree: where `regions` (two roots) are applied; terraform: as which it runs; keys: folder of meridian-keys. */
export async function valuesAreMadeAndBrought(tree, regions, terraform, keys, dir) {
    if (await run('jq', ['--version']).then(() => false, () => true)) return console.log('SKIPPED: jq missing'), [];
    const [bin, store, values] = ['bin', 'store', 'values'].map((name) => path.join(dir, name));
    for (const folder of [bin, store, values]) fs.mkdirSync(folder);
    fs.writeFileSync(path.join(bin, 'aws'), AWS, { mode: 0o755 });
    const env = { ...terraform.env, STORE: store, PATH: `${bin}:${keys}:${process.env.PATH}` };
    const first = await secrets(dir, tree, regions[0], env);
    const lacking = (first.stderr.match(/^missing: .*$/gm) ?? []).map((line) => path.basename(line)).sort();
    for (const name of ['tls-certificate', 'tls-key', 'logs-password']) fs.writeFileSync(path.join(values, name), `${name}\n`);
    const second = await secrets(dir, tree, regions[0], env);
    const third = await secrets(dir, tree, regions[0], env);
    const other = await secrets(dir, tree, regions[1], env);
    const names = regions.map((region) => path.basename(region));
    const has = (region, file) => fs.readFileSync(path.join(store, fs.readdirSync(store).find((name) => name.endsWith(`_${region}_${file}`))), 'utf8');
    const complaints = [
        ...unless(first.code === 1 && lacking.join() === 'logs-password,tls-certificate,tls-key', `at first: exit ${first.code}, missing ${lacking}: ${first.stderr}`),
        ...unless(second.code === 0 && second.stdout.split('\n').filter(Boolean).length === 3, `with what was missing: exit ${second.code}, ${second.stdout}${second.stderr}`),
        ...unless(third.code === 0 && third.stdout === '', `again: exit ${third.code}, ${third.stdout}${third.stderr}`),
        ...unless(other.code === 0, `the other region: exit ${other.code}, ${other.stderr}`),
    ];
    if (complaints.length) return complaints;
    const of = (region, file) => {
        const at = path.join(dir, `${region}-${file}`);
        fs.writeFileSync(at, has(region, file));
        return at;
    };
    const [zone] = /[\w-]+\.[\w-]+\.internal/.exec((await run('openssl', ['x509', '-in', of(names[0], 'redis-certificate'), '-noout', '-ext', 'subjectAltName'])).stdout);
    const links = names.map((name) => run('openssl', ['verify', '-CAfile', of(names[0], 'link-ca'), of(name, 'link-certificate')]).then(() => run('openssl', ['x509', '-in', of(name, 'link-certificate'), '-noout', '-ext', 'subjectAltName'])));
    const said = await Promise.all(links).then((all) => all.map((one) => one.stdout), (error) => [error.stderr]);
    const kids = JSON.parse(has(names[0], 'token-keys')).keys.map((key) => key.kid).sort();
    return [
        ...(await run('openssl', ['verify', '-CAfile', of(names[0], 'redis-ca'), '-verify_hostname', `redis-g1-a.${zone}`, of(names[0], 'redis-certificate')]).then(() => [], (error) => [error.stderr])),
        ...unless(zone.startsWith(`${names[0]}.`), `Redis' certificate is for ${zone}`),
        ...unless(names.every((name, n) => said[n]?.includes(`URI:meridian://${name}/router`)), `links: ${said}`),
        ...unless(/^[A-Za-z0-9_-]{16,}\n$/.test(has(names[0], 'redis-password')), 'the password is none that hosts take'),
        ...unless(kids.includes('regions') && has(names[0], 'token-keys') === has(names[1], 'token-keys'), `keys ${kids}`),
        ...unless(has(names[0], 'redis-password') !== has(names[1], 'redis-password'), 'two regions, one password'),
        ...unless((fs.statSync(path.join(values, names[0], 'redis-key')).mode & 0o077) === 0, 'others may read a key'),
    ];
}
