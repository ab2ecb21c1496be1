// SPDX-License-Identifier: Apache-2.0
// infra/local/up --observe: Debian's Prometheus and Alertmanager watch two regions, and every metric and label that the rules and dashboards
// name is one that running servers show. The long form does what pages of runbooks/alerts call a cause, waits for the alert, does what the page
// says, and waits until the alert is resolved:
//   MERIDIAN_ALERTS_LIVE=1 node --test tests/integration/observability/seen.test.mjs      (MERIDIAN_ALERTS_LIVE=EdgeDown,...: these)
//   DRILLS_RECORD=1 writes day and duration into the pages
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { stamped } from "../../drills/page.mjs";
import { table, unfit } from "./logs.mjs";
import { expressions, groups, reads, root } from "./rules.mjs";
import { walk } from "./walk.mjs";

const base = Number(process.env.MERIDIAN_SPARE_PORT ?? 21500);
const build = process.env.MERIDIAN_BUILD ?? path.join(root, "build/release");
const pages = ["EdgeDown", "RouterDown", "MeshLinkDown", "RegionOutOfDns", "MeshCertificateEnds", "PlayersRefused", "RedisNodeDown", "ThunderingHerd"];
const live = process.env.MERIDIAN_ALERTS_LIVE;
const drilled = !live || live === "1" ? pages : live.split(",");
const crowd = 150; // of whom 40 find room (PlayersRefused.md)
const state = mkdtempSync(path.join(os.tmpdir(), "o"));
const prometheus = `http://127.0.0.1:${base + 283}`, alertmanager = `http://127.0.0.1:${base + 284}`;
const skip = ["prometheus", "prometheus-alertmanager", "prometheus-redis-exporter"].some((program) => spawnSync(program, ["--version"]).error) &&
    "Prometheus, Alertmanager or the Redis exporter missing: infra/local/install observe brings them";
if (skip) console.error(`SKIPPED: ${skip}`);

function local(command, ...options) {
    const done = spawnSync(path.join(root, "infra/local", command), options, { env: { ...process.env, MERIDIAN_LOCAL: state }, encoding: "utf8", timeout: 240_000 });
    return { code: done.status, out: done.stdout, err: done.stderr };
}
async function ask(what, params = []) {
    const answer = await (await fetch(`${prometheus}/api/v1/${what}?${new URLSearchParams(params)}`)).json();
    assert.equal(answer.status, "success", `${what}: ${answer.error}`);
    return answer.data;
}
const firing = async () => (await ask("alerts")).alerts.filter((alert) => alert.state === "firing");
async function until(what, condition, ms) {
    const began = Date.now();
    for (let failure = ""; ; ) {
        const got = await condition().catch((error) => void (failure = `; the last failure: ${error}`));
        if (got) return got;
        assert.ok(Date.now() - began < ms, `not in time: ${typeof what === "function" ? what() : what}${failure}`);
        await new Promise((resolve) => setTimeout(resolve, 200));
    }
}
const endpoints = () => JSON.parse(readFileSync(path.join(state, "endpoints.json"), "utf8"));

