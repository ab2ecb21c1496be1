// SPDX-License-Identifier: Apache-2.0
// R28, R29: who is there, and direct messages within a region, over two edges: stored, then told; once, in order, to every device; again until they are acknowledged.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";

import { Footprint, until } from "../faults/own.mjs";
import { Client } from "../outside/client.mjs";
import { player, readEndpoints, sleep, someUser } from "../outside/footprint.mjs";

const print = new Footprint(Number(process.env.MERIDIAN_SPARE_PORT ?? 21350) + 300);
let one;
let two;

before(() => {
    print.up("--edges", "2", "--routers", "1", "--replicas", "0");
    [one, two] = readEndpoints(print.state).regions[0].edges.map((edge) => edge.ws);
});
after(async () => {
    Client.dropAll();
    print.down();
});

const connect = (ws, user, device = "phone") => Client.connect(ws, { ...player(user, { dir: print.state }), device });
async function send(from, to, text, { messageId = randomUUID(), ...more } = {}) {
    from.send("send_message", { to, text, messageId, ...more });
    return from.next(["message_ok", "error"], (m) => (m.messageId ?? m.re) === messageId);
}

async function presence(who, user) {
    for (;;) {
        who.send("get_presence", { user });
        const said = await who.next(["presence", "error"], (m) => (m.user ?? m.re) === user);
        if (!["try_again", "rate_limited"].includes(said.code)) return said;
        await sleep(300);
    }
}
// In the registry: from now on he is told at once what is written to him, and once.
const registered = (who, user) => until(`${user} is there`, async () => (await presence(who, user)).online);
// Back until the first thing he is told is this one: what is acknowledged may take a moment to be so.
async function hearsFirst(ws, user, text) {
    let back;
    await until(`"${text}" comes first`, async () => {
        await back?.close();
        back = await connect(ws, user);
        return (await back.next("message")).text === text;
    });
    return back;
}

test("a message reaches every device wherever it is connected, and is answered when it is stored", async () => {
    const [ann, bob] = [someUser("ann"), someUser("bob")];
    const a = await connect(one, ann);
    const b1 = await connect(one, bob, "phone");
    const b2 = await connect(two, bob, "tablet");
    await Promise.all([b1.settle(), b2.settle()]);
    const messageId = randomUUID();
    assert.deepEqual(await send(a, bob, "hello \u{1f44b}", { messageId }), { type: "message_ok", messageId, to: bob });
    for (const b of [b1, b2]) {
        const m = await b.next("message");
        assert.deepEqual([m.from, m.text, m.messageId, m.fromRegion], [ann, "hello \u{1f44b}", messageId, "us-east"]);
        assert.ok(Math.abs(m.sentAtMs - Date.now()) < 30_000);
    }
    await Promise.all([a, b1, b2].map((c) => c.close()));
});

test("who was away gets what waits for him, in order, with each connection until he acknowledges it", async () => {
    const [ann, bob] = [someUser("ann"), someUser("bob")];
    const a = await connect(one, ann);
    for (let i = 0; i < 100; i++) {
        if (i % 20 === 0) await sleep(900); // the rate of players
        assert.equal((await send(a, bob, `text ${i}`)).type, "message_ok");
    }
    let last;
    for (const ws of [one, two]) {
        const b = await connect(ws, bob);
        for (let i = 0; i < 100; i++) {
            const m = await b.next("message");
            assert.equal(m.text, `text ${i}`);
            assert.ok(i === 0 || m.seq === last.seq + 1);
            last = m;
        }
        await b.close();
    }
    const b = await connect(one, bob);
    await b.next("message", (m) => m.seq === last.seq);
    b.send("ack_messages", { seq: last.seq - 1 });
    await b.close();
    const again = await hearsFirst(two, bob, "text 99");
    again.send("ack_messages", { seq: last.seq });
    await again.close();
    assert.equal((await send(a, bob, "the next one")).type, "message_ok");
    const empty = await hearsFirst(one, bob, "the next one");
    await Promise.all([a, empty].map((c) => c.close()));
});

test("a skipped one is asked for", async () => {
    const [ann, bob] = [someUser("ann"), someUser("bob")];
    const [a, b] = [await connect(one, ann), await connect(one, bob)];
    await registered(a, bob);
    for (let i = 0; i < 5; i++) await send(a, bob, `text ${i}`);
    const { seq } = await b.next("message", (m) => m.text === "text 1");
    await b.next("message", (m) => m.text === "text 4"); // as if the rest had been lost
    b.unread = [];
    b.send("ack_messages", { seq, rest: true });
    for (let i = 2; i < 5; i++) assert.deepEqual((({ text, seq: n }) => [text, n])(await b.next("message")), [`text ${i}`, seq + i - 1]);
    await Promise.all([a.close(), b.close()]);
});

