// SPDX-License-Identifier: Apache-2.0
// Whole games by a client that knows nothing but the protocol's page: against bots and people, on one edge and across two.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client } from "./client.mjs";
import { guest, player, readEndpoints, someUser } from "./footprint.mjs";
import { assertMovesStored, play } from "./play.mjs";
import { sameOrder } from "./view.mjs";

let edges;
before(() => {
    edges = readEndpoints().regions[0].edges;
    assert.ok(edges.length >= 2, "this needs two edges");
});
after(() => Client.dropAll());

const enter = (edge, more) => Client.connect(edges[edge].ws, { ...player(), ...more });

// People at the given edges play a board to its end, helping each other; what they saw must agree. Every test has a board of its own, so
// that nobody is matched into another test's game.
async function playTogether(seatsAt, board) {
    const clients = await Promise.all(seatsAt.map((edge) => enter(edge)));
    const views = await Promise.all(clients.map((client) => client.match({ players: seatsAt.length, ...board })));
    assert.equal(new Set(views.map((view) => view.gameId)).size, 1);
    assert.deepEqual(views.map((view) => view.seat).sort(), seatsAt.map((_, seat) => seat));
    const known = new Map();
    const acked = await Promise.all(clients.map((client, i) => play(client, views[i], { known })));
    for (const [i, view] of views.entries()) {
        assert.equal(view.result.reason, "finished");
        assert.deepEqual(view.result, views[0].result);
        assert.equal(view.gaps, 0);
        assert.equal(view.states, 1, "nobody was sent a snapshot in the middle");
        assert.equal(view.players.length, seatsAt.length);
        assert.ok(sameOrder(views[0], view, assert) >= board.rows * board.cols);
        assertMovesStored(view, acked[i]);
    }
    await Promise.all(clients.map((client) => client.close()));
    return views;
}

