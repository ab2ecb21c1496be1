// SPDX-License-Identifier: Apache-2.0
// Some regions on loopback, each at an address of its own, their routers joined by mutual TLS; and ways to break them.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { once } from "node:events";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { Footprint, until } from "../faults/own.mjs";
import { Client } from "../outside/client.mjs";
import { player, readEndpoints } from "../outside/footprint.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const build = process.env.MERIDIAN_BUILD ?? path.join(root, "build/release");
const names = ["us-west", "us-east", "eu", "asia"];

// The bucket of a user, which is the edge's and router's business: FNV-1a, folded.
export function bucketOf(user) {
    let h = 0xcbf29ce484222325n;
    for (const byte of Buffer.from(user)) h = ((h ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
    h ^= h >> 32n;
    h ^= h >> 16n;
    return Number(h % 1024n);
}

class Region extends Footprint {
    constructor(world, name, number) {
        super(world.base);
        rmSync(this.state, { recursive: true, force: true });
        this.state = path.join(world.state, name);
        mkdirSync(this.state);
        symlinkSync("../tls", path.join(this.state, "tls")); // one authority for all
        this.world = world;
        this.name = name;
        this.address = `127.0.${world.network}.${number + 1}`;
    }
    // Also starts again what has ended.
    start() {
        const peers = this.world.regions.filter((other) => other !== this).flatMap((other) =>
            [0, 1].flatMap((i) => ["--mesh-peer", `${other.name} ${this.world.way(other)}:${this.base + 220 + i}`]));
        this.local("up", "--detach", "--binaries", build, "--port", String(this.base), "--region", this.name, "--address", this.address, "--edges", "1", "--replicas", String(this.world.replicas),
            "--edge-set", "messages_per_second=100000", "--edge-set", "messages_burst=100000", ...peers);
        [this.region] = readEndpoints(this.state).regions;
    }
    get routers() {
        return readEndpoints(this.state).regions[0].routers;
    }
    async status(router) {
        try {
            return { ...router, ...(await (await fetch(`${router.admin}/status`, { signal: AbortSignal.timeout(800) })).json()) };
        } catch {
            return null; // dead, or stopped
        }
    }
    async leader() {
        return (await Promise.all(this.routers.map((router) => this.status(router)))).find((one) => one?.role === "leader");
    }
    // Who leads, as soon as somebody does and answers.
    async led() {
        let leader;
        await until(`${this.name} is led`, async () => (leader = await this.leader()) !== undefined);
        return leader;
    }
    // Asked at the region's own address.
    redis(port, ...words) {
        return super.redis(port, "-h", this.address, ...words);
    }
    // As Footprint's, at the region's own address.
    moveSlot(slot, to) {
        const from = this.primaryOf(slot);
        const said = [this.redis(to.port, "cluster", "setslot", slot, "importing", from.id), this.redis(from.port, "cluster", "setslot", slot, "migrating", to.id)];
        for (let keys; (keys = this.redis(from.port, "cluster", "getkeysinslot", slot, 20).split("\n").filter(Boolean)).length;)
            said.push(this.redis(from.port, "migrate", this.address, to.port, "", 0, 5000, "auth", this.password, "keys", ...keys));
        for (const node of [to, from]) said.push(this.redis(node.port, "cluster", "setslot", slot, "node", to.id));
        assert.deepEqual([...new Set(said)], ["OK"]);
    }
    slotOf(user) {
        return Number(this.redis(this.ports[0], "cluster", "keyslot", `{b${bucketOf(user)}}`));
    }
    // A call of the function library at the primary of a user's bucket; keys without their tag: "inbox", "outbox:eu".
    fcall(user, name, keys, ...args) {
        const tagged = [...keys, "electable"].map((key) => key.replace(/^([^:]*)/, `$1:{b${bucketOf(user)}}`));
        return this.redis(this.primaryOf(this.slotOf(user)).port, "fcall", name, tagged.length, ...tagged, ...args);
    }
    connect(user, device = "phone") {
        return Client.connect(this.region.edges[0].ws, { ...player(user, { dir: this.state, seconds: 850 }), device });
    }
}

// A long line: what comes in at one address goes out to the other, so much later, in order.
async function delayed(here, there, port, ms) {
    const server = net.createServer((near) => {
        const far = net.connect(port, there);
        for (const [from, to] of [[near, far], [far, near]]) {
            from.on("data", (data) => setTimeout(() => to.write(data), ms));
            from.on("close", () => setTimeout(() => to.destroy(), ms));
            from.on("error", () => {});
        }
    });
    server.listen(port, here);
    await once(server, "listening");
    return server;
}

export class World {
    // delayMs: so long a byte takes from one region to another.
    constructor({ base, count = 2, replicas = 1, network = 15, delayMs = 0 }) {
        Object.assign(this, { base, replicas, network, delayMs, servers: [] });
        this.state = mkdtempSync(path.join(os.tmpdir(), "relay-"));
        mkdirSync(path.join(this.state, "tls"));
        this.regions = names.slice(-count).map((name, i) => new Region(this, name, i));
    }
    // Where the other regions find a region's routers.
    way(region) {
        return this.delayMs > 0 ? region.address.replace(/(\d+)$/, (last) => String(Number(last) + 100)) : region.address;
    }
    async start() {
        if (this.delayMs > 0)
            for (const region of this.regions)
                for (const i of [0, 1]) this.servers.push(await delayed(this.way(region), region.address, this.base + 220 + i, this.delayMs));
        for (const region of this.regions) region.start();
        await this.joined();
    }
    stop() {
        for (const server of this.servers) server.close();
        for (const region of this.regions) region.local("down");
        rmSync(this.state, { recursive: true, force: true });
    }
    // Every region has a leader that sees the leaders of all others.
    async joined(ms = 30_000) {
        let leaders;
        await until(() => `all regions see each other: ${JSON.stringify(leaders)}`, async () => {
            leaders = await Promise.all(this.regions.map((region) => region.leader()));
            return leaders.every((one) => one?.regions.length === this.regions.length - 1 && one.regions.every((other) => other.up));
        }, ms);
    }
    // Nothing waits in any outbox, as the leaders know it.
    async drained(ms = 60_000) {
        let leaders;
        await until(() => `nothing waits for any region: ${JSON.stringify(leaders)}`, async () => {
            leaders = await Promise.all(this.regions.map((region) => region.leader()));
            return leaders.every((one) => one?.relay.every((other) => other.up && other.waiting === 0 && other.onTheWay === 0));
        }, ms);
    }
}

// Says it until it is stored; the same message all the time.
export async function say(client, to, region, text, messageId) {
    for (const deadline = Date.now() + 60_000; ; ) {
        client.send("send_message", { to, region, text, messageId });
        const said = await client.next(["message_ok", "error"], (m) => (m.messageId ?? m.re) === messageId);
        if (said.type === "message_ok") return;
        assert.ok(["try_again", "overloaded"].includes(said.code), JSON.stringify(said));
        assert.ok(Date.now() < deadline, `not stored in a minute: ${JSON.stringify(said)}`);
        await new Promise((resolve) => setTimeout(resolve, Math.min(said.retryAfterMs, 500)));
    }
}

// What a user was told: by number, whatever comes twice. With `client` it acknowledges what has no gap before it, and asks where there is one.
export class Mailbox {
    constructor(user) {
        this.user = user;
        this.bySeq = new Map();
        this.problems = [];
        this.told = 0;
    }
    attach(client, { acknowledges }) {
        const take = client.take.bind(client);
        client.take = (message) => {
            take(message);
            if (message.type !== "message") return;
            client.unread.splice(client.unread.indexOf(message), 1);
            this.collect(message);
            if (acknowledges) this.answer(client, message);
        };
        return client;
    }
    collect(message) {
        this.told++;
        const before = this.bySeq.get(message.seq);
        if (before && before.messageId !== message.messageId) this.problems.push(`${message.seq} is ${before.messageId} and ${message.messageId}`);
        this.bySeq.set(message.seq, message);
        this.first = Math.min(this.first ?? message.seq, message.seq);
    }
    answer(client, { seq, settledSeq }) {
        this.whole = Math.max(this.whole ?? 0, settledSeq);
        while (this.bySeq.has(this.whole + 1)) this.whole++;
        if (seq > this.whole && !this.asked) {
            this.asked = true; // once a gap
            client.send("ack_messages", { seq: this.whole, rest: true });
            setTimeout(() => (this.asked = false), 300).unref();
        } else if (seq <= this.whole && seq % 8 === 0) {
            client.send("ack_messages", { seq: this.whole });
        }
    }
    // Everything of `sent` (messageId -> text), once, without gaps, each sender's in order. Texts are "sender number".
    check(sent) {
        assert.deepEqual(this.problems, []);
        const all = [...this.bySeq.values()].sort((a, b) => a.seq - b.seq);
        all.forEach((m, i) => assert.equal(m.seq, all[0].seq + i, `${this.user}: no gaps`));
        const ids = all.map((m) => m.messageId);
        assert.equal(new Set(ids).size, ids.length, `${this.user}: nothing twice`);
        assert.deepEqual(new Set(ids), new Set(sent.keys()), `${this.user}: all, and nothing else`);
        const last = new Map();
        for (const m of all) {
            const [sender, number] = m.text.split(" ");
            assert.equal(sender, m.from);
            assert.ok(Number(number) > (last.get(sender) ?? -1), `${this.user}: ${sender} in order`);
            last.set(sender, Number(number));
        }
    }
}
