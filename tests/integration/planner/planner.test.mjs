// SPDX-License-Identifier: Apache-2.0
// meridian-plan as people call it; and that Terraform's sizing module, given what the planner writes for it, comes to the same hosts and shards.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";

const root = path.resolve(path.dirname(new URL(import.meta.url).pathname), "../../..");
const program = path.join(process.env.MERIDIAN_BUILD ?? path.join(root, "build/release"), "infra/planner/meridian-plan");
const work = mkdtempSync(path.join(os.tmpdir(), "plan"));
after(() => rmSync(work, { recursive: true, force: true }));

function plan(...options) {
    const done = spawnSync(program, options, { encoding: "utf8", cwd: root });
    return { code: done.status, out: done.stdout, err: done.stderr };
}
const example = (name) => ["--plan", `infra/planner/examples/${name}.yaml`];

test("its exit codes and words", () => {
    assert.equal(plan("--help").code, 0);
    assert.match(plan("--help-plan").out, /peak_percent/);
    for (const [words, why] of [[["sing"], /unknown word sing;/], [["--colour", "red"], /unknown option --colour;/], [["table", "json"], /unexpected word json;/], [["--set"], /missing behind --set;/]]) {
        const { code, err } = plan(...words);
        assert.equal(code, 2);
        assert.match(err, why);
        assert.equal(err.trim().split("\n").length, 1);
    }
    const missing = plan();
    assert.equal(missing.code, 1);
    assert.match(missing.err, /players/);
    const none = plan(...example("10m"), "--prices", "/nowhere.yaml");
    assert.equal(none.code, 1);
    assert.match(none.err, /nowhere\.yaml/);
});

test("inputs tells a source for every figure", () => {
    const { code, out } = plan(...example("10m"), "inputs");
    assert.equal(code, 0);
    const rows = out.split("\n").filter((line) => /^\w+.* 20\d\d-\d\d-\d\d  \S/.test(line));
    assert.ok(rows.length >= 40, out);
});

test("more players never need less", () => {
    let before = { servers: 0 };
    for (const players of [1000, 100_000, 1_000_000, 3_000_000, 10_000_000]) {
        const now = JSON.parse(plan("--set", `players=${players}`, "json").out);
        assert.ok(now.servers >= before.servers && now.total.shards >= (before.total?.shards ?? 0), `${players}`);
        for (const region of now.regions) assert.ok(region.capacity >= region.players && region.shardBusyPercent <= 61 && region.lostLoadPercent <= 100.5, region.name);
        before = now;
    }
});

const hasTerraform = spawnSync("terraform", ["version"]).status === 0;
if (!hasTerraform) console.error("SKIPPED: no terraform here, so the planner is not compared with modules/sizing");
test("Terraform comes to the same hosts and shards", { skip: !hasTerraform && "terraform is missing" }, () => {
    for (const name of ["1m", "10m"]) {
        const made = JSON.parse(plan(...example(name), "json").out);
        const keys = plan(...example(name), "terraform").out.split("\n").map((line) => line.match(/^(\w+): ([\d.]+)$/)).filter(Boolean).map(([, key, value]) => [key, Number(value)]);
        const { edge_host_cores: host_cores, ...rest } = Object.fromEntries(keys);
        const regions = Object.fromEntries(made.regions.map((region) => [region.name, { capacity_players: region.capacity, host_cores, ...rest }]));
        const inside = Object.keys(Object.values(regions)[0]).map((key) => `  ${key} = each.value.${key}`).join("\n");
        writeFileSync(path.join(work, "main.tf.json"), JSON.stringify({ locals: { regions } }));
        writeFileSync(path.join(work, "sizing.tf"), `module "sizing" {\n  source = "${root}/terraform/modules/sizing"\n  for_each = local.regions\n${inside}\n}\noutput "all" {\n  value = module.sizing\n}\n`);
        const terraform = (...words) => spawnSync("terraform", words, { cwd: work, encoding: "utf8", env: { ...process.env, TF_IN_AUTOMATION: "1", CHECKPOINT_DISABLE: "1" } });
        for (const words of [["init", "-input=false"], ["apply", "-auto-approve", "-input=false"]]) {
            const done = terraform(...words);
            assert.equal(done.status, 0, done.stdout + done.stderr);
        }
        const all = JSON.parse(terraform("output", "-json", "all").stdout);
        for (const region of made.regions) {
            const { fleet, redis } = all[region.name];
            assert.deepEqual(
                { connections: fleet.connections_per_host, full: fleet.full_hosts, most: fleet.max_hosts, shards: redis.shards, groups: redis.groups },
                { connections: made.connectionsHost, full: region.hostsFull, most: region.hostsMost, shards: region.shards, groups: region.redisGroups },
                `${name} ${region.name}`);
        }
    }
});
