// SPDX-License-Identifier: Apache-2.0
// A Redis Cluster of the test's own (infra/local/redis-cluster), its nodes by role, and ways to break it; and store_shell, the edge's store
// behind lines of text.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const build = process.env.MERIDIAN_BUILD ?? path.join(root, "build/release");
const shell = process.env.MERIDIAN_STORE_SHELL ?? path.join(build, "tests/integration/redis/store_shell");
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const lives = (pid) => {
    try {
        return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
    } catch {
        return false;
    }
};

// what: words, or a function that says what was seen last.
export async function until(what, condition, ms = 30_000) {
    const deadline = Date.now() + ms;
    for (;;) {
        const value = await condition();
        if (value) return value;
        assert.ok(Date.now() < deadline, `not in time: ${typeof what === "function" ? what() : what}`);
        await sleep(20);
    }
}

export class Cluster {
    constructor(base) {
        this.base = base;
        this.dir = mkdtempSync(path.join(os.tmpdir(), "redis-"));
        this.ports = Array.from({ length: 9 }, (_, i) => base + i);
        try {
            this.script("start", this.dir, String(base), "3", "2");
        } catch (error) {
            rmSync(this.dir, { recursive: true, force: true });
            throw error;
        }
        this.passwordFile = path.join(this.dir, "password");
        this.env = { ...process.env, REDISCLI_AUTH: readFileSync(this.passwordFile, "utf8").trim() };
        this.load();
    }

    script(...args) {
        const done = spawnSync(path.join(root, "infra/local/redis-cluster"), args, { encoding: "utf8", timeout: 60_000 });
        assert.equal(done.status, 0, done.stderr);
        return done.stdout;
    }

    load() {
        const done = spawnSync(path.join(root, "infra/redis/load"), [`127.0.0.1:${this.alive()}`, this.passwordFile], { encoding: "utf8" });
        assert.equal(done.status, 0, done.stderr);
    }

    stop() {
        for (const port of this.ports) this.signal(port, "SIGCONT");
        this.script("stop", this.dir);
        rmSync(this.dir, { recursive: true, force: true });
    }

    cli(port, ...args) {
        return spawnSync("redis-cli", ["-p", String(port), ...args], { env: this.env, encoding: "utf8", timeout: 5_000 }).stdout.trim();
    }

    pid(port) {
        return Number(readFileSync(path.join(this.dir, String(port), "redis.pid"), "utf8"));
    }

    signal(port, signal) {
        try {
            process.kill(this.pid(port), signal);
        } catch {
            // gone already
        }
    }

    // A node that crashed comes back with what it has on disk, and to its port: so not before its end.
    restart(port) {
        const folder = path.join(this.dir, String(port));
        while (lives(this.pid(port))) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
        const log = openSync(path.join(folder, "redis.log"), "a");
        const child = spawn("redis-server", [path.join(folder, "redis.conf")], { detached: true, stdio: ["ignore", log, log] });
        child.unref();
        writeFileSync(path.join(folder, "redis.pid"), `${child.pid}\n`);
    }

    alive() {
        return this.ports.find((port) => this.cli(port, "ping") === "PONG");
    }

    // [{id, port, primary: id or null, slots: ["0-5460"], failed}] as one node sees them; none when it does not answer
    nodes(via = this.alive()) {
        return this.cli(via, "cluster", "nodes").split("\n").filter((line) => line.includes("@")).map((line) => {
            const [id, address, flags, primary, , , , , ...slots] = line.split(" ");
            return { id, port: Number(address.split("@")[0].split(":")[1]), primary: primary === "-" ? null : primary, slots,
                     failed: /fail/.test(flags) };
        });
    }

    slotOf(key) {
        return Number(this.cli(this.alive(), "cluster", "keyslot", key));
    }

    primaryOf(slot) {
        return this.nodes().find((node) => !node.primary && !node.failed && node.slots.some((range) => {
            const [first, last = first] = range.split("-").map(Number);
            return first <= slot && slot <= last;
        }));
    }

    replicasOf(node) {
        return this.nodes().filter((other) => other.primary === node.id);
    }

    // Three primaries, each with two replicas in step, and all nine nodes say so: who is asked next may be the last to hear of a failover.
    async whole() {
        const whole = (nodes) => {
            const primaries = nodes.filter((node) => !node.primary && !node.failed && node.slots.length);
            return primaries.length === 3 && primaries.every((node) => nodes.filter((other) => other.primary === node.id && !other.failed).length === 2) && primaries;
        };
        const agreed = (nodes) => JSON.stringify(nodes.map(({ id, primary }) => [id, primary]).sort());
        const seen = () => this.ports.map((port) => `${port} sees:\n${this.cli(port, "cluster", "nodes")}`).join("\n");
        await until(() => `every primary has two replicas in step, and all nodes agree\n${seen()}`, () => {
            const views = this.ports.map((port) => this.nodes(port));
            const primaries = whole(views[0]);
            return primaries && views.every((nodes) => whole(nodes) && agreed(nodes) === agreed(views[0])) && primaries.every((node) =>
                (this.cli(node.port, "info", "replication").match(/state=online/g) ?? []).length === 2);
        }, 60_000);
    }
}

export class Store {
    constructor(cluster, incarnation, { replicas = 2, library = "meridian1" } = {}) {
        const nodes = cluster.ports.map((port) => `127.0.0.1:${port}`);
        this.child = spawn(shell, [cluster.passwordFile, incarnation, String(replicas), library, ...nodes]);
        this.waiting = new Map();
        this.changes = [];
        this.tags = 0;
        this.log = "";
        this.child.stderr.on("data", (data) => (this.log += data));
        this.ready = new Promise((resolve) => (this.isReady = resolve));
        this.closed = new Promise((resolve) => this.child.on("close", resolve));
        createInterface({ input: this.child.stdout }).on("line", (line) => this.line(JSON.parse(line)));
    }

    line(said) {
        if (said.event === "ready") this.isReady();
        if (said.event === "change") this.changes.push(said);
        if (said.event) return;
        this.waiting.get(said.tag)(said);
        this.waiting.delete(said.tag);
    }

    ask(...words) {
        const tag = String(++this.tags);
        const answer = new Promise((resolve) => this.waiting.set(tag, resolve));
        this.child.stdin.write(`${tag} ${words.join(" ")}\n`);
        return answer;
    }

    // Asks again while the store says that it was not executed, as a caller would.
    async insist(...words) {
        const deadline = Date.now() + 20_000;
        for (;;) {
            const said = await this.ask(...words);
            if ((said.result !== "AGAIN" && said.result !== "UNKNOWN") || Date.now() > deadline) return said;
            await sleep(20);
        }
    }

    async metric(name) {
        const { text } = await this.ask("metrics");
        return Number(new RegExp(`^${name} (.*)$`, "m").exec(text)[1]);
    }

    async end() {
        this.child.stdin.end("quit\n");
        const code = await this.closed;
        assert.equal(code, 0, this.log);
        assert.equal(this.waiting.size, 0, "every call was answered once");
    }
}
