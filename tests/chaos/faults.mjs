// SPDX-License-Identifier: Apache-2.0
// What is done to the region, and when: two lanes that a seed decides, one for edges and routers, one for Redis. A Redis fault waits until the
// last one is over in every respect (footprint.whole): the promise is to survive any single one. Edges and routers do not wait for Redis.
import { nowMs, sleep } from "./footprint.mjs";
import { Random } from "./random.mjs";

const edgeKinds = ["edge-kill", "edge-pause"];
const routerKinds = ["router-kill", "router-pause"];
export const redisKinds = ["redis-kill", "redis-pause", "redis-replica-kill", "redis-replica-pause"];
export const cutKinds = ["redis-cut", "redis-cut-clients", "redis-cut-with-replica", "redis-cut-in", "redis-cut-out"];

// Kinds in the order they will happen: `count` of them, each kind as often as its weight says.
function deck(random, kinds, count) {
    const all = Array.from({ length: count }, (_, i) => kinds[i % kinds.length]);
    return random.shuffled(all);
}

// options: {edgeKills, edgePauses, routerKills, routerPauses, redisFaults, cuts}
export function plan(seed, o) {
    const random = new Random(seed);
    const servers = [...Array(o.edgeKills).fill(edgeKinds[0]), ...Array(o.edgePauses).fill(edgeKinds[1]),
        ...Array(o.routerKills).fill(routerKinds[0]), ...Array(o.routerPauses).fill(routerKinds[1])];
    const redis = o.redisKinds ?? (o.cuts ? [...redisKinds.slice(0, 2), ...cutKinds, ...redisKinds.slice(2)] : redisKinds);
    return { servers: random.shuffled(servers), redis: deck(random, redis, o.redisFaults), random };
}

export class Faults {
    // say(text) tells what happens; journal gets {kind, target, t0, t1}.
    constructor(footprint, cuts, planned, { seed, say, gapMs = [1000, 4000], redisGapMs = [2000, 6000], apartMs = [6000, 8000] }) {
        Object.assign(this, { footprint, cuts, planned, say, gapMs, redisGapMs, apartMs });
        this.serverRandom = new Random(seed ^ 0x5e7e75);
        this.redisRandom = new Random(seed ^ 0x4ed15);
        this.done = [];
        this.busy = new Set(); // names the watch does not look after just now
        this.diedAlone = [];
        this.ending = false;
    }

    note(kind, target) {
        const fault = { kind, target, t0: nowMs(), t1: null };
        this.done.push(fault);
        this.say(`${kind} ${target}`);
        return fault;
    }

    // ---- edges and routers ----

    async servers() {
        for (const kind of this.planned.servers) {
            if (this.ending) return;
            await sleep(this.serverRandom.between(...this.gapMs));
            await this.#harmServer(kind);
        }
    }
    async #harmServer(kind) {
        const routers = kind.startsWith("router");
        const name = await this.#victim(routers ? this.footprint.routers : this.footprint.edges, kind);
        if (name) await this.#harm(kind, name);
    }
    // One that is ready, and at least one other stays.
    async #victim(names, kind) {
        for (const deadline = Date.now() + 30_000; Date.now() < deadline && !this.ending; await sleep(50)) {
            const ready = (await this.footprint.ready(names)).filter((name) => !this.busy.has(name));
            if (ready.length < Math.max(2, names.length - 1)) continue;
            const leader = kind.startsWith("router") && this.serverRandom.unit() < 0.7 ? await this.footprint.leader() : null;
            return ready.includes(leader) ? leader : this.serverRandom.of(ready);
        }
        this.say(`no victim for ${kind} within 30 s`);
        return null;
    }
    async #harm(kind, name) {
        this.busy.add(name);
        const fault = this.note(kind, name);
        if (kind.endsWith("kill")) {
            this.footprint.signal(name, "SIGKILL");
            await sleep(this.serverRandom.between(1000, 3000));
        } else {
            this.footprint.signal(name, "SIGSTOP");
            await sleep(this.serverRandom.between(10_000, 15_000));
            this.footprint.signal(name, "SIGCONT");
        }
        fault.t1 = nowMs();
        if (kind.endsWith("kill")) this.footprint.start(name);
        this.busy.delete(name);
    }

    // ---- Redis ----

    async redis() {
        for (const kind of this.planned.redis) {
            await sleep(this.redisRandom.between(...this.redisGapMs));
            if (!(await this.whole(90_000)) || this.ending) return;
            await this.#harmAnyShard(kind);
        }
        await this.whole(90_000);
    }
    async #harmAnyShard(kind) {
        const shard = this.redisRandom.of((await this.footprint.shards()) ?? [{}]);
        if (shard.port) await this.#harmRedis(kind, shard);
    }

    // ---- one at a time ----

    // Both lanes in one: nothing begins before the last fault is over in every respect, and its tail in the figures.
    async apart() {
        for (const kind of this.planned.random.shuffled([...this.planned.servers, ...this.planned.redis])) {
            if (!(await this.whole(90_000)) || this.ending) return;
            await sleep(this.redisRandom.between(...this.apartMs));
            await (kind.startsWith("redis") ? this.#harmAnyShard(kind) : this.#harmServer(kind));
        }
        await this.whole(90_000);
    }
    async whole(ms) {
        for (const deadline = Date.now() + ms; Date.now() < deadline; await sleep(100)) if (await this.footprint.whole()) return true;
        this.say("Redis is not whole again");
        this.notWhole = true;
        return false;
    }
    async #harmRedis(kind, shard) {
        const random = this.redisRandom;
        const port = kind.includes("-replica-") ? random.of(shard.replicas) : shard.port;
        const fault = this.note(kind, `${port}`);
        if (kind.endsWith("kill")) {
            this.footprint.signalRedis(port, "SIGKILL");
            await sleep(random.between(4000, 8000));
            this.footprint.startRedis(port);
        } else if (kind.endsWith("pause")) {
            this.footprint.signalRedis(port, "SIGSTOP");
            await sleep(random.between(4000, 9000));
            this.footprint.signalRedis(port, "SIGCONT");
        } else {
            await this.#cut(kind, shard);
        }
        fault.t1 = nowMs();
    }
    async #cut(kind, shard) {
        const side = kind === "redis-cut-with-replica" ? [shard.port, this.redisRandom.of(shard.replicas)] : [shard.port];
        const direction = { "redis-cut-in": "in", "redis-cut-out": "out" }[kind] ?? "both";
        this.cuts.cut(side, { direction, clients: kind === "redis-cut-clients" });
        await sleep(this.redisRandom.between(5000, 10_000));
        this.cuts.heal();
    }

    // ---- what happens without us ----

    // A server that ends by itself is a finding, and is started again so that the run goes on.
    async watch() {
        const names = [...this.footprint.edges, ...this.footprint.routers];
        for (; !this.ending; await sleep(300)) {
            for (const name of names) {
                if (this.busy.has(name) || this.footprint.pid(name)) continue;
                this.diedAlone.push({ name, t: nowMs() });
                this.say(`${name} ended by itself`);
                this.footprint.start(name);
            }
        }
    }
}
