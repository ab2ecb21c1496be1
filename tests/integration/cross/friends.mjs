// SPDX-License-Identifier: Apache-2.0
// Friends with a code: in one region, across two, with what goes wrong. Run by cross.test.mjs, on its regions.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { player, sleep } from "../outside/footprint.mjs";
import { lives, until } from "../faults/own.mjs";

const wish = { game: "memory", rows: 2, cols: 3 };

export function friends(pair, { connect, toTheEnd }) {
    const someone = (at) => player(undefined, { dir: pair.prints[at].state });
    const waits = (client) => client.next("ticket", ({ state }) => state === "waiting");

    async function host(at, options = {}, more = {}) {
        const who = someone(at);
        const client = await connect(at, who, more);
        client.send("find_match", { ...wish, invite: true, ...options });
        const ticket = await waits(client);
        return { at, who, client, ticket, code: ticket.code };
    }
    async function guest(at, code, more = {}) {
        const who = someone(at);
        const client = await connect(at, who, more);
        client.send("find_match", { game: "memory", code });
        return { at, who, client };
    }
    async function seated(...people) {
        for (const one of people) one.view = await one.client.matched();
        assert.equal(new Set(people.map(({ view }) => view.gameId)).size, 1);
        return people;
    }
    async function refused(one, pattern) {
        const ticket = await one.client.next("ticket", ({ state }) => state === "expired");
        assert.match(ticket.reason, pattern);
        await one.client.close();
    }

    test("friends: a code is told with the ticket, in its region's name, and for how long it is open", async () => {
        const ann = await host(0);
        assert.match(ann.code, /^eu-[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}$/);
        assert.equal(ann.ticket.hosts, true);
        const left = ann.ticket.expiresAtMs - Date.now();
        assert.ok(left > 580_000 && left <= 601_000, `${left} ms`);
        const told = await ann.client.next("ticket", ({ reason }) => /waiting for 1 more with this code/.test(reason));
        ann.client.send("explain_match", { ticketId: told.ticketId });
        assert.match((await waits(ann.client)).reason, /waiting for 1 more with this code/);
        ann.client.send("cancel_match", { ticketId: told.ticketId });
        await ann.client.next("ticket", ({ state }) => state === "cancelled");
        await refused(await guest(0, ann.code), /nobody waits with this code/);
        await ann.client.close();
    });

    test("friends: of one region, at two edges, meet at once and nobody else does", async () => {
        const stranger = await connect(0, someone(0));
        stranger.send("find_match", wish);
        const ann = await host(0);
        const bea = await guest(0, ann.code.toLowerCase().replaceAll("-", " "), { edge: 1 });
        await toTheEnd(await seated(ann, bea));
        assert.equal(stranger.unread.filter(({ type }) => type === "matched").length, 0);
        await refused(await guest(1, ann.code), /full|nobody waits/);
        await refused(await guest(0, ann.code), /table is full/);
        await stranger.close();
    });

    test("friends: of two regions meet when the second one comes, without anybody's patience", async () => {
        const ann = await host(0);
        await sleep(300);
        const began = Date.now();
        const bea = await guest(1, ann.code);
        const people = await seated(ann, bea);
        assert.ok(Date.now() - began < 5000, `${Date.now() - began} ms`);
        assert.match(ann.view.gameId, /^(eu|us-east)\.g-/);
        assert.equal(ann.view.cards.length, 6, "as the host asked");
        await toTheEnd(people);
        // ... and once more: whoever was in that game knows its id, and they meet by it.
        const gameId = ann.view.gameId;
        for (const one of people) one.client = await connect(one.at, one.who);
        for (const { client } of people) client.send("find_match", { ...wish, rematch: gameId });
        await seated(...people);
        for (const { client } of people) client.drop();
    });

    test("friends: four of two regions fill a table; three and a bot do, too", async () => {
        const ann = await host(1, { players: 4 });
        const others = await Promise.all([0, 0, 1].map((at, i) => guest(at, ann.code, { edge: i % 2 })));
        const four = await seated(ann, ...others);
        for (const { client } of four) client.drop();
        const eve = await host(0, { players: 3, bots: "now" });
        const people = await seated(eve, await guest(1, eve.code));
        assert.equal(eve.view.players.filter(({ kind }) => kind === "bot").length, 1);
        for (const { client } of people) client.drop();
    });

    test("friends: what is no code, or one's own, is an error at once, and guessing is slow", async () => {
        const ann = await host(0);
        const bob = await connect(0, someone(0));
        const wrong = ann.code.endsWith("0") ? "1" : "0";
        for (const code of ["", "x", "eu", ann.code.slice(0, -1) + wrong, ann.code.slice(3), `eu-${"0".repeat(1000)}`, "e\u0001-00000-00000"]) {
            bob.send("find_match", { game: "memory", code });
            assert.equal((await bob.error("bad_code")).re, "find_match");
        }
        ann.client.send("find_match", { game: "memory", code: ann.code });
        assert.match((await ann.client.error("bad_code")).message, /your own code/);
        for (const seen = new Set(); ; ) {
            assert.ok(seen.size < 8, "nobody may try so many");
            bob.send("find_match", { game: "memory", rematch: randomUUID() });
            const answer = await bob.next(["ticket", "error"], ({ ticketId }) => !seen.has(ticketId));
            seen.add(answer.ticketId);
            if (answer.type === "error") {
                assert.equal(answer.code, "rate_limited");
                assert.ok(answer.retryAfterMs > 0 && answer.retryAfterMs <= 10_000);
                break;
            }
            bob.send("cancel_match", { ticketId: answer.ticketId });
            await bob.next("ticket", ({ state }) => state === "cancelled");
        }
        await ann.client.close();
        await bob.close();
    });

    // 20 s, most of it until a killed edge counts as dead: by hand.
    const skip = process.env.MERIDIAN_LONG ? false : "MERIDIAN_LONG is not set";
    test("friends: an invitation outlives its edge and both routers", { skip }, async () => {
        const ann = await host(0, { players: 3 });
        const bea = await guest(1, ann.code);
        await waits(bea.client);
        await sleep(1500); // her leader had time to tell the others
        for (const at of [0, 1]) {
            const { id } = await pair.leader(at);
            process.kill(pair.regions[at].routers.find((router) => router.id === id).pid, "SIGKILL");
            await until("another one leads", async () => ![undefined, id].includes((await pair.leader(at))?.id), 30_000);
        }
        await pair.seen();
        const pid = pair.regions[0].edges[0].pid;
        process.kill(pid, "SIGKILL");
        await until("its end", () => !lives(pid));
        ann.client = await connect(0, ann.who, { edge: 1 });
        await until("her edge counts as dead, and the code is hers again", async () => { // until then her ticket is there, for all one knows
            ann.client.send("find_match", { ...wish, players: 3, invite: true, code: ann.code });
            return (await ann.client.next("ticket", undefined, 3000).catch(() => ({}))).code === ann.code;
        }, 30_000);
        const people = await seated(ann, bea, await guest(1, ann.code));
        for (const { client } of people) client.drop();
        for (const at of [0, 1]) pair.start(at);
        await pair.seen();
    });
}
