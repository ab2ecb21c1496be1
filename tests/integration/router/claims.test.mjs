// SPDX-License-Identifier: Apache-2.0
// F1 from the leader's side: an edge that is killed is found dead and what it owned is given out, by silence or because its successor registered;
// also when the leader died with it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const build = process.env.MERIDIAN_BUILD ?? path.join(root, "build/release");
const base = Number(process.env.MERIDIAN_SPARE_PORT ?? 21350) + 1200;
const state = mkdtempSync(path.join(os.tmpdir(), "claims-"));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function local(command, ...args) {
    const done = spawnSync(path.join(root, "infra/local", command), args, {
        env: { ...process.env, MERIDIAN_LOCAL: state }, encoding: "utf8", timeout: 90_000,
    });
    assert.equal(done.status, 0, done.stdout + done.stderr);
}
const endpoints = () => JSON.parse(readFileSync(path.join(state, "endpoints.json"), "utf8")).regions[0];
const up = () => local("up", "--detach", "--regions", "us-east", "--binaries", build, "--port", String(base), "--edges", "3");

before(up);
after(() => {
    local("down");
    rmSync(state, { recursive: true, force: true });
});

async function until(what, condition, ms = 30_000) {
    const deadline = Date.now() + ms;
    for (;;) {
        const value = await condition();
        if (value) return value;
        assert.ok(Date.now() < deadline, `not in time: ${what}`);
        await sleep(50);
    }
}
async function leader() {
    return until("one router leads", async () => {
        for (const { admin, pid } of endpoints().routers) {
            try {
                const status = await (await fetch(`${admin}/status`, { signal: AbortSignal.timeout(500) })).json();
                if (status.role === "leader") return { ...status, admin, pid };
            } catch {
                // dead
            }
        }
        return null;
    });
}
async function metric(name) {
    const text = await (await fetch(`${(await leader()).admin}/metrics`)).text();
    return Number(text.split("\n").find((line) => line.startsWith(`${name} `)).split(" ")[1]);
}
const whole = () => until("three edges, nobody else owns anything", async () => {
    const now = await leader();
    return now.edges.length === 3 && now.owners.length === 0 && (await metric("meridian_router_owners")) === 3;
}, 30_000);
// The edge with that admin port's process, as the leader names it.
const processes = async () => (await leader()).edges.map((edge) => edge.incarnation);

const lives = (pid) => existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");

test("a killed edge is dead when its key is gone; the others look through all its buckets", async (t) => {
    await whole();
    const before = await processes();
    const slices = await metric("meridian_router_slices_claimed_total");
    process.kill(endpoints().edges[0].pid, "SIGKILL");
    const from = Date.now();
    const lost = (await until("it is missed", async () => {
        const now = await leader();
        return now.owners.length === 1 && now.owners;
    }))[0].incarnation;
    assert.ok(before.includes(lost));
    await until("its games are given out", async () => (await metric("meridian_router_slices_claimed_total")) >= slices + 16);
    t.diagnostic(`all slices claimed ${Date.now() - from} ms after the kill`);
    await until("it is forgotten", async () => (await metric("meridian_router_owners")) === 2);
    up();
    await whole();
});

test("a successor makes it dead at once", async (t) => {
    await whole();
    const replaced = await metric('meridian_router_owners_ended_total{how="replaced"}');
    const { pid } = endpoints().edges[1];
    process.kill(pid, "SIGKILL");
    const from = Date.now();
    await until("its end", () => !lives(pid));
    up();
    await until("replaced", async () => (await metric('meridian_router_owners_ended_total{how="replaced"}')) === replaced + 1);
    await whole();
    t.diagnostic(`replaced and claimed ${Date.now() - from} ms after the kill, most of it starting the successor`);
});

test("an edge that dies with the leader is found by the next one", async () => {
    await whole();
    const first = await leader();
    process.kill(endpoints().edges[2].pid, "SIGKILL");
    process.kill(first.pid, "SIGKILL");
    await until("another one leads", async () => (await leader()).pid !== first.pid);
    await until("it is found", async () => (await metric('meridian_router_owners_ended_total{how="silent"}')) >= 1);
    await until("it is forgotten", async () => (await metric("meridian_router_owners")) === 2);
    up();
    await whole();
});
