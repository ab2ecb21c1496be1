// SPDX-License-Identifier: Apache-2.0
// The whole client against a scripted server on a real socket: reconnect, resume, gaps, outbox, tokens, liveness.
import assert from "node:assert/strict";
import { test } from "node:test";
import { MeridianClient } from "../../../../edge/web/meridian.js";
import { connected, inState, nextEvent, startServer, until, WebSocket } from "./scripted_server.mjs";

const FAST = { gap: 30, settled: 10000, replay: 300, confirm: 50, handshake: 1000, watch: 5, renewRetry: 20 };

/* Runs `body` with a client of a server that follows `scripts`; nothing is left behind. */
async function withClient(scripts, body, options = {}) {
    const server = await startServer(scripts);
    const heard = [];
    const client = new MeridianClient({
        urls: [server.url], tokens: async () => "t1", device: "d1", WebSocket, steps: [0, 10, 20],
        random: () => 0,
        ...options, times: { ...FAST, ...options.times },
    });
    client.on("*", (name, value) => heard.push([name, value]));
    try {
        client.connect();
        await body({ client, server, heard, names: () => heard.map(([name]) => name) });
        assert.deepEqual(server.failures, []);
    } finally {
        client.close();
        await server.stop();
    }
}

const gameState = (version, fields = {}) => ({
    type: "game_state", gameId: "g", game: "memory", version, status: "playing", rows: 2, cols: 2,
    cards: Array.from({ length: 4 }, () => ({ state: "down" })), scores: [0, 0], seats: [], turn: 0,
    deadlineAtMs: 0, ...fields,
});
const numbered = (offset, message) => ({ ...message, offset });
const note = (offset) => ({ type: "ticket", ticketId: `t${offset}`, state: "cancelled", offset });

test("it authenticates in the first message and becomes ready", async () => {
    let auth;
    await withClient([async (peer) => { auth = await peer.welcome(); }], async ({ client, server }) => {
        await inState(client, "ready");
        assert.deepEqual([auth.token, auth.device], ["t1", "d1"]);
        assert.equal(server.peers[0].path, "/v1/ws");
        assert.equal(client.connected.edge, "e1");
    });
});

test("nothing is delivered before connect, so handlers come first", async () => {
    const client = new MeridianClient({ urls: ["http://127.0.0.1:1"], tokens: async () => "t", WebSocket });
    assert.equal(client.state, "closed");
    const waiting = client.getGame("g");
    client.close();
    await assert.rejects(waiting, { code: "closed" });
});

test("a lost connection is resumed with the last offset seen, and resume is the very next message", async () => {
    const scripts = [
        async (peer) => {
            await peer.welcome();
            peer.send(note(1), note(2));
            await new Promise((resolve) => setTimeout(resolve, 20));
            peer.socket.terminate();
        },
        async (peer) => {
            await peer.welcome({ session: "s2" });
            await peer.next("resume");
            peer.send(connected({ offset: 4, resume: "replayed" }));
            peer.send({ type: "batch", messages: [note(3), note(4)] });
        },
    ];
    await withClient(scripts, async ({ client, server, heard }) => {
        const { outcome } = await nextEvent(client, "resumed");
        assert.equal(outcome, "replayed");
        await until(() => client.session.offset === 4);
        const [first, second] = server.peers[1].received;
        assert.deepEqual([first.type, second.type], ["auth", "resume"]);
        assert.deepEqual([second.session, second.epoch, second.offset], ["s1", 1, 2]);
        const tickets = heard.filter(([name]) => name === "ticket").map(([, ticket]) => ticket.ticketId);
        assert.deepEqual(tickets, ["t1", "t2", "t3", "t4"]);
    });
});

