// SPDX-License-Identifier: Apache-2.0
// The function library's inboxes and outboxes, against one real Redis: what is put is there once, in order, and no more than there is room for;
// what comes from another region takes effect once, whatever is repeated, left out, restored or lost.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

import { root, until } from "./cluster.mjs";

const port = Number(process.env.MERIDIAN_SPARE_PORT ?? 21350) + 330;
const dir = mkdtempSync(path.join(os.tmpdir(), "events-"));
const DAY = 86_400_000;
let server;
let redis;

// Just enough of RESP2.
class Redis {
    constructor(socket) {
        this.socket = socket;
        this.buffer = Buffer.alloc(0);
        this.waiting = [];
        socket.on("data", (data) => {
            this.buffer = Buffer.concat([this.buffer, data]);
            for (let at; (at = this.parse(0)); this.buffer = this.buffer.subarray(at.end)) this.waiting.shift()(at.value);
        });
    }

    parse(from) {
        const eol = this.buffer.indexOf("\r\n", from);
        if (eol < 0) return null;
        const line = this.buffer.toString("utf8", from + 1, eol);
        let end = eol + 2;
        switch (String.fromCharCode(this.buffer[from])) {
        case "+": return { value: line, end };
        case "-": return { value: new Error(line), end };
        case ":": return { value: Number(line), end };
        case "$": {
            const length = Number(line);
            if (length < 0) return { value: null, end };
            if (this.buffer.length < end + length + 2) return null;
            return { value: this.buffer.toString("utf8", end, end + length), end: end + length + 2 };
        }
        default: {
            const value = [];
            for (let i = 0; i < Number(line); i++) {
                const part = this.parse(end);
                if (!part) return null;
                value.push(part.value);
                end = part.end;
            }
            return { value, end };
        }
        }
    }

    async call(...words) {
        const answer = new Promise((resolve) => this.waiting.push(resolve));
        this.socket.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`).join("")}`);
        const value = await answer;
        if (value instanceof Error) throw value;
        return value;
    }

    async function(name, keys, ...args) {
        const [status, timeMs, needs, number, gone, generation, list] = await this.call("FCALL", name, keys.length, ...keys, ...args);
        return { status, timeMs, needs, number: Number(number), gone: Number(gone), generation, list };
    }
}

before(async () => {
    server = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", dir], { stdio: "ignore" });
    const socket = await until("Redis answers", () => new Promise((resolve) => {
        const s = net.connect(port, "127.0.0.1", () => resolve(s));
        s.on("error", () => resolve(null));
    }));
    redis = new Redis(socket);
    await redis.call("FUNCTION", "LOAD", readFileSync(path.join(root, "infra/redis/meridian1.lua"), "utf8"));
});
after(async () => {
    redis?.socket.destroy();
    const ended = new Promise((resolve) => server.on("exit", resolve));
    server.kill("SIGKILL");
    await ended;
    rmSync(dir, { recursive: true, force: true });
});

let serial = 0;
// The keys of one bucket, as if nobody had used it.
function bucket() {
    const tag = `{b${++serial}}`;
    const electable = `electable:${tag}`;
    const key = (kind, id) => `${kind}:${tag}${id ? `:${id}` : ""}`;
    const b = {
        send: (mark, payload, { region = "eu", from = "ann", room = 1000 } = {}) =>
            redis.function("mer1_event_send", [key("outbox", region), key("sent", from), electable], mark, payload, room, 60_000),
        put: (mark, payload, { to = "bob", from = "ann", room = 1000 } = {}) =>
            redis.function("mer1_event_put", [key("inbox", to), key("player", to), key("sent", from), electable], mark, payload, room, 60_000, DAY),
        take: (settled, number, payload, { to = "bob", origin = "eu", generation = 1, room = 1000 } = {}) =>
            redis.function("mer1_event_take", [key("inbox", to), key("player", to), key("relayed"), electable], origin, generation, settled, number, payload, room, DAY),
        get: (what, id, count = 100, bytes = 10_000) => redis.function("mer1_events_get", [key(what, id), electable], count, bytes),
        trim: (what, id, through, generation = "") => redis.function("mer1_events_trim", [key(what, id), electable], generation, through),
        seat: (user, game) =>
            redis.call("FCALL", "mer1_player_seat", 2, key("player", user), electable, "t", game, "edge-1", DAY),
        ticket: (user) => redis.call("FCALL", "mer1_ticket_open", 2, key("player", user), electable, "t", "edge-1", DAY, DAY),
        settle: async (user, game, event, room = 1000) => {
            const reply = await redis.call("FCALL", "mer1_player_unseat", 3, key("player", user), key("inbox", user), electable, game, event, room, DAY);
            return [reply[0], reply[3], reply.length === 12 ? Number(reply[11]) : undefined];
        },
        heads: (...regions) => redis.function("mer1_outbox_heads", regions.map((region) => key("outbox", region))),
        connect: (user, device, edge) =>
            redis.call("FCALL", "mer1_player_connect", 3, key("player", user), key("inbox", user), electable, device, edge, `${edge}.1`, DAY),
        key, electable,
    };
    return b;
}
const inbox = async (b, to = "bob") => (await b.get("inbox", to)).list;