test("the same message again is answered again and delivered once", async () => {
    const [ann, bob] = [someUser("ann"), someUser("bob")];
    const [a, b] = [await connect(one, ann), await connect(two, bob)];
    await registered(a, bob);
    const messageId = randomUUID();
    for (let i = 0; i < 3; i++) assert.equal((await send(a, bob, "once", { messageId })).type, "message_ok");
    await send(a, bob, "last");
    assert.deepEqual([(await b.next("message")).text, (await b.next("message")).text], ["once", "last"]);
    await Promise.all([a.close(), b.close()]);
});

test("a full inbox refuses the new, keeps the old, and takes again when it is read", async () => {
    const [ann, bob] = [someUser("ann"), someUser("bob")];
    const a = await connect(one, ann);
    let refused;
    let stored = 0;
    for (; !refused && stored < 100; ) {
        if (stored % 20 === 19) await sleep(950);
        const said = await send(a, bob, "x".repeat(1024));
        if (said.type === "message_ok") stored++;
        else refused = said;
    }
    assert.deepEqual([refused?.code, refused?.retryAfterMs], ["try_again", 60_000]);
    assert.ok(stored > 50 && stored < 64, `${stored} of 1 KiB`);
    const b = await connect(two, bob);
    let last;
    for (let i = 0; i < stored; i++) last = await b.next("message");
    b.send("ack_messages", { seq: last.seq });
    await until("there is room again", async () => (await send(a, bob, "now")).type === "message_ok" || sleep(300));
    assert.equal((await b.next("message")).text, "now");
    await Promise.all([a.close(), b.close()]);
});

test("what is no message is refused and changes nothing", async () => {
    const a = await connect(one, someUser("ann"));
    const good = { to: "bob", text: "hi", messageId: "m" };
    const bad = [
        [{ ...good, to: "" }, "m"], [{ ...good, to: "two words" }, "m"], [{ ...good, to: "x".repeat(129) }, "m"], [{ ...good, to: "tab\there" }, "m"],
        [{ ...good, text: "" }, "m"], [{ ...good, messageId: "" }, "send_message"], [{ ...good, messageId: "y".repeat(65) }, "send_message"],
        [{ ...good, region: "atlantis" }, "m"], [{ ...good, region: "" }, "m"], [{ to: "bob", text: "hi" }, "send_message"],
        [{ ...good, to: 5 }, "send_message"],
    ];
    for (const [fields, re] of bad) {
        a.send("send_message", fields);
        const said = await a.next("error");
        assert.equal(said.code, "bad_field", JSON.stringify(fields).slice(0, 80));
        if (said.re !== undefined) assert.equal(said.re, re, JSON.stringify(fields).slice(0, 80));
        await sleep(60);
    }
    a.send("send_message", { ...good, text: "z".repeat(1025) }); // no string may be longer
    await a.error("bad_json");
    a.send("ack_messages", { seq: -1 });
    await a.error("bad_field");
    a.send("ack_messages", { seq: Number.MAX_SAFE_INTEGER });
    await a.settle();
    await a.close();
});

test("a user is online at whichever edge he is, and nobody else is", async () => {
    const [ann, bob] = [someUser("ann"), someUser("bob")];
    const [a, b] = [await connect(one, ann), await connect(two, bob)];
    for (const user of [ann, bob]) await registered(a, user);
    for (const [user, online] of [[bob, true], [ann, true], ["nobody", false]])
        assert.deepEqual(await presence(a, user), { type: "presence", user, region: "us-east", online });
    for (const user of ["", "x".repeat(129), "tab\there"]) {
        a.send("get_presence", { user });
        await a.error("bad_field");
    }
    await Promise.all([a.close(), b.close()]);
});

test("messages are limited like moves", async () => {
    const a = await connect(one, someUser("ann"));
    for (let i = 0; i < 60; i++) a.send("send_message", { to: "bob", text: "flood", messageId: `m${i}` });
    const said = await a.error("rate_limited");
    assert.ok(said.retryAfterMs > 0);
    await a.close();
});

// Last: of the two edges one is left.
test("a user is offline seconds after his connection or his edge is gone, and not before", async (t) => {
    const [ann, bob, cat] = [someUser("ann"), someUser("bob"), someUser("cat")];
    const [a, , c] = [await connect(one, ann), await connect(two, bob), await connect(one, cat)];
    for (const user of [bob, cat]) await registered(a, user);
    const began = Date.now();
    process.kill(print.region.edges[1].pid, "SIGKILL");
    await c.close();
    const gone = new Map();
    await until("both are offline", async () => {
        await sleep(200);
        for (const user of [bob, cat])
            if (!gone.has(user) && !(await presence(a, user)).online) gone.set(user, Date.now() - began);
        return gone.size === 2;
    });
    t.diagnostic(`offline ${gone.get(bob)} ms after his edge was killed, ${gone.get(cat)} ms after her connection ended`);
    for (const user of [bob, cat]) assert.ok(gone.get(user) >= 4900, `${gone.get(user)} ms`);
    await a.close();
});