describe("whole games", { concurrency: 12, timeout: 400_000 }, () => {
    test("a guest plays a bot on the smallest board", async () => {
        const { token, user } = await guest(edges[0].url, "Gia");
        const client = await Client.connect(edges[0].ws, { token });
        assert.equal(client.connected.user, user);
        const view = await client.match({ rows: 2, cols: 2, bots: "now" });
        assert.deepEqual(view.players.map((one) => one.kind).sort(), ["bot", "human"]);
        assert.equal(view.players[view.seat].name, "Gia");
        assert.match(view.players.find((one) => one.kind === "bot").user, /^bot:/);
        await play(client, view);
        assert.equal(view.result.reason, "finished");
        assert.equal(view.gaps, 0);
        await client.close();
    });

    test("three bots and a person fill a table of four", async () => {
        const client = await enter(1);
        const view = await client.match({ players: 4, rows: 3, cols: 4, bots: "now" });
        assert.equal(view.players.filter((one) => one.kind === "bot").length, 3);
        assert.equal(new Set(view.players.map((one) => one.user)).size, 4);
        await play(client, view);
        assert.equal(view.result.reason, "finished");
        await client.close();
    });

    test("a bot comes after ten seconds where it was asked to fill", async () => {
        const client = await enter(0);
        const began = Date.now();
        const view = await client.match({ rows: 2, cols: 5, bots: "fill" });
        assert.ok(Date.now() - began > 8000, `${Date.now() - began} ms`);
        assert.equal(view.players.filter((one) => one.kind === "bot").length, 1);
        client.send("leave_game", { gameId: view.gameId });
        const over = await client.next("game_over");
        assert.equal(over.reason, "resigned");
        await client.close();
    });

    test("two people on two edges", () => playTogether([0, 1], { rows: 4, cols: 4 }));
    test("two people on one edge", () => playTogether([1, 1], { rows: 3, cols: 4 }));
    test("three people, two edges", () => playTogether([0, 1, 0], { rows: 2, cols: 9 }));
    test("four people, two edges", () => playTogether([0, 1, 1, 0], { rows: 5, cols: 4 }));
    test("two people on a large board", () => playTogether([1, 0], { rows: 6, cols: 6 }));
    test("a board that is only a row wide", () => playTogether([0, 1], { rows: 2, cols: 3 }));

    test("a hundred cards, and one player gives up in the middle", async () => {
        const clients = await Promise.all([enter(0), enter(1)]);
        const views = await Promise.all(clients.map((client) => client.match({ rows: 10, cols: 10 })));
        const enough = (view) => view.faces.size > 14;
        const known = new Map();
        await Promise.all(clients.map((client, i) => play(client, views[i], { known, stop: enough })));
        clients[0].send("leave_game", { gameId: views[0].gameId });
        const over = await Promise.all(clients.map((client) => client.next("game_over")));
        assert.equal(over[0].reason, "resigned");
        assert.equal(over[0].version, over[1].version);
        sameOrder(views[0], views[1], assert);
        for (const [i, client] of clients.entries()) {
            client.flip(views[i].gameId, 0);
            assert.ok(["game_over", "no_such_game"].includes((await client.next("error")).code));
            await client.close();
        }
    });

    test("at a table of three the game goes on when one leaves", async () => {
        const clients = await Promise.all([enter(0), enter(1), enter(1)]);
        const views = await Promise.all(clients.map((client) => client.match({ players: 3, rows: 2, cols: 6 })));
        clients[2].send("leave_game", { gameId: views[2].gameId });
        const left = await Promise.all(clients.slice(0, 2).map((client) => client.next("seat_left")));
        assert.deepEqual(left.map((message) => message.seat), [views[2].seat, views[2].seat]);
        const known = new Map();
        await Promise.all([0, 1].map((i) => play(clients[i], views[i], { known })));
        assert.equal(views[0].result.reason, "finished");
        sameOrder(views[0], views[1], assert);
        // Who left is free for another game at once.
        const next = await clients[2].match({ rows: 2, cols: 2, bots: "now" });
        assert.notEqual(next.gameId, views[0].gameId);
        clients[2].send("leave_game", { gameId: next.gameId });
        await clients[2].next("game_over", (message) => message.gameId === next.gameId);
        await Promise.all(clients.map((client) => client.close()));
    });

    test("a turn that runs out passes on, and three in a row count as leaving", async () => {
        const clients = await Promise.all([enter(0), enter(1)]);
        const views = await Promise.all(clients.map((client) => client.match({ rows: 8, cols: 2 })));
        const idle = views.findIndex((view) => view.mine);
        const busy = 1 - idle;
        // One card is turned and left open: it goes down with the turn.
        const moveId = clients[idle].flip(views[idle].gameId, 3);
        assert.equal((await clients[idle].answer(moveId)).type, "move_ok");
        const first = views[busy].deadlineAtMs;
        const passed = await clients[busy].next("turn_changed", (message) => message.seat === views[busy].seat, 60_000);
        // What a slow store took of the turn was given back.
        const deadline = [...views[busy].byVersion.values()].flat().findLast(({ type }) => type === "game_resumed")?.deadlineAtMs ?? first;
        const late = Date.now() - deadline;
        assert.ok(late > -2000 && late < 10_000, `${late} ms after the deadline`);
        assert.ok(passed.deadlineAtMs > deadline + 15_000);
        assert.equal(views[busy].cards[3], "down");
        // From now on one plays on purpose so that the turn passes; the other never moves.
        while (!views[busy].over) {
            await clients[busy].until(() => views[busy].over || views[busy].mine, "my turn", 30_000);
            if (views[busy].over) break;
            const open = views[busy].cards.includes("up");
            const card = open ? views[busy].chooseMiss() : views[busy].choose(new Map());
            assert.equal((await clients[busy].answer(clients[busy].flip(views[busy].gameId, card))).type, "move_ok");
        }
        assert.equal(views[busy].result.reason, "abandoned");
        assert.deepEqual(views[busy].result, (await clients[idle].next("game_over"), views[idle].result));
        sameOrder(views[0], views[1], assert);
        await Promise.all(clients.map((client) => client.close()));
    });
});

// A store that was slow may have cost a version: the time that it took is given back, which is a change, but none of the game.
function nothingSince(view, version) {
    assert.deepEqual([...view.byVersion.keys()].filter((one) => one > version), []);
}