test("an outbox numbers what is put into it without gaps, from the time on", async () => {
    const b = bucket();
    const first = await b.send("bob 1", "one");
    const second = await b.send("bob 2", "two");
    assert.deepEqual([first.status, second.status], ["OK", "OK"]);
    assert.equal(second.number, first.number + 1);
    assert.ok(first.number > first.timeMs - 1000);
    const all = await b.get("outbox", "eu");
    assert.deepEqual(all.list, ["one", "two"]);
    assert.equal(all.gone, first.number - 1);
    assert.equal(all.generation, "1");
});

test("the same message again is not stored again, also when it is long delivered", async () => {
    const b = bucket();
    const first = await b.send("bob 1", "one");
    assert.deepEqual([(await b.send("bob 1", "one")).status, (await b.send("bob 1", "one")).number], ["DUP", first.number]);
    await b.trim("outbox", "eu", first.number, "1");
    assert.equal((await b.send("bob 1", "one")).status, "DUP");
    assert.deepEqual((await b.get("outbox", "eu")).list, []);
});

test("a sender's last 128 messages are remembered, and no more", async () => {
    const b = bucket();
    for (let i = 0; i < 129; i++) await b.send(`bob ${i}`, "x");
    assert.equal((await b.send("bob 1", "x")).status, "DUP");
    assert.equal((await b.send("bob 128", "x")).status, "DUP");
    assert.equal((await b.send("bob 0", "x")).status, "OK");
    assert.equal(Number(await redis.call("HLEN", b.key("sent", "ann"))), 128 * 2 + 1);
    assert.ok(await redis.call("PTTL", b.key("sent", "ann")) > 0);
});

test("a full outbox refuses, loses nothing, and takes again when it is trimmed", async () => {
    const b = bucket();
    const first = await b.send("bob 1", "x".repeat(600));
    assert.equal((await b.send("bob 2", "y".repeat(600))).status, "FULL");
    assert.deepEqual((await b.get("outbox", "eu")).list, ["x".repeat(600)]);
    await b.trim("outbox", "eu", first.number, "1");
    assert.equal((await b.send("bob 2", "y".repeat(600))).status, "OK"); // what was refused left no mark
    assert.equal((await b.send("bob 3", "z".repeat(401))).status, "FULL");
    assert.equal((await b.send("bob 3", "z".repeat(400))).status, "OK");
});

test("reading is bounded in number and bytes, and gives one in any case", async () => {
    const b = bucket();
    for (let i = 0; i < 250; i++) await b.send(`bob ${i}`, `payload ${i}`, { room: 100_000 });
    assert.equal((await b.get("outbox", "eu", 128)).list.length, 128);
    assert.deepEqual((await b.get("outbox", "eu", 250)).list.slice(-1), ["payload 249"]);
    assert.deepEqual((await b.get("outbox", "eu", 250, 20)).list, ["payload 0", "payload 1"]);
    assert.deepEqual((await b.get("outbox", "eu", 250, 1)).list, ["payload 0"]);
    assert.deepEqual((await b.get("outbox", "nowhere")).list, []);
});

