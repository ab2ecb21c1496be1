// SPDX-License-Identifier: Apache-2.0
// What the checks stand on: the pinned npm package with the provider's schema (fetched once into the build folder, its integrity checked), the
// extract of it that our files need, a plugin folder with the stub, and a copy of the tree in which roots keep their state in files.
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { fileOf, readSchema } from '../stub/schema.mjs';

const here = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
export const root = path.resolve(here, '../..');
const pinned = JSON.parse(fs.readFileSync(path.join(here, 'provider.json'), 'utf8'));
const kept = path.join(root, 'build', 'terraform');

/* The package's archive. Throws when it cannot be had or is not the one we know. */
function archive() {
    const file = path.join(kept, `provider-${pinned.version}.tgz`);
    if (!fs.existsSync(file)) {
        fs.mkdirSync(kept, { recursive: true });
        const [{ filename }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--silent', '--pack-destination', kept, `${pinned.package}@${pinned.version}`], { cwd: kept, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
        fs.renameSync(path.join(kept, filename.replace('@', '').replace('/', '-')), file);
    }
    const digest = `sha512-${crypto.createHash('sha512').update(fs.readFileSync(file)).digest('base64')}`;
    if (digest === pinned.integrity) return file;
    fs.rmSync(file);
    throw new Error(`${pinned.package}@${pinned.version} is not the package this was written for: ${digest}`);
}

/* "aws_lb", "data.aws_ami": everything that the files below a folder use. */
export function typesIn(folder) {
    const types = new Set();
    for (const entry of fs.readdirSync(folder, { recursive: true }))
        if (/\.tf$/.test(entry))
            for (const [, kind, type] of fs.readFileSync(path.join(folder, entry), 'utf8').matchAll(/^\s*(resource|data)\s+"(aws_\w+)"/gm)) types.add(kind === 'data' ? `data.${type}` : type);
    return [...types].sort();
}

function schemaFor(types) {
    const from = archive();
    const wanted = crypto.createHash('sha256').update([pinned.version, ...types].join(' ')).digest('hex').slice(0, 12);
    const file = path.join(kept, `schema-${wanted}.json`);
    const extractor = path.join(here, 'stub', 'schema.mjs');
    if (!fs.existsSync(file) || fs.statSync(file).mtimeMs < fs.statSync(extractor).mtimeMs) {
        const into = fs.mkdtempSync(path.join(kept, 'package-'));
        try {
            execFileSync('tar', ['-xzf', from, '-C', into, ...['provider', ...types].map(fileOf)], { stdio: 'ignore' });
        } catch {
            // a type without a file: the provider has no such thing, and Terraform will say so
        }
        fs.writeFileSync(file, JSON.stringify(readSchema(into, types)));
        fs.rmSync(into, { recursive: true });
    }
    return file;
}

/* A plugin folder as Terraform expects it, with the stub under the provider's name. */
function mirror(work, schema) {
    const dir = path.join(work, 'plugins', 'registry.terraform.io', 'hashicorp', 'aws', pinned.provider, 'linux_amd64');
    fs.mkdirSync(dir, { recursive: true });
    const program = path.join(dir, `terraform-provider-aws_v${pinned.provider}_x5`);
    fs.writeFileSync(program, `#!/bin/sh\nSTUB_SCHEMA='${schema}' exec node '${path.join(here, 'stub', 'provider.mjs')}'\n`, { mode: 0o755 });
    const config = path.join(work, 'terraform.rc');
    fs.writeFileSync(config, `disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror {\n    path = "${path.join(work, 'plugins')}"\n  }\n}\n`);
    return config;
}

/* The tree under `into`, every root with a state file instead of a bucket. */
export function copyTree(into) {
    for (const part of ['terraform', 'geo/footprint.yaml', 'geo/measured.yaml', 'infra/redis', 'infra/observability']) fs.cpSync(path.join(root, part), path.join(into, part), { recursive: true, filter: (f) => !/\.terraform($|\/|\.lock)/.test(f) });
    for (const dir of rootsIn(into)) fs.writeFileSync(path.join(into, dir, 'rehearsal_override.tf'), 'terraform {\n  backend "local" {\n    path = "terraform.tfstate"\n  }\n}\n');
    return into;
}

const folders = (dir) => fs.readdirSync(dir, { withFileTypes: true }).filter((e) => e.isDirectory() && !e.name.startsWith('.')).map((e) => e.name).sort();

/* Regions first, global after them, single last. */
export function rootsIn(tree) {
    const live = path.join(tree, 'terraform', 'live');
    const environments = folders(live).flatMap((env) => {
        const names = folders(path.join(live, env));
        return [...names.filter((n) => n !== 'global'), 'global'].map((name) => `terraform/live/${env}/${name}`);
    });
    return [...environments, 'terraform/single'];
}

export function modulesIn(tree) {
    const top = path.join(tree, 'terraform', 'modules');
    const all = folders(top).flatMap((name) => [name, ...folders(path.join(top, name)).filter((n) => fs.existsSync(path.join(top, name, n, 'variables.tf'))).map((n) => `${name}/${n}`)]);
    return all.map((name) => `terraform/modules/${name}`);
}

/* { provider, config } or { missing: why nothing can be checked here }. */
export function prepare(work) {
    try {
        execFileSync('terraform', ['version'], { stdio: 'ignore', env: { ...process.env, TF_CLI_CONFIG_FILE: '/dev/null' } });
    } catch {
        return { missing: 'no terraform on this machine (1.11 or newer; it is one program from its maker\'s site, put it on the PATH)' };
    }
    let schema;
    try {
        schema = schemaFor(typesIn(path.join(root, 'terraform')));
    } catch (error) {
        return { missing: `no ${pinned.package}@${pinned.version} from npm: ${String(error.message).split('\n')[0]}` };
    }
    const version = JSON.parse(fs.readFileSync(schema, 'utf8')).version;
    if (version !== pinned.provider) return { missing: `the package says provider ${version}, ${pinned.provider} was expected` };
    return { provider: pinned.provider, config: mirror(work, schema), schema };
}
