// SPDX-License-Identifier: Apache-2.0
// The region under test: its processes by name, to be killed, stopped and started again, and its Redis nodes by port.
//
// Pids come from the footprint's own pid files, with the start time that stands beside them, so that nothing else is ever hit.
import { spawn, spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { readRecord } from "./record.mjs";
import { Connection } from "./resp.mjs";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const nowMs = () => Number(process.hrtime.bigint() / 1000n) / 1000; // the players' clock, too

// ")" ends the program's name; state and start time are fields 3 and 22 of stat.
function birth(pid) {
    try {
        const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
        return fields[0] === "Z" ? null : fields[19];
    } catch {
        return null;
    }
}

export class Footprint {
    constructor({ state, port, edges, routers = 2, binaries, edgeSets = [], routerSets = [] }) {
        Object.assign(this, { state, base: port, binaries, edgeSets, routerSets });
        this.edges = Array.from({ length: edges }, (_, i) => `us-east-${i + 1}`);
        this.routers = Array.from({ length: routers }, (_, i) => `us-east-r${i + 1}`);
        this.redisPorts = Array.from({ length: 9 }, (_, i) => port + 251 + i);
        mkdirSync(state, { recursive: true });
    }

    local(command, ...options) {
        const done = spawnSync(path.join(root, "infra/local", command), options,
            { env: { ...process.env, MERIDIAN_LOCAL: this.state }, encoding: "utf8", timeout: 240_000 });
        if (done.status !== 0) throw new Error(`${command}: ${done.stdout}${done.stderr}`);
        return done.stdout;
    }
    up() {
        const binaries = this.binaries ? ["--binaries", this.binaries] : [];
        this.local("up", "--detach", "--regions", "us-east", "--port", String(this.base), "--edges", String(this.edges.length), "--routers", String(this.routers.length),
            ...binaries, ...this.edgeSets.flatMap((set) => ["--edge-set", set]), ...this.routerSets.flatMap((set) => ["--router-set", set]));
        this.password = readFileSync(path.join(this.state, "redis/password"), "utf8").trim();
    }
    // Stopped processes cannot end by themselves.
    down() {
        for (const name of [...this.edges, ...this.routers]) this.signal(name, "SIGCONT");
        for (const port of this.redisPorts) this.signalRedis(port, "SIGCONT");
        this.local("down");
    }

    // ---- servers ----

    pid(name) {
        try {
            const [pid, born] = readFileSync(path.join(this.state, `run/${name}.pid`), "utf8").split(/\s+/);
            return born && birth(pid) === born ? Number(pid) : null;
        } catch {
            return null;
        }
    }
    signal(name, signal) {
        const pid = this.pid(name);
        if (pid) process.kill(pid, signal);
        return pid !== null;
    }
    start(name) {
        const done = spawnSync(path.join(root, "tests/chaos/start"), [name], { env: { ...process.env, MERIDIAN_LOCAL: this.state }, encoding: "utf8", timeout: 20_000 });
        if (done.status !== 0) throw new Error(`${name}: ${done.stderr}`);
    }
    admin(name) {
        const number = Number(/(\d+)$/.exec(name)[1]);
        return `http://127.0.0.1:${this.base + number + (this.routers.includes(name) ? 209 : 100)}`;
    }
    async ask(name, where) {
        try {
            const answer = await fetch(this.admin(name) + where, { signal: AbortSignal.timeout(800) });
            return answer.ok ? await answer.text() : null;
        } catch {
            return null;
        }
    }
    async ready(names) {
        const answers = await Promise.all(names.map((name) => this.ask(name, "/readyz")));
        return names.filter((_, i) => answers[i] !== null);
    }
    async leader() {
        const all = await Promise.all(this.routers.map((name) => this.ask(name, "/metrics")));
        return this.routers.find((_, i) => /^meridian_router_leader 1/m.test(all[i] ?? ""));
    }

    // ---- Redis ----

    redisPid(port) {
        try {
            const pid = Number(readFileSync(path.join(this.state, `redis/${port}/redis.pid`), "utf8"));
            return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(String(port)) ? pid : null;
        } catch {
            return null;
        }
    }
    signalRedis(port, signal) {
        const pid = this.redisPid(port);
        if (pid) process.kill(pid, signal);
    }
    startRedis(port) {
        const dir = path.join(this.state, `redis/${port}`);
        const log = openSync(path.join(dir, "redis.log"), "a");
        const node = spawn("redis-server", [path.join(dir, "redis.conf")], { detached: true, stdio: ["ignore", log, log] });
        node.unref();
        writeFileSync(path.join(dir, "redis.pid"), `${node.pid}\n`);
    }
    async redis(port, ...words) {
        let connection;
        try {
            connection = await Connection.open(port, this.password, 1500);
            return await connection.ask(...words);
        } catch {
            return null;
        } finally {
            connection?.close();
        }
    }
    // Each node speaks to the others from an address of its own, so that a rule can tell whose packets they are (cut.mjs).
    async giveAddresses() {
        for (const [i, port] of this.redisPorts.entries()) {
            const lines = [["bind-source-addr", `127.0.2.${i + 1}`], ["replica-announce-ip", "127.0.0.1"]];
            appendFileSync(path.join(this.state, `redis/${port}/redis.conf`), lines.map((line) => `${line.join(" ")}\n`).join(""));
            for (const line of lines) {
                if (String(await this.redis(port, "CONFIG", "SET", ...line)) !== "OK") throw new Error(`Redis ${port} does not take ${line[0]}`);
            }
        }
        // Connections that exist keep their old address: all are made anew, replicas first.
        const primaries = (await this.shards()).map((shard) => shard.port);
        for (const group of [this.redisPorts.filter((port) => !primaries.includes(port)), ...primaries.map((port) => [port])]) {
            for (const port of group) this.signalRedis(port, "SIGTERM");
            for (const port of group) while (this.redisPid(port)) await sleep(10);
            for (const port of group) this.startRedis(port);
            while (!(await this.whole())) await sleep(100);
        }
    }
    // [{port, id, primary: bool, of, failed, slots}] as this node sees them; null without an answer.
    async nodes(port) {
        const text = await this.redis(port, "CLUSTER", "NODES");
        return text && String(text).trim().split("\n").map((line) => {
            const [id, address, flags, of, , , , link, ...slots] = line.split(" ");
            return { id, of, link, slots, port: Number(/:(\d+)@/.exec(address)?.[1]), primary: /master/.test(flags), failed: /fail|noaddr|handshake/.test(flags) };
        });
    }
    // Primaries with their replicas' ports: [{port, id, replicas}]; null while nodes do not agree.
    async shards() {
        const views = await Promise.all(this.redisPorts.map((port) => this.nodes(port)));
        if (views.some((view) => !view || view.some((node) => node.failed || node.link !== "connected"))) return null;
        const shapes = new Set(views.map((view) => view.filter((node) => node.primary && node.slots.length).map((node) => node.port).sort().join()));
        if (shapes.size !== 1) return null;
        return views[0].filter((node) => node.primary && node.slots.length)
            .map((node) => ({ port: node.port, id: node.id, replicas: views[0].filter((other) => other.of === node.id).map((other) => other.port) }));
    }
    // Everything there, in step, agreed upon, with the function library, and every replica counted again.
    async whole() {
        const shards = await this.shards();
        if (shards?.length !== 3) return false;
        for (const shard of shards) {
            const [info, library] = [await this.redis(shard.port, "INFO", "replication"), await this.redis(shard.port, "FUNCTION", "LIST")];
            if ((String(info).match(/state=online/g) ?? []).length !== 2) return false;
            if (!JSON.stringify(library?.map((one) => one.map(String)) ?? "").includes("meridian1")) return false;
        }
        for (const name of this.routers) {
            const out = /^meridian_router_electable_out(?:\{[^}]*\})? (\d+)/m.exec((await this.ask(name, "/metrics")) ?? "");
            if (out && out[1] !== "0") return false;
        }
        return true;
    }

    // Every game in the store, of all primaries: gid -> {v, g, e, n, o, over, record}. Without records when only fences are asked for.
    async games({ records = true, skip = new Set() } = {}) {
        const games = new Map();
        const view = (await Promise.all(this.redisPorts.map((port) => this.nodes(port)))).find((one) => one);
        for (const node of view?.filter((one) => one.primary && one.slots.length && !one.failed) ?? []) await this.#gamesOf(node.port, games, records, skip);
        return games;
    }
    async #gamesOf(port, games, records, skip) {
        const connection = await Connection.open(port, this.password);
        try {
            let cursor = "0";
            do {
                const [next, keys] = await connection.ask("SCAN", cursor, "MATCH", "game:*", "COUNT", "1000");
                cursor = String(next);
                const wanted = keys.map(String).filter((key) => !skip.has(key.split(":")[2]));
                const all = await Promise.all(wanted.map((key) => connection.ask("HMGET", key, "v", "g", "e", "n", "o", "x", ...(records ? ["r"] : []))));
                wanted.forEach((key, i) => {
                    const [v, g, e, n, o, x, r] = all[i];
                    if (v) games.set(key.split(":")[2], { v: Number(v), g: String(g), e: String(e), n: String(n), o: String(o ?? ""), over: x !== null, record: r ? readRecord(r) : null });
                });
            } while (cursor !== "0");
        } finally {
            connection.close();
        }
    }
    // Incarnations whose liveness key is there.
    async living() {
        const living = new Set();
        for (const shard of (await this.shards()) ?? []) {
            const connection = await Connection.open(shard.port, this.password);
            let cursor = "0";
            do {
                const [next, keys] = await connection.ask("SCAN", cursor, "MATCH", "live:*", "COUNT", "1000");
                cursor = String(next);
                for (const key of keys) living.add(String(key).split(":").slice(2).join(":"));
            } while (cursor !== "0");
            connection.close();
        }
        return living;
    }
}