test("trimming goes up to what is said, not beyond the end, not back, not in another generation", async () => {
    const b = bucket();
    const { number } = await b.send("bob 1", "one");
    for (let i = 2; i <= 300; i++) await b.send(`bob ${i}`, "x", { room: 10_000 });
    assert.equal((await b.trim("outbox", "eu", number + 1, "2")).status, "LOST");
    assert.equal((await b.get("outbox", "eu", 1000)).list.length, 300);
    await b.trim("outbox", "eu", number + 249, "1");
    assert.equal((await b.get("outbox", "eu", 1000)).list.length, 50);
    await b.trim("outbox", "eu", number, "1");
    assert.equal((await b.get("outbox", "eu", 1000)).list.length, 50);
    await b.trim("outbox", "eu", Number.MAX_SAFE_INTEGER, "1");
    const end = await b.get("outbox", "eu");
    assert.deepEqual([end.list, end.gone], [[], number + 299]);
    assert.equal(await redis.call("HGET", b.key("outbox", "eu"), "b"), "0");
    assert.equal((await b.send("bob x", "x")).number, number + 300);
});

test("heads tell how much waits for each region", async () => {
    const b = bucket();
    await b.send("bob 1", "x", { region: "eu" });
    await b.send("bob 2", "x", { region: "asia" });
    await b.send("bob 3", "x", { region: "asia" });
    const heads = (await b.heads("eu", "asia", "us-west")).list.map((text) => text.split(" ").map(Number));
    assert.deepEqual(heads.map(([events]) => events), [1, 2, 0]);
    assert.deepEqual(heads.map(([, bytes]) => bytes > 0), [true, true, false]);
});

test("a message to a user here is in his inbox once, and the answer says where he is connected", async () => {
    const b = bucket();
    assert.equal((await b.connect("bob", "phone", "e1"))[11], "0");
    await b.connect("bob", "tablet", "e2");
    await b.connect("bob", "laptop", "e1");
    const put = await b.put("bob 1", "hello");
    assert.deepEqual([put.status, put.list.sort()], ["OK", ["e1", "e2"]]);
    assert.equal((await b.put("bob 1", "hello")).status, "DUP");
    assert.deepEqual(await inbox(b), ["hello"]);
    assert.equal((await b.connect("bob", "watch", "e3"))[11], "1");
    await b.trim("inbox", "bob", put.number);
    assert.equal((await b.connect("bob", "watch", "e3"))[11], "0");
    const old = await redis.call("FCALL", "mer1_player_connect", 2, b.key("player", "bob"), b.electable, "old", "e4", "e4.1", DAY);
    assert.equal(old.length, 11); // an edge of the version before
});

test("a full inbox refuses the new and keeps the old", async () => {
    const b = bucket();
    await b.put("bob 1", "x".repeat(900));
    assert.equal((await b.put("bob 2", "y".repeat(900))).status, "FULL");
    assert.deepEqual(await inbox(b), ["x".repeat(900)]);
});

test("what comes from another region takes effect once and in order", async () => {
    const b = bucket();
    assert.equal((await b.take(10, 11, "a")).status, "OK");
    assert.equal((await b.take(10, 13, "c")).status, "GAP");
    assert.equal((await b.take(10, 12, "b")).status, "OK");
    assert.equal((await b.take(10, 11, "a")).status, "DUP");
    assert.equal((await b.take(10, 12, "b")).status, "DUP");
    assert.equal((await b.take(12, 13, "c")).status, "OK");
    assert.deepEqual(await inbox(b), ["a", "b", "c"]);
});

test("origins do not know of each other, recipients of a bucket share a mark", async () => {
    const b = bucket();
    await b.take(10, 11, "eu 11");
    assert.equal((await b.take(10, 11, "asia 11", { origin: "asia" })).status, "OK");
    assert.equal((await b.take(10, 12, "eu 12", { to: "cid" })).status, "OK");
    assert.equal((await b.take(10, 12, "eu 12", { to: "cid" })).status, "DUP");
    assert.deepEqual([await inbox(b), await inbox(b, "cid")], [["eu 11", "asia 11"], ["eu 12"]]);
});

test("an origin that began anew, or a mark that was lost, is gone on from what the origin says is settled", async () => {
    const b = bucket();
    await b.take(10, 11, "before");
    assert.equal((await b.take(5000, 5001, "after a new beginning")).status, "OK");
    await redis.call("DEL", b.key("relayed"));
    assert.equal((await b.take(5001, 5002, "after a loss here")).status, "OK");
    assert.equal((await b.take(5001, 5003, "next")).status, "OK");
    assert.equal((await b.take(5001, 5002, "after a loss here")).status, "DUP");
});

