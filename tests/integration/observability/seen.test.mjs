// SPDX-License-Identifier: Apache-2.0
// infra/local/up --observe: Debian's Prometheus and Alertmanager watch two regions, and every metric and label that the rules and dashboards
// name is one that running servers show. The long form does harm and waits for the alerts:
//   MERIDIAN_ALERTS_LIVE=1 node --test tests/integration/observability/seen.test.mjs
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { expressions, groups, reads, root } from "./rules.mjs";

const base = Number(process.env.MERIDIAN_SPARE_PORT ?? 21500);
const build = process.env.MERIDIAN_BUILD ?? path.join(root, "build/release");
const long = process.env.MERIDIAN_ALERTS_LIVE === "1";
const full = 40; // connections an edge takes in the long form
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
    for (;;) {
        const got = await condition().catch(() => null);
        if (got) return got;
        assert.ok(Date.now() - began < ms, `not in time: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 200));
    }
}
const endpoints = () => JSON.parse(readFileSync(path.join(state, "endpoints.json"), "utf8"));

describe("a footprint that is observed", { skip }, () => {
    let up, down;
    before(() => {
        const size = long ? ["--edges", "2", "--routers", "2", "--edge-set", `max_connections=${full}`] : ["--edges", "1", "--routers", "1", "--replicas", "0"];
        up = local("up", "--detach", "--observe", "--tls", "--regions", "us-east,eu", ...size, "--binaries", build, "--port", String(base));
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
        }, 15_000);
        assert.deepEqual([...new Set(targets.map((one) => one.labels.job))].sort(), ["edge", "geo", "redis", "router"]);
    });

    test("every metric and label that rules and dashboards name is there", async () => {
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
        }, 10_000);
        assert.equal(rules.length, groups().flatMap((group) => group.rules).length);
        await until("nothing but the watchdog fires or is about to", async () => (await ask("alerts")).alerts.every((alert) => alert.labels.alertname === "Watchdog"), 10_000);
        assert.deepEqual((await firing()).map((alert) => alert.labels.alertname), ["Watchdog"]);
        await until("Alertmanager has the watchdog", async () => (await (await fetch(`${alertmanager}/api/v2/alerts`)).json()).some((alert) => alert.labels.alertname === "Watchdog"), 10_000);
    });

    // [what is done, how it is mended, alerts that must fire]
    const harm = [
        ["an edge is killed", () => process.kill(endpoints().regions[0].edges[0].pid, "SIGKILL"), () => local("up", "--detach"), ["EdgeDown"]],
        ["a router is stopped", () => process.kill(endpoints().regions[1].routers[0].pid, "SIGTERM"), () => local("up", "--detach"), ["RouterDown"]],
        ["the line between the regions is cut", () => wan("set", "both", "us-east", "eu", "loss_percent", "100"), () => wan("set", "both", "us-east", "eu", "loss_percent", "0"), ["MeshLinkDown"]],
        ["an operator drains a region", () => wish("drain"), () => wish("nothing"), ["RegionOutOfDns"]],
        ["the certificate for other regions ends tomorrow", () => renew(1), () => renew(90), ["MeshCertificateEnds"]],
        ["a region is full", () => crowd(), () => disperse(), ["PlayersRefused"]],
        ["a Redis node is killed", () => process.kill(redisPid(endpoints().regions[0].redis[0]), "SIGKILL"), () => {}, ["RedisNodeDown"]],
    ];
    const wan = (...words) => {
        const done = spawnSync(path.join(build, "tests/wan/meridian-wan"), ["tell", endpoints().wan, ...words], { encoding: "utf8" });
        assert.equal(done.status, 0, done.stderr + done.stdout);
    };
    const wish = (kind) => fetch(`${endpoints().dns.admin}/wish?region=eu&wish=${kind}&reason=test&by=test`, { method: "POST" });
    // What the page of that alert says to do.
    const renew = (days) => {
        const done = spawnSync(path.join(root, "infra/host/certificates"), ["renew", "router", "eu", "--dir", path.join(state, "tls/mesh"), "--days", String(days)], { encoding: "utf8" });
        assert.equal(done.status, 0, done.stderr);
        for (const router of endpoints().regions[1].routers) process.kill(router.pid, "SIGHUP");
    };
    // Somebody comes every 50 ms, says nothing and stays as long as he may.
    let coming;
    const sockets = new Set();
    const crowd = () => {
        const { hostname, port } = new URL(endpoints().regions[0].edges[1].url);
        coming = setInterval(() => {
            const socket = net.connect(Number(port), hostname);
            sockets.add(socket);
            socket.on("error", () => {}).on("close", () => sockets.delete(socket));
        }, 50);
    };
    const disperse = () => {
        clearInterval(coming);
        for (const socket of sockets) socket.destroy();
    };
    const redisPid = (node) => Number(readFileSync(path.join(state, "regions/us-east/redis", node.split(":")[1], "redis.pid"), "utf8"));
    for (const [what, hurt, mend, alerts] of harm)
        test(what, { skip: !long && "MERIDIAN_ALERTS_LIVE=1 does it" }, async () => {
            const began = Date.now();
            await hurt();
            for (const name of alerts) {
                await until(name, async () => (await firing()).some((alert) => alert.labels.alertname === name), 200_000);
                const fired = Date.now();
                await until(`${name} at the pager`, async () => (await (await fetch(`${alertmanager}/api/v2/alerts`)).json()).some((alert) => alert.labels.alertname === name), 60_000);
                console.log(`${what}: ${name} fires after ${((fired - began) / 1000).toFixed(1)} s, Alertmanager has it after ${((Date.now() - began) / 1000).toFixed(1)} s`);
            }
            const mended = Date.now();
            await mend();
            if (alerts[0] === "RedisNodeDown") return; // the region does not start nodes that died: down ends it
            for (const name of alerts) await until(`${name} resolved`, async () => !(await firing()).some((alert) => alert.labels.alertname === name), 180_000);
            console.log(`${what}: resolved ${((Date.now() - mended) / 1000).toFixed(1)} s after it was mended`);
        });

    test("down ends them and leaves nothing", () => {
        down = local("down");
        assert.equal(down.code, 0, down.err);
        assert.ok(!existsSync(path.join(state, "observe")));
        const listening = spawnSync("ss", ["-H", "-ltn"], { encoding: "utf8" }).stdout;
        for (const port of [283, 284, 285]) assert.ok(!listening.includes(`:${base + port} `), `port ${base + port} is still open`);
    });
});