test("gone keeps the new session and what it already said", async () => {
    const scripts = [
        async (peer) => { await peer.welcome(); peer.send(note(1)); peer.close(1012, "restart;retry=0"); },
        async (peer) => {
            await peer.welcome({ session: "s2" });
            peer.send(note(1));
            await peer.next("resume");
            peer.send(connected({ session: "s2", offset: 1, resume: "gone", reason: "expired" }), note(2));
        },
    ];
    await withClient(scripts, async ({ client, heard }) => {
        const { afterMs, ...resumed } = await nextEvent(client, "resumed");
        assert.deepEqual(resumed, { outcome: "gone", reason: "expired" });
        assert.ok(afterMs < 1000, `${afterMs} ms`);
        await until(() => client.session.offset === 2);
        assert.equal(client.session.session, "s2");
        assert.equal(heard.filter(([name]) => name === "ticket").length, 3);
    });
});

test("a snapshot starts the numbering it names", async () => {
    const scripts = [
        async (peer) => { await peer.welcome(); peer.send(note(1)); peer.close(3004, "slow"); },
        async (peer) => {
            await peer.welcome({ session: "s2" });
            peer.send(note(1)); /* of the session that is given up again */
            await peer.next("resume");
            peer.send(connected({ epoch: 2, offset: 70, resume: "snapshot" }), numbered(71, gameState(5)));
        },
    ];
    await withClient(scripts, async ({ client }) => {
        await until(() => client.games.size === 1);
        assert.deepEqual(client.session, { session: "s1", epoch: 2, offset: 71 });
    });
});

test("games and tickets that a snapshot does not name are asked for, and lost ones told", async () => {
    const scripts = [
        async (peer) => {
            await peer.welcome();
            peer.send(numbered(1, gameState(3)), { type: "ticket", ticketId: "t", state: "waiting", offset: 2 });
            await new Promise((resolve) => setTimeout(resolve, 20));
            peer.close(1011, "");
        },
        async (peer) => {
            await peer.welcome({ session: "s2" });
            await peer.next("resume");
            peer.send(connected({ session: "s2", resume: "gone", reason: "unknown" }));
            await peer.next("get_game");
            peer.send({ type: "error", code: "no_such_game", message: "", re: "g" });
            await peer.next("explain_match");
            peer.send({ type: "error", code: "no_such_ticket", message: "", re: "t" });
        },
    ];
    await withClient(scripts, async ({ client }) => {
        const ticket = nextEvent(client, "ticket", (message) => message.state === "expired");
        assert.equal((await nextEvent(client, "game_lost")).game.id, "g");
        await ticket;
        assert.deepEqual([client.games.size, client.ticket], [0, null]);
    });
});

test("a gap holds what follows and a resume fills it", async () => {
    const scripts = [
        async (peer) => { await peer.welcome(); peer.send(note(1), note(3), note(4)); },
        async (peer) => {
            await peer.welcome({ session: "s2" });
            const resume = await peer.next("resume");
            assert.equal(resume.offset, 1);
            peer.send(connected({ offset: 4, resume: "replayed" }), note(2), note(3), note(4));
        },
    ];
    await withClient(scripts, async ({ client, heard, names }) => {
        assert.deepEqual(await nextEvent(client, "gap"), { expected: 2 });
        assert.equal(names().filter((name) => name === "ticket").length, 1);
        await until(() => client.session?.offset === 4);
        const order = heard.filter(([name]) => name === "ticket").map(([, ticket]) => ticket.offset);
        assert.deepEqual(order, [1, 2, 3, 4]);
    });
});

test("a gap that no resume fills ends in a fresh session", async () => {
    const broken = async (peer) => {
        await peer.welcome();
        peer.send(note(5));
        peer.next("resume").then(() => peer.send(connected({ offset: 5, resume: "replayed" }), note(5)), () => {});
    };
    const fresh = async (peer) => { await peer.welcome({ session: "s9" }); peer.send(note(1)); };
    await withClient([broken, broken, broken, fresh], async ({ client, server }) => {
        await until(() => client.session?.session === "s9" && client.session.offset === 1);
        assert.equal(server.peers[3].received.some((message) => message.type === "resume"), false);
    });
});