test("a generation that was ended is refused, a new one counts for itself", async () => {
    const b = bucket();
    await b.take(100, 101, "first");
    assert.equal((await b.take(40, 41, "restored", { generation: 2 })).status, "OK");
    assert.equal((await b.take(101, 102, "of a sender who slept", { generation: 1 })).status, "LOST");
    assert.equal((await b.take(40, 41, "restored", { generation: 2 })).status, "DUP");
    assert.equal((await b.take(40, 43, "left out", { generation: 2 })).status, "GAP");
    assert.equal((await b.take(40, 42, "next", { generation: 10 })).status, "GAP");
    assert.deepEqual(await inbox(b), ["first", "restored"]);
});

test("an event without room is settled, and remembered as refused until the origin knows", async () => {
    const b = bucket();
    await b.take(10, 11, "x".repeat(900));
    assert.equal((await b.take(10, 12, "y".repeat(900))).status, "FULL");
    assert.equal((await b.take(10, 13, "z", { to: "cid" })).status, "OK"); // nobody waits behind a full inbox
    assert.deepEqual([(await b.take(10, 11, "x")).status, (await b.take(10, 12, "y")).status, (await b.take(10, 13, "z")).status], ["DUP", "FULL", "DUP"]);
    await b.take(13, 14, "w", { to: "cid" });
    assert.equal((await b.take(13, 12, "y")).status, "DUP"); // settled for the origin: forgotten
    assert.deepEqual([(await inbox(b)).length, await inbox(b, "cid")], [1, ["z", "w"]]);
});

test("an inbox does not stay for ever, an outbox and the marks of other regions do", async () => {
    const b = bucket();
    await b.take(10, 11, "a");
    await b.send("bob 1", "x");
    assert.ok(await redis.call("PTTL", b.key("inbox", "bob")) > 0);
    assert.equal(await redis.call("PTTL", b.key("outbox", "eu")), -1);
    assert.equal(await redis.call("PTTL", b.key("relayed")), -1);
});

test("every answer says how many replicas must have it", async () => {
    const b = bucket();
    await redis.call("HSET", b.electable, "n", "1");
    assert.equal((await b.take(10, 11, "a")).needs, "1");
    assert.equal((await b.send("bob 1", "x")).needs, "1");
    assert.equal((await b.put("bob 1", "x")).needs, "1");
    assert.equal((await b.get("inbox", "bob")).needs, "1");
    assert.equal((await b.trim("inbox", "bob", 1)).needs, "1");
});

test("how a game ended comes into the inbox with the clearing of the record that names it, once", async () => {
    const b = bucket();
    await b.ticket("bob");
    await b.seat("bob", "g1");
    assert.deepEqual(await b.settle("bob", "g2", "two"), ["LOST", "g1", undefined], "another game is not his");
    assert.deepEqual(await inbox(b), []);
    assert.deepEqual(await b.settle("bob", "g1", "one"), ["OK", "", 1]);
    assert.deepEqual(await b.settle("bob", "g1", "one"), ["OK", "", 1], "said again, it changes nothing");
    assert.deepEqual(await b.settle("eve", "g1", "one"), ["OK", "", 0], "who sits in no game is owed nothing");
    assert.deepEqual(await inbox(b), ["one"]);
    assert.ok(await redis.call("PTTL", b.key("inbox", "bob")) > DAY / 2);
    await b.ticket("bob");
    await b.seat("bob", "g3");
    await redis.call("FCALL", "mer1_player_unseat", 2, b.key("player", "bob"), b.electable, "g3");
    assert.deepEqual(await b.settle("bob", "g3", "three"), ["OK", "", 1], "cleared without a word: he saw it");
});

test("a full inbox keeps nobody in a game that is over", async () => {
    const b = bucket();
    await b.put("ann 1", "x".repeat(990));
    await b.ticket("bob");
    await b.seat("bob", "g1");
    assert.deepEqual(await b.settle("bob", "g1", "y".repeat(20)), ["OK", "", 1]);
    assert.equal((await inbox(b)).length, 1);
});
