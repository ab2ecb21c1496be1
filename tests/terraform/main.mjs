// SPDX-License-Identifier: Apache-2.0
// All that can be known of Terraform's files without a cloud account: README.md says what each part proves.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { copyTree, modulesIn, prepare, root, rootsIn } from './lib/environment.mjs';
import { readFootprint } from './lib/footprint.mjs';
import { mistakes } from './lib/mistakes.mjs';
import * as programs from './lib/programs.mjs';
import { aGroupOfHostsFormsACluster } from './lib/redis.mjs';
import { each, Report } from './lib/report.mjs';
import { Resources } from './lib/resources.mjs';
import { valuesAreMadeAndBrought } from './lib/secrets.mjs';
import { linesReachElasticsearch } from './lib/ship.mjs';
import { Stubs } from './lib/stubs.mjs';
import { created, Terraform } from './lib/terraform.mjs';
import { figuresReachTheMonitor, singleSeesItself, watchersTakeTheirConfiguration } from './lib/watch.mjs';
import { globalChecks, treeChecks } from './policy/footprint.mjs';
import { regionChecks } from './policy/region.mjs';
import { singleChecks } from './policy/single.mjs';

const report = new Report(process.argv.slice(2));
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'meridian-terraform-'));
process.on('exit', () => fs.rmSync(work, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

const LOGS = 'logs: {url: "https://logs.example.com:9200", user: shipper}';
const isRegion = (dir) => dir.includes('/live/') && !dir.endsWith('/global');
const folder = (name) => fs.mkdtempSync(path.join(work, `${name}-`));

function sum(counts) {
    return `${Object.values(counts).reduce((a, b) => a + b, 0)} resources of ${Object.keys(counts).length} types`;
}

/* A root's or module's way up: made, and nothing left to do. */
async function up(terraform, ...more) {
    await terraform.init();
    await terraform.must('validate');
    const plan = await terraform.plan(...more);
    await terraform.apply();
    await terraform.settled(...more);
    const counts = {};
    for (const r of created(plan).values()) counts[r.type] = (counts[r.type] ?? 0) + 1;
    return counts;
}

async function stateOf(terraform, more) {
    return new Resources(JSON.parse(await terraform.must('show', '-json')), more);
}

/* What a region's root answered: its balancer's addresses. */
function addressesIn(tree, environment, regions) {
    const read = (name) => JSON.parse(fs.readFileSync(path.join(tree, 'terraform/live', environment, name, 'terraform.tfstate'), 'utf8')).outputs.region.value.players;
    return Object.fromEntries(regions.map((r) => [r.name, [...read(r.name).ipv4, ...read(r.name).ipv6]]));
}

async function roots(env, tree) {
    // The single root's providers are started by Terraform itself, as in life; the others share two that stay.
    const of = (dir) => new Terraform(path.join(tree, dir), env.config, work, dir === 'terraform/single' ? undefined : env.stubs);
    const footprint = readFootprint(path.join(tree, 'geo/footprint.yaml'));
    const all = rootsIn(tree);
    const counts = {};
    const chain = (dir) => report.test(`root ${dir}: init, validate, plan, apply, empty second plan`, async () => sum((counts[dir] = await up(of(dir)))));
    await each(all.filter((dir) => isRegion(dir)), chain);
    await each(all.filter((dir) => !isRegion(dir)), chain);

    const applied = all.filter((dir) => counts[dir]);
    for (const dir of applied.filter(isRegion)) {
        const name = path.basename(dir);
        const region = await stateOf(of(dir), { name, footprint, entry: footprint.regions.find((r) => r.name === name) });
        for (const [check, what] of Object.entries(regionChecks)) await report.test(`policy ${name}: ${check}`, () => what(region));
        await report.test(`programs ${name}: binaries-take-their-configuration`, () => programs.binariesTakeTheirConfiguration(region, folder(name)));
        await report.test(`programs ${name}: watchers-take-their-configuration`, () => watchersTakeTheirConfiguration(region, folder('watch')));
        if (dir === applied[0]) await withRegion(region);
    }
    const keys = programs.binary('infra/platform/tools/meridian-keys');
    if (!keys) console.log('SKIPPED: meridian-keys is not built: no values of secrets are made');
    else await report.test('programs: values of secrets are made and brought', () => valuesAreMadeAndBrought(tree, applied.filter(isRegion).slice(0, 2), of(applied[0]), path.dirname(keys), folder('secrets')));
    for (const dir of applied.filter((d) => d === 'terraform/single')) {
        const single = await stateOf(of(dir), { name: 'single' });
        await report.test('programs single: binaries-take-their-configuration', () => programs.binariesTakeTheirConfiguration(single, folder('single')));
        await report.test('programs single: watchers-take-their-configuration', () => watchersTakeTheirConfiguration(single, folder('watch')));
        await report.test('programs single: its Redis is prepared, and it sees itself', () => singleSeesItself(single, folder('prepare')));
        await report.test('programs single: systemd reads every unit', () => programs.systemdReadsTheUnits([single], folder('units')));
        for (const [check, what] of Object.entries(singleChecks)) await report.test(`policy single: ${check}`, () => what(single));
        await report.test('programs single: bash reads every script', () => programs.bashReadsTheScripts([single]));
    }
    for (const dir of applied.filter((d) => d.endsWith('/global'))) {
        const addresses = addressesIn(tree, path.basename(path.dirname(dir)), footprint.regions);
        const global = await stateOf(of(dir), { footprint, addresses });
        for (const [check, what] of Object.entries(globalChecks)) await report.test(`policy global: ${check}`, () => what(global));
        await report.test('programs global: geo plans what Terraform makes', () => programs.geoTakesTheFootprint(global, folder('geo')));
        await report.test('programs global: watchers-take-their-configuration', () => watchersTakeTheirConfiguration(global, folder('watch')));
        await report.test('programs global: bash reads every script', () => programs.bashReadsTheScripts([global]));
    }
    return { counts, of };
}

/* Redis' ports, and their bus' 10,000 above, are below those that tests/run gives to the tests that run beside. */
async function withRegion(region) {
    await report.test('programs: bash reads every script of a region', () => programs.bashReadsTheScripts([region]));
    await report.test('programs: systemd reads every unit of a region', () => programs.systemdReadsTheUnits([region], folder('units')));
    await report.test('programs: nine Redis of three hosts form a cluster, over TLS alone', () => aGroupOfHostsFormsACluster(region, folder('redis'), 11450));
    await report.test('programs: the figures of a Redis behind TLS reach the monitor', () => figuresReachTheMonitor(region, folder('figures')));
    await report.test('programs: log lines reach Elasticsearch, over TLS and with the password', () => linesReachElasticsearch(region, folder('ship')));
    await report.test('programs: a host answers for its edges', () => programs.hostAnswersForItsEdges(region, folder('host')));
}

/* The other choices: managed Redis, Route 53. */
async function variant(env, applied) {
    if (!report.wants('variant')) return;
    const tree = folder('variant');
    fs.cpSync(applied, tree, { recursive: true, filter: (f) => !f.includes('/.terraform') });
    const file = path.join(tree, 'terraform/live/prod/environment.yaml');
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/^dns: gdnsd/m, 'dns: route53').replace(/^redis: own/m, 'redis: managed').replace(LOGS, '')
        .replace(/^redis_shards_per_group: 24$/m, 'redis_shards_per_group: 3\nmoves_per_shard_second: 64000'));
    const footprint = readFootprint(path.join(tree, 'geo/footprint.yaml'));
    const name = footprint.regions.at(-1).name;
    const region = new Terraform(path.join(tree, 'terraform/live/prod', name), env.config, work, env.stubs);
    fs.rmSync(path.join(region.dir, 'terraform.tfstate'));
    await report.test(`variant ${name}: managed Redis, Route 53: up`, async () => sum(await up(region)));
    const made = await stateOf(region, { name, footprint, entry: footprint.regions.at(-1) });
    for (const [check, what] of Object.entries(regionChecks)) await report.test(`variant ${name}: ${check}`, () => what(made));
    const global = new Terraform(path.join(tree, 'terraform/live/prod/global'), env.config, work, env.stubs);
    fs.rmSync(path.join(global.dir, 'terraform.tfstate'));
    await report.test('variant global: Route 53: up', async () => sum(await up(global)));
    const shared = await stateOf(global, { footprint, addresses: {} });
    for (const [check, what] of Object.entries(globalChecks)) await report.test(`variant global: ${check}`, () => what(shared));
}

