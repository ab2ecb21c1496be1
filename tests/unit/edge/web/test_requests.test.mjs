// SPDX-License-Identifier: Apache-2.0
// What players ask for, through the whole client, on a socket without a network: friends with a code above all.
import assert from "node:assert/strict";
import { test } from "node:test";
import { MeridianClient, MeridianError, rematchOf } from "../../../../edge/web/meridian.js";
import { fakeSockets } from "./fake_time.mjs";
import { connected } from "./scripted_server.mjs";

/* Runs `body` with a client whose server answers a find_match by answer(message); `asked` holds what was asked. */
async function asking(answer, body, options = {}) {
    const asked = [];
    let offset = 0;
    const world = fakeSockets((socket, message) => {
        if (message.type === "auth") socket.say(connected());
        else if (message.type === "ping") socket.say({ type: "pong", atMs: Date.now() });
        else if (message.type !== "ack") {
            asked.push(message);
            const said = answer(message, asked.length);
            if (said) socket.say(said.type === "error" ? said : { ...said, offset: ++offset });
        }
    });
    const client = new MeridianClient({ urls: ["http://edge"], tokens: async () => "t", WebSocket: world.WebSocket, ...options });
    client.connect();
    try {
        await body({ client, asked });
    } finally {
        client.close();
    }
}

const ticket = (fields) => ({ type: "ticket", ticketId: "t-1", state: "waiting", ...fields });
const refusal = (code, more = {}) => ({ type: "error", code, message: "no", re: "find_match", ...more });

test("an invitation asks for a table of one's own wish and tells its code", async () => {
    const answer = () => ticket({ code: "eu-7KQM3-XPVTB", hosts: true, expiresAtMs: 9 });
    await asking(answer, async ({ client, asked }) => {
        const { code, hosts } = await client.invite({ players: 3, rows: 4, cols: 5, bots: "fill" });
        assert.deepEqual([code, hosts], ["eu-7KQM3-XPVTB", true]);
        assert.deepEqual(asked, [{ type: "find_match", game: "memory", players: 3, rows: 4, cols: 5, bots: "fill", invite: true }]);
        assert.equal(client.ticket.code, code);
    });
});

test("an invitation without a wish is one all the same, and a lost one is opened again under its code", async () => {
    await asking(() => ticket({ code: "c" }), async ({ client, asked }) => {
        await client.invite();
        await client.invite({ code: "eu-7KQM3-XPVTB" });
        assert.deepEqual(asked, [
            { type: "find_match", game: "memory", invite: true },
            { type: "find_match", game: "memory", invite: true, code: "eu-7KQM3-XPVTB" },
        ]);
    });
});

test("a friend names the code and nothing about the table", async () => {
    await asking(({ code }) => ticket({ code }), async ({ client, asked }) => {
        assert.equal((await client.join("eu 7kqm3 xpvtb")).state, "waiting");
        assert.deepEqual(asked, [{ type: "find_match", game: "memory", code: "eu 7kqm3 xpvtb" }]);
    });
});

test("a friend far away tells how far", async () => {
    const latencyMs = { eu: 160, asia: 12 };
    const regions = { latencyMs, names: ["eu", "asia"], load: async () => {}, isFresh: () => true, urlsOf: () => [] };
    await asking(({ code }) => ticket({ code }), async ({ client, asked }) => {
        await client.join("eu-7KQM3-XPVTB");
        assert.deepEqual(asked[0].latencyMs, latencyMs);
    }, { regions });
});

test("a wrong code is told to who typed it, at once and once", async () => {
    await asking(() => refusal("bad_code"), async ({ client, asked }) => {
        let heard = 0;
        client.on("error", () => (heard += 1));
        await assert.rejects(client.join("eu-00000-00000"), (error) => error instanceof MeridianError && error.code === "bad_code");
        assert.equal(asked.length, 1);
        assert.equal(heard, 0);
    });
});

test("too many codes are only slow: the same one is asked for again", async () => {
    const answer = ({ code }, count) => (count < 3 ? refusal("rate_limited", { retryAfterMs: 5 }) : ticket({ code }));
    await asking(answer, async ({ client, asked }) => {
        assert.equal((await client.join("c")).code, "c");
        assert.equal(asked.length, 3);
        assert.deepEqual(asked[2], asked[0]);
    });
});

test("a code in vain ends the ticket, which says why", async () => {
    const answer = ({ type }) => ticket(type === "find_match" ? { code: "c" } : { state: "expired", code: "c", reason: "nobody waits with this code" });
    await asking(answer, async ({ client }) => {
        await client.join("c");
        assert.equal(client.ticket.ticketId, "t-1");
        assert.equal((await client.explainMatch("t-1")).reason, "nobody waits with this code");
        assert.equal(client.ticket, null);
    });
});

test("a rematch asks for the same people and the same board, with bots only where there were bots", async () => {
    const seats = (...kinds) => kinds.map((kind, seat) => ({ seat, kind, name: kind }));
    const two = { id: "asia.g-1", rows: 4, cols: 6, players: seats("human", "human") };
    const three = { id: "g-2", rows: 2, cols: 3, players: seats("human", "bot", "human") };
    assert.deepEqual(rematchOf(two), { rematch: "asia.g-1", players: 2, rows: 4, cols: 6, bots: "none" });
    await asking(() => ticket({ code: "c", hosts: true }), async ({ client, asked }) => {
        await client.rematch(two);
        await client.rematch(three);
        assert.deepEqual(asked, [
            { type: "find_match", game: "memory", rematch: "asia.g-1", players: 2, rows: 4, cols: 6, bots: "none" },
            { type: "find_match", game: "memory", rematch: "g-2", players: 3, rows: 2, cols: 3, bots: "fill" },
        ]);
    });
});

test("a friend who is there already is a match at once", async () => {
    const matched = { type: "matched", gameId: "g-1", game: "memory", version: 1, seat: 1, players: [], rows: 2, cols: 3, cards: [], scores: [0, 0], turn: 0, status: "playing" };
    await asking(() => matched, async ({ client }) => {
        assert.equal((await client.join("c")).gameId, "g-1");
        assert.equal(client.ticket, null);
        assert.ok(client.games.has("g-1"));
    });
});