test("requests made offline are flushed in order after the replay", async () => {
    const seen = [];
    const scripts = [
        async (peer) => { await peer.welcome(); peer.send(note(1)); peer.close(1012, "restart;retry=60"); },
        async (peer) => {
            await peer.welcome({ session: "s2" });
            await peer.next("resume");
            peer.send(connected({ offset: 2, resume: "replayed" }));
            await new Promise((resolve) => setTimeout(resolve, 40));
            seen.push(...peer.received.map((message) => message.type));
            peer.send(note(2));
            for (let i = 0; i < 3; i++) {
                const { moveId, flip } = await peer.next("move");
                seen.push(flip.card);
                peer.send({ type: "move_ok", gameId: "g", moveId, version: i });
            }
        },
    ];
    await withClient(scripts, async ({ client }) => {
        await inState(client, "waiting");
        const moves = [5, 6, 7].map((card) => client.move("g", card));
        await Promise.all(moves);
        assert.deepEqual(seen.filter((one) => one !== "ping"), ["auth", "resume", 5, 6, 7]);
    });
});

test("a move in flight when the line breaks is sent again under the same id", async () => {
    const ids = [];
    const scripts = [
        async (peer) => { await peer.welcome(); ids.push((await peer.next("move")).moveId); peer.socket.terminate(); },
        async (peer) => {
            await peer.welcome();
            await peer.next("resume");
            peer.send(connected({ resume: "replayed" }));
            const { moveId } = await peer.next("move");
            ids.push(moveId);
            peer.send({ type: "move_ok", gameId: "g", moveId, version: 2 });
        },
    ];
    await withClient(scripts, async ({ client }) => {
        assert.equal((await client.move("g", 1)).version, 2);
        assert.equal(ids[0], ids[1]);
        assert.match(ids[0], /^[0-9a-f-]{36}$/);
    });
});

test("a skipped game version asks for the game and goes on from its state", async () => {
    const scripts = [
        async (peer) => {
            await peer.welcome();
            peer.send(numbered(1, gameState(1)));
            peer.send({ type: "seat_left", gameId: "g", version: 3, seat: 1, offset: 2 });
            await peer.next("get_game");
            peer.send(numbered(3, gameState(3)));
            peer.send({ type: "turn_changed", gameId: "g", version: 4, seat: 1, deadlineAtMs: 9, offset: 4 });
        },
    ];
    await withClient(scripts, async ({ client }) => {
        await until(() => client.games.get("g")?.version === 4);
        assert.equal(client.games.get("g").turn, 1);
    });
});

test("silence is answered by a ping, and no pong by a new connection", async () => {
    const scripts = [
        async (peer) => { peer.pings = false; await peer.welcome({ heartbeatMs: 20 }); },
        async (peer) => { await peer.welcome({ session: "s2" }); },
    ];
    await withClient(scripts, async ({ client, server, heard }) => {
        await until(() => server.peers.length === 2);
        assert.ok(server.peers[0].received.some((message) => message.type === "ping"));
        const lost = heard.find(([name, value]) => name === "state" && value.state === "waiting");
        assert.equal(lost[1].code, 4002);
        assert.ok(client.state !== "gave_up");
    }, { times: { pong: 40 } });
});

test("a request nobody answers makes it ask whether the server lives", async () => {
    const scripts = [
        async (peer) => { await peer.welcome(); await peer.next("move"); peer.pings = false; },
        async (peer) => { await peer.welcome(); },
    ];
    await withClient(scripts, async ({ client, server }) => {
        client.move("g", 0).catch(() => {});
        await until(() => server.peers.length === 2);
    }, { times: { pong: 40, unanswered: 40 } });
});

test("token_expiring renews on the live connection without a new session", async () => {
    let count = 0;
    const scripts = [
        async (peer) => {
            await peer.welcome();
            peer.send(note(1), { type: "error", code: "token_expiring", message: "soon" });
            const auth = await peer.next("auth");
            assert.equal(auth.token, "t2");
            peer.send(connected({ offset: 1 }), note(2));
        },
    ];
    const asked = [];
    const tokens = async ({ reason, previous }) => { asked.push([reason, previous]); return `t${++count}`; };
    await withClient(scripts, async ({ client, server }) => {
        await until(() => client.session?.offset === 2);
        assert.equal(server.peers.length, 1);
        assert.deepEqual(asked, [["start", null], ["expiring", "t1"]]);
    }, { tokens });
});