async function down({ counts, of }) {
    const destroy = (dir) =>
        report.test(`root ${dir}: destroy`, async () => {
            const gone = await of(dir).destroy();
            const made = Object.values(counts[dir]).reduce((a, b) => a + b, 0);
            return gone === made ? `${gone} resources` : [`${made} made, ${gone} destroyed`];
        });
    const made = Object.keys(counts);
    await each(made.filter((dir) => !isRegion(dir)), destroy);
    await each(made.filter(isRegion), destroy);
}

async function modules(env, tree) {
    await each(modulesIn(tree), async (dir) => {
        const terraform = new Terraform(path.join(tree, dir), env.config, work, env.stubs);
        const given = path.join(terraform.dir, 'tests/given.auto.tfvars.json');
        const name = `module ${dir.replace('terraform/modules/', '')}`;
        await report.test(`${name}: init, validate${fs.existsSync(given) ? ', plan, apply, empty second plan, destroy' : ''}`, async () => {
            if (!fs.existsSync(given)) {
                await terraform.init();
                await terraform.must('validate');
                return '';
            }
            const more = `-var-file=${given}`;
            const counts = await up(terraform, more);
            await terraform.destroy(more);
            return sum(counts);
        });
        if (!fs.existsSync(path.join(terraform.dir, 'tests'))) return;
        await report.test(`${name}: terraform test`, async () => {
            const out = await terraform.must('test');
            return /(\d+ passed, \d+ failed)/.exec(out)[1];
        });
    });
}