describe("moves", { concurrency: 4, timeout: 120_000 }, () => {
    test("the same move again is answered the same and changes nothing", async () => {
        const [me, other] = await Promise.all([enter(1), enter(0)]);
        const [view, theirs] = await Promise.all([me, other].map((client) => client.match({ rows: 4, cols: 7 })));
        const [mover, table, watcher] = view.mine ? [me, view, theirs] : [other, theirs, view];
        const moveId = mover.flip(table.gameId, 5);
        const first = await mover.answer(moveId);
        await mover.until(() => table.faces.has(5), "card_flipped");
        for (let i = 0; i < 3; i++) {
            mover.flip(table.gameId, 5, moveId);
            assert.deepEqual(await mover.answer(moveId), first);
        }
        mover.flip(table.gameId, 6, moveId);
        assert.equal((await mover.answer(moveId)).code, "move_conflict");
        await mover.settle();
        nothingSince(table, first.version);
        mover.send("get_game", { gameId: table.gameId });
        await mover.next("game_state", (message) => message.version >= first.version);
        assert.equal(table.cards.filter((state) => state === "up").length, 1);
        await Promise.all([me, other].map((client) => client.settle()));
        nothingSince(watcher, first.version);
        mover.send("leave_game", { gameId: table.gameId });
        await Promise.all([me, other].map((client) => client.next("game_over")));
        await Promise.all([me, other].map((client) => client.close()));
    });

    test("what the rules forbid is told and changes nothing", async () => {
        const [me, other, stranger] = await Promise.all([enter(0), enter(1), enter(1)]);
        const [view, theirs] = await Promise.all([me, other].map((client) => client.match({ rows: 7, cols: 4 })));
        const [mover, table, waiter] = view.mine ? [me, view, other] : [other, theirs, me];
        const gameId = table.gameId;
        const refused = async (client, card, code) => {
            const moveId = client.flip(gameId, card);
            const answer = await client.answer(moveId);
            assert.deepEqual([answer.type, answer.code, answer.re], ["error", code, moveId]);
        };
        await refused(waiter, 0, "not_your_turn");
        await refused(mover, 28, "illegal_move");
        await refused(stranger, 0, "no_such_game");
        stranger.send("get_game", { gameId });
        const notHis = await stranger.error("no_such_game");
        stranger.send("get_game", { gameId: "g-nothing-of-this-name" });
        assert.equal((await stranger.error("no_such_game")).message, notHis.message, "nobody is told which games there are");
        assert.equal((await mover.answer(mover.flip(gameId, 9))).type, "move_ok");
        await refused(mover, 9, "illegal_move");
        await mover.until(() => table.faces.has(9), "card_flipped");
        // The second card: whatever it is, a third is not to be had.
        const wrong = mover.flip(gameId, 10);
        assert.equal((await mover.answer(wrong)).type, "move_ok");
        await mover.until(() => table.revealing || table.scores.some((score) => score > 0), "the second card");
        if (table.revealing) {
            const third = await mover.answer(mover.flip(gameId, 11));
            assert.ok(third.code === "illegal_move" || (third.code === "not_your_turn" && !table.revealing), third.code); // the latter: so slow that they are shown no more
            await mover.until(() => !table.revealing, "turn_changed");
            await refused(mover, 11, "not_your_turn");
        }
        mover.send("leave_game", { gameId });
        await Promise.all([me, other].map((client) => client.next("game_over")));
        await Promise.all([me, other, stranger].map((client) => client.close()));
    });

    test("get_game is answered with the state as it is", async () => {
        const client = await enter(0);
        const view = await client.match({ rows: 3, cols: 6, bots: "now" });
        await client.until(() => view.mine, "my turn", 60_000);
        const answer = await client.answer(client.flip(view.gameId, view.choose()));
        client.send("get_game", { gameId: view.gameId });
        const state = await client.next("game_state", (message) => message.version >= answer.version);
        assert.equal(state.status, "playing");
        assert.equal(state.cards.filter((card) => card.state === "up").length, 1);
        assert.ok(state.deadlineAtMs > Date.now());
        client.send("leave_game", { gameId: view.gameId });
        await client.next("game_over");
        await client.close();
    });

    test("names with anything in them come through unchanged", async () => {
        const name = "Ünï <b>\"'& 🎲";
        const client = await Client.connect(edges[1].ws, player(someUser("ü🎲"), { name }));
        const view = await client.match({ rows: 2, cols: 8, bots: "now" });
        assert.equal(view.players[view.seat].name, name);
        client.send("leave_game", { gameId: view.gameId });
        await client.next("game_over");
        await client.close();
    });
});