test("the token is renewed ahead of its end by the server's clock", async () => {
    let count = 0;
    const tokens = async () => ({ token: `t${++count}`, expiresAtMs: Date.now() + (count === 1 ? 90 : 1e6) });
    const scripts = [async (peer) => { await peer.welcome(); await peer.next("auth"); peer.send(connected()); }];
    await withClient(scripts, async ({ server }) => {
        await until(() => server.peers[0]?.received.filter((message) => message.type === "auth").length === 2);
    }, { tokens });
});

test("an expired token is renewed and the session resumed", async () => {
    let count = 0;
    const scripts = [
        async (peer) => { await peer.welcome(); peer.send(note(1)); peer.close(3001, "token_expired"); },
        async (peer) => {
            assert.equal((await peer.welcome({ session: "s2" })).token, "t2");
            await peer.next("resume");
            peer.send(connected({ offset: 1, resume: "replayed" }));
        },
    ];
    await withClient(scripts, async ({ client }) => {
        assert.equal((await nextEvent(client, "resumed")).outcome, "replayed");
    }, { tokens: async () => `t${++count}` });
});

test("replaced by a newer connection it stops, tells so, and rejects what waits", async () => {
    const scripts = [async (peer) => { await peer.welcome(); await peer.next("move"); peer.close(3502, "replaced"); }];
    await withClient(scripts, async ({ client, server }) => {
        const move = client.move("g", 0);
        assert.deepEqual(await nextEvent(client, "gaveup"), { code: 3502, reason: "replaced" });
        await assert.rejects(move, { code: "gave_up" });
        assert.equal(server.peers.length, 1);
        await assert.rejects(client.getGame("g"), { code: "gave_up" });
        client.connect();
        await until(() => server.peers.length === 2);
    });
});

test("a token refused twice is not shown a third time", async () => {
    let count = 0;
    const refuse = async (peer) => { await peer.next("auth"); peer.close(3500, "bad_token"); };
    await withClient([refuse], async ({ client, server }) => {
        await nextEvent(client, "gaveup");
        assert.equal(server.peers.length, 2);
    }, { tokens: async () => `t${++count}` });
});

test("the server's delay is obeyed", async () => {
    const scripts = [
        async (peer) => { await peer.welcome(); peer.close(1013, "overload;retry=150"); peer.closedAt = Date.now(); },
        async (peer) => { await peer.welcome(); },
    ];
    await withClient(scripts, async ({ server }) => {
        await until(() => server.peers.length === 2);
        const waited = server.peers[1].at - server.peers[0].closedAt;
        assert.ok(waited >= 140 && waited < 600, `${waited} ms`);
    });
});

test("an edge that is gone is passed over for the next address", async () => {
    const server = await startServer([async (peer) => { await peer.welcome(); }]);
    const client = new MeridianClient({
        urls: ["http://127.0.0.1:1", server.url], tokens: async () => "t", WebSocket, steps: [0, 10], times: FAST,
    });
    try {
        client.connect();
        await inState(client, "ready");
    } finally {
        client.close();
        await server.stop();
    }
});

test("moved: the new addresses are looked up and used", async () => {
    const other = await startServer([async (peer) => {
        await peer.welcome({ edge: "e2" });
        await peer.next("resume");
        peer.send(connected({ edge: "e2", resume: "replayed" }));
    }]);
    const asked = [];
    const scripts = [async (peer) => { await peer.welcome(); peer.close(3007, "moved;retry=50;region=eu-west;edge=e2"); }];
    const locate = async (to) => { asked.push(to); return [other.url]; };
    try {
        await withClient(scripts, async ({ client }) => {
            await nextEvent(client, "connected", (message) => message.edge === "e2");
            assert.deepEqual(asked, [{ region: "eu-west", edge: "e2" }]);
        }, { locate });
    } finally {
        await other.stop();
    }
});