/* A check that wants to know what only AWS decides cannot judge a plan. */
function complains(what, resources) {
    try {
        return what(resources).length > 0;
    } catch {
        return false;
    }
}

/* One mistake on a copy: who refuses it? */
async function refuse(env, applied, mistake) {
    const tree = folder('mistake');
    fs.cpSync(applied, tree, { recursive: true, filter: (f) => !f.includes('/.terraform') && (mistake.root === 'global' || !f.endsWith('.tfstate')) });
    if (mistake.remove) fs.rmSync(path.join(tree, mistake.remove), { recursive: true });
    for (const edit of [mistake.edit ?? []].flat()) {
        const file = path.join(tree, edit.file);
        const text = fs.readFileSync(file, 'utf8');
        if (!text.includes(edit.from)) throw new Error(`${edit.file} has no "${edit.from}": the mistake cannot be made`);
        fs.writeFileSync(file, text.replace(edit.from, edit.to));
    }
    const footprint = readFootprint(path.join(tree, 'geo/footprint.yaml'));
    const refusals = Object.entries(treeChecks).filter(([, what]) => what({ tree, footprint }).length).map(([check]) => check);
    if (mistake.remove) return verdict(mistake, refusals, '');
    const name = mistake.root ?? footprint.regions.at(-1).name;
    const terraform = new Terraform(path.join(tree, name === 'single' ? 'terraform/single' : `terraform/live/prod/${name}`), env.config, work, env.stubs);
    await terraform.must('init', '-input=false', '-reconfigure').catch((error) => refusals.push(error.message));
    const { code, out } = await terraform.run('plan', '-input=false', '-out=plan.bin');
    if (code !== 0) return verdict(mistake, refusals, out.replace(/\n[│ ]*/g, '\n').replace(/\s*\n\s*/g, ' '));
    const plan = JSON.parse(await terraform.must('show', '-json', 'plan.bin'));
    const more = { name, footprint, entry: footprint.regions.find((r) => r.name === name) };
    if (mistake.root === 'global') more.addresses = addressesIn(tree, 'prod', footprint.regions);
    if (mistake.applied) await terraform.apply();
    const resources = mistake.applied ? await stateOf(terraform, more) : new Resources(plan, more);
    for (const [check, what] of Object.entries({ global: globalChecks, single: singleChecks }[mistake.root] ?? regionChecks)) if (complains(what, resources)) refusals.push(check);
    if (mistake.check === 'binaries-take-their-configuration' && (await programs.binariesTakeTheirConfiguration(resources, folder('config'))).length) refusals.push(mistake.check);
    return verdict(mistake, refusals, '');
}

function verdict(mistake, refusals, out) {
    const complaints = [];
    if (mistake.says && !mistake.says.test(out)) complaints.push(`Terraform does not say ${mistake.says}: ${out || 'it plans it'}`);
    if (!mistake.says && out) complaints.push(`Terraform refuses before the check can: ${out}`);
    if (!mistake.says && !mistake.check) complaints.push(...refusals.map((check) => `${check} refuses what is right`));
    if (mistake.check && !refusals.includes(mistake.check)) complaints.push(`${mistake.check} lets it pass (${refusals.join(', ') || 'and so does every other check'})`);
    if (complaints.length || (!mistake.says && !mistake.check)) return complaints;
    return `refused by ${[mistake.says && 'Terraform', mistake.check].filter(Boolean).join(' and ')}`;
}

async function main() {
    const footprint = readFootprint(path.join(root, 'geo/footprint.yaml'));
    for (const [check, what] of Object.entries(treeChecks)) await report.test(`files: ${check}`, () => what({ tree: root, footprint }));
    const env = prepare(work);
    if (env.missing) {
        console.log(`\nSKIPPED, and nothing below was checked: ${env.missing}`);
        return report.end();
    }
    console.log(`checked against the argument schema of provider ${env.provider} through a stub; never applied to AWS`);
    await report.test('files: formatted', async () => {
        const { code, out } = await new Terraform(path.join(root, 'terraform'), env.config, work).run('fmt', '-check', '-recursive', '-diff');
        return code === 0 ? [] : [out];
    });
    env.stubs = new Stubs(env.schema, work);
    const tree = copyTree(folder('tree'));
    // Four times as many shards on a Redis host, so fewer hosts: nothing else changes, and all of this takes half the time.
    fs.appendFileSync(path.join(tree, 'terraform/live/prod/environment.yaml'), 'redis_shards_per_group: 24\n');
    // And log lines go somewhere; in the variant they do not.
    for (const file of ['terraform/live/prod/environment.yaml', 'terraform/single/settings.yaml']) {
        const text = fs.readFileSync(path.join(tree, file), 'utf8');
        fs.writeFileSync(path.join(tree, file), text.replace(/^logs: .*$/m, LOGS));
    }
    const made = await roots(env, tree);
    await variant(env, tree);
    await each(mistakes, (m) => report.test(`mistake: ${m.name}`, () => refuse(env, tree, m)));
    await down(made);
    await modules(env, tree);
    env.stubs.end();
    report.end();
}

await main();
