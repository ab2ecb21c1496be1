// SPDX-License-Identifier: Apache-2.0
// A footprint of the test's own, to break: its processes by name, its Redis by node.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { readEndpoints, sleep } from "../outside/footprint.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const build = process.env.MERIDIAN_BUILD ?? path.join(root, "build/release");

export class Footprint {
    constructor(base) {
        this.base = base;
        this.state = mkdtempSync(path.join(os.tmpdir(), "f"));
    }
    local(command, ...options) {
        const env = { ...process.env, MERIDIAN_LOCAL: this.state };
        const done = spawnSync(path.join(root, "infra/local", command), options, { env, encoding: "utf8", timeout: 240_000 });
        assert.equal(done.status, 0, done.stdout + done.stderr);
    }
    // Also starts again what has ended.
    up(...more) {
        this.local("up", "--detach", "--regions", "us-east", "--binaries", build, "--port", String(this.base), ...more);
        [this.region] = readEndpoints(this.state).regions;
    }
    down() {
        this.local("down", "--clean");
        rmSync(this.state, { recursive: true, force: true });
    }
    // As it says itself: endpoints.json tells what was when it was written.
    async leader() {
        let found;
        await until("a router leads", async () => {
            for (const router of this.region.routers) {
                const status = await fetch(`${router.admin}/status`).then((answer) => answer.json(), () => ({}));
                if (status.role === "leader") found = router;
            }
            return found;
        });
        return found;
    }

    // ---- Redis ----

    redis(port, ...words) {
        const env = { ...process.env, REDISCLI_AUTH: this.password };
        const done = spawnSync("redis-cli", ["-h", "127.0.0.1", "-p", String(port), ...words.map(String)], { env, encoding: "utf8", timeout: 10_000 });
        return done.stdout.trim();
    }
    get password() {
        return readFileSync(path.join(this.state, "redis/password"), "utf8").trim();
    }
    get ports() {
        return readdirSync(path.join(this.state, "redis")).filter((name) => /^\d+$/.test(name)).map(Number).sort();
    }
    // [{id, port, role, of (the primary's id), slots: [[first, last]]}], as a node that answers sees them.
    nodes(asked = this.ports.find((port) => this.redis(port, "ping") === "PONG")) {
        return this.redis(asked, "cluster", "nodes").split("\n").map((line) => {
            const [id, address, flags, of, , , , link, ...slots] = line.split(" ");
            return {
                id, of, link, role: flags.includes("master") ? "primary" : "replica", failed: /fail/.test(flags),
                port: Number(/:(\d+)@/.exec(address)[1]),
                slots: slots.filter((slot) => !slot.startsWith("[")).map((slot) => slot.split("-").map(Number)).map(([a, b]) => [a, b ?? a]),
            };
        });
    }
    primaryOf(slot) {
        return this.nodes().find((node) => node.role === "primary" && !node.failed && node.slots.some(([a, b]) => slot >= a && slot <= b));
    }
    replicasOf(primary) {
        return this.nodes().filter((node) => node.of === primary.id && !node.failed);
    }
    // The slots where these games are.
    slotsOf(games) {
        const slots = new Map();
        for (const node of this.nodes().filter((one) => one.role === "primary" && !one.failed)) {
            for (const key of this.redis(node.port, "--scan", "--pattern", "game:*").split("\n").filter(Boolean)) {
                const game = games.find((id) => key.endsWith(`:${id}`));
                if (game) slots.set(game, Number(this.redis(node.port, "cluster", "keyslot", key)));
            }
        }
        return slots;
    }
    redisPid(port) {
        return Number(readFileSync(path.join(this.state, `redis/${port}/redis.pid`), "utf8"));
    }
    startRedis(port) {
        const dir = path.join(this.state, `redis/${port}`);
        const log = openSync(path.join(dir, "redis.log"), "a");
        const node = spawn("redis-server", [path.join(dir, "redis.conf")], { detached: true, stdio: ["ignore", log, log] });
        node.unref();
        writeFileSync(path.join(dir, "redis.pid"), `${node.pid}\n`);
    }
    // Moves a slot with all its keys, as an operator's tool does it.
    moveSlot(slot, to) {
        const from = this.primaryOf(slot);
        const said = [this.redis(to.port, "cluster", "setslot", slot, "importing", from.id), this.redis(from.port, "cluster", "setslot", slot, "migrating", to.id)];
        let moved = 0;
        for (;;) {
            const keys = this.redis(from.port, "cluster", "getkeysinslot", slot, 20).split("\n").filter(Boolean);
            if (keys.length === 0) break;
            said.push(this.redis(from.port, "migrate", "127.0.0.1", to.port, "", 0, 5000, "auth", this.password, "keys", ...keys));
            moved += keys.length;
            assert.ok(moved < 10_000, said.at(-1));
        }
        for (const node of [to, from]) said.push(this.redis(node.port, "cluster", "setslot", slot, "node", to.id));
        assert.deepEqual([...new Set(said)], ["OK"]);
        return moved;
    }
    async whole() {
        const fine = () => this.ports.every((port) => {
            const nodes = this.nodes(port);
            const links = nodes.every((node) => !node.failed && node.link === "connected");
            const info = this.redis(port, "info", "replication");
            return links && (/role:master/.test(info) ? (info.match(/state=online/g) ?? []).length === 2 : /master_link_status:up/.test(info));
        });
        const seen = () => this.ports.map((port) => `${port}: ${this.redis(port, "info", "replication").split("\r\n").slice(1, 6).join(" ")}`).join("\n");
        await until(() => `Redis is whole again\n${seen()}\n${this.redis(this.ports.at(-1), "cluster", "nodes")}`, fine, 60_000);
    }
}

export const lives = (pid) => existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");

// what: words, or a function that says what was seen last.
export async function until(what, condition, ms = 30_000) {
    for (const deadline = Date.now() + ms; !(await condition()); await sleep(50))
        assert.ok(Date.now() < deadline, `not in time: ${typeof what === "function" ? what() : what}`);
}