describe("a footprint that is observed", { skip }, () => {
    let up, down, gone = false;
    const sockets = new Set();
    const disperse = () => {
        gone = true;
        for (const socket of sockets) socket.destroy();
    };
    before(() => {
        // The short form has every metric, those of certificates, too; the long one room for a storm, of which handshakes would eat the half.
        const size = live ? ["--edges", "2", "--routers", "2"] : ["--tls", "--edges", "1", "--routers", "1", "--replicas", "0"];
        up = local("up", "--detach", "--observe", "--regions", "us-east,eu", ...size, "--binaries", build, "--port", String(base));
    });
    after(() => {
        disperse();
        if (!down) local("down");
        rmSync(state, { recursive: true, force: true });
    });

    test("up tells where they are", () => {
        assert.equal(up.code, 0, up.err + up.out);
        assert.match(up.out, new RegExp(`prometheus +${prometheus}/alerts \\(pid \\d+\\)\n +alertmanager +${alertmanager}/ \\(pid \\d+\\)`));
        assert.equal(local("status").code, 0);
    });

    test("every process is a target, and answers", async () => {
        const { regions } = endpoints();
        const want = regions.flatMap((region) => [...region.edges.map((one) => one.admin), ...region.routers.map((one) => one.admin), ...region.redis]).length + 1;
        const targets = await until("all targets up", async () => {
            const { activeTargets } = await ask("targets");
            return activeTargets.length === want && activeTargets.every((one) => one.health === "up") && activeTargets;
        }, 60_000);
        assert.deepEqual([...new Set(targets.map((one) => one.labels.job))].sort(), ["edge", "geo", "redis", "router"]);
    });

    test("every metric and label that rules and dashboards name is there", { skip: live && "the short form looks, with certificates" }, async () => {
        const recorded = new Set(groups().flatMap(({ rules }) => rules.map((rule) => rule.record)).filter(Boolean));
        const rows = new Map();
        const series = async (selector) => {
            if (!rows.has(selector)) rows.set(selector, await ask("series", [["match[]", selector]]));
            return rows.get(selector);
        };
        const wrong = [], names = new Set();
        for (const { where, expr } of expressions()) {
            const { found, by } = reads(expr.replaceAll('region=~"$region"', 'region!=""'));
            for (const { name, selector } of found) {
                if (recorded.has(name)) continue;
                names.add(name);
                const some = await series(selector);
                if (some.length === 0) wrong.push(`${where}: nothing shows ${selector}`);
                for (const label of by) if (some.length > 0 && !some.some((row) => label in row)) wrong.push(`${where}: ${name} has no label ${label}`);
            }
        }
        assert.ok(names.size > 60, `only ${names.size} names were found in the rules`);
        assert.deepEqual(wrong, []);
    });

    test("what is read out of an expression", () => {
        assert.deepEqual(reads('sum by (region, le) (rate(a_total{x="1"}[5m])) / (b > 0)'),
            { found: [{ name: "a_total", selector: 'a_total{x="1"}' }, { name: "b", selector: "b" }], by: ["region"] });
        assert.deepEqual(reads("avg by (region) (a:b:c > bool 1) and vector(1)").found, [{ name: "a:b:c", selector: "a:b:c" }]);
    });

    test("every rule is evaluated, and nothing cries at rest", async () => {
        const rules = await until("all rules evaluated", async () => {
            const all = (await ask("rules")).groups.flatMap((group) => group.rules);
            return all.every((rule) => rule.health === "ok") && all;
        }, 60_000);
        assert.equal(rules.length, groups().flatMap((group) => group.rules).length);
        let seen;
        await until(() => `nothing but the watchdog fires or is about to: ${JSON.stringify(seen)}`, async () =>
            (seen = (await ask("alerts")).alerts).every((alert) => alert.labels.alertname === "Watchdog"), 120_000);
        assert.deepEqual((await firing()).map((alert) => alert.labels.alertname), ["Watchdog"]);
        await until("Alertmanager has the watchdog", async () => (await (await fetch(`${alertmanager}/api/v2/alerts`)).json()).some((alert) => alert.labels.alertname === "Watchdog"), 60_000);
    });

    const programs = ["region-router", "tests/wan", "tests/load"].map((folder) => path.join(build, folder));
    const env = { ...process.env, MERIDIAN_LOCAL: state, PATH: [...programs, path.join(root, "infra/host"), process.env.PATH].join(":") };

    // Who comes while a region is full: each comes again when he was sent away, says nothing and stays as long as he may.
    const come = () => {
        if (gone) return;
        const { hostname, port } = new URL(endpoints().regions[0].edges[1].url);
        const socket = net.connect(Number(port), hostname);
        sockets.add(socket);
        socket.resume().on("error", () => {}).on("close", () => {
            sockets.delete(socket);
            setTimeout(come, 500);
        });
    };
    const meanwhile = { PlayersRefused: () => { gone = false; for (let i = 0; i < crowd; i++) come(); } };

    // What is still so when the page has resolved the alert: it was the page, and not the end of the cause.
    const still = { ThunderingHerd: 'host:connections_opened:rate1m{region="us-east"} > 640' };

    for (const name of drilled)
        test(`${name} fires, and its page resolves it`, { skip: !live && "MERIDIAN_ALERTS_LIVE=1 does it" }, async () => {
            const page = walk(name, env);
            const began = Date.now();
            const since = (from) => ((Date.now() - from) / 1000).toFixed(0);
            await page.hurt();
            meanwhile[name]?.();
            await until(name, async () => (await firing()).some((alert) => alert.labels.alertname === name), 400_000);
            const fired = since(began);
            await until(`${name} at the pager`, async () => (await (await fetch(`${alertmanager}/api/v2/alerts`)).json()).some((alert) => alert.labels.alertname === name), 60_000);
            const mending = Date.now();
            await page.mend();
            const done = since(mending);
            await until(`${name} resolved`, async () => !(await firing()).some((alert) => alert.labels.alertname === name), 400_000);
            if (still[name]) assert.equal((await ask("query", { query: still[name] })).result.length, 1, `${name} ended by itself`);
            disperse();
            const told = `fired after ${fired} s, this page was done in ${done} s, resolved ${since(mending)} s after it was opened`;
            console.log(`${name}: ${told}`);
            if (process.env.DRILLS_RECORD) writeFileSync(page.file, stamped(readFileSync(page.file, "utf8"), `${new Date().toISOString().slice(0, 10)}; ${told}.`));
        });

    // At last, so that in the long form it is about all that was said meanwhile.
    test("every line that the servers logged is one that Elasticsearch takes", () => {
        const { head, body } = table();
        const files = readdirSync(path.join(state, "log"), { recursive: true }).filter((file) => /(^|\/)(meridian-geo|(?!redis)[a-z-]+-r?\d+)\.log$/.test(file));
        const lines = files.flatMap((file) => readFileSync(path.join(state, "log", file), "utf8").split("\n").filter(Boolean));
        assert.ok(files.length >= 5 && lines.length > 30, `${lines.length} lines in ${files}`);
        assert.deepEqual(lines.map((line) => unfit(line, { ...head, ...body })).filter(Boolean), []);
    });

    test("down ends them and leaves nothing", () => {
        down = local("down");
        assert.equal(down.code, 0, down.err);
        assert.ok(!existsSync(path.join(state, "observe")));
        const listening = spawnSync("ss", ["-H", "-ltn"], { encoding: "utf8" }).stdout;
        for (const port of [283, 284, 285]) assert.ok(!listening.includes(`:${base + port} `), `port ${base + port} is still open`);
    });
});