test("an idle client rests and comes back with its next request", async () => {
    const scripts = [
        async (peer) => { await peer.welcome(); },
        async (peer) => {
            await peer.welcome({ session: "s2" });
            await peer.next("resume");
            peer.send(connected({ session: "s2", resume: "gone" }));
            await peer.next("find_match");
            peer.send({ type: "ticket", ticketId: "t", state: "waiting", offset: 1 });
        },
    ];
    await withClient(scripts, async ({ client }) => {
        await inState(client, "idle");
        assert.equal((await client.findMatch()).ticketId, "t");
        await new Promise((resolve) => setTimeout(resolve, 120));
        assert.equal(client.state, "ready", "a waiting ticket is not idleness");
    }, { times: { idle: 50 } });
});

test("what was received is acknowledged now and then", async () => {
    let ack;
    const scripts = [
        async (peer) => {
            await peer.welcome();
            for (let offset = 1; offset <= 20; offset++) peer.send(note(offset));
            ack = await peer.next("ack");
        },
    ];
    await withClient(scripts, async () => {
        await until(() => ack);
        assert.equal(ack.offset, 16);
    });
});

test("a handler that throws does not stop the delivery", async (t) => {
    const errors = [];
    t.mock.method(globalThis, "queueMicrotask", (run) => {
        try {
            run();
        } catch (error) {
            errors.push(error);
        }
    });
    const scripts = [async (peer) => { await peer.welcome(); peer.send(note(1), note(2)); }];
    await withClient(scripts, async ({ client }) => {
        client.once("ticket", () => { throw new Error("the page's own bug"); });
        await until(() => client.session?.offset === 2 && errors.length === 1);
    });
});

test("a message is sent until it is stored, and what others write comes once and is acknowledged", async () => {
    const bodies = [];
    const write = (seq, offset) => ({ type: "message", seq, offset, from: "bob", fromName: "Bob", fromRegion: "eu", messageId: `m${seq}`, text: "hi", sentAtMs: 1, settledSeq: 6 });
    await withClient([async (peer) => {
        await peer.welcome();
        for (let i = 0; i < 2; i++) {
            const asked = await peer.next("send_message");
            bodies.push(asked);
            if (i === 0) peer.send({ type: "error", code: "overloaded", message: "later", re: asked.messageId, retryAfterMs: 5 });
            else peer.send({ type: "message_ok", messageId: asked.messageId, to: asked.to });
        }
        peer.send(write(7, 1), write(7, 2), write(9, 3));
        const missing = await peer.next("ack_messages");
        assert.deepEqual([missing.seq, missing.rest], [7, true]);
        peer.send(write(8, 4), write(9, 5));
        assert.equal((await peer.next("ack_messages")).seq, 9);
    }], async ({ client, heard }) => {
        await inState(client, "ready");
        const answer = await client.sendMessage("bob", "hello", { region: "eu" });
        assert.equal(answer.messageId, bodies[0].messageId);
        assert.deepEqual(bodies[1], bodies[0]);
        assert.deepEqual([bodies[0].to, bodies[0].region, bodies[0].text], ["bob", "eu", "hello"]);
        await until(() => heard.filter(([name]) => name === "message").length === 3);
        assert.deepEqual(heard.filter(([name]) => name === "message").map(([, message]) => message.seq), [7, 8, 9]);
        await new Promise((resolve) => setTimeout(resolve, 60));
    }, { times: { inbox: { ack: 20, missing: 10 } } });
});

test("whether a user is there is one question and one answer", async () => {
    await withClient([async (peer) => {
        await peer.welcome();
        await peer.next("get_presence");
        peer.send({ type: "presence", user: "bob", region: "eu", online: true });
    }], async ({ client }) => {
        await inState(client, "ready");
        assert.equal((await client.getPresence("bob", { region: "eu" })).online, true);
    });
});
