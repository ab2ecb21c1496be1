// SPDX-License-Identifier: Apache-2.0
// Players who vanish and come back (R14, R20, R21), on a footprint where grace and pause are short: what the others are told, when the game
// stands still, who plays meanwhile, and how a game ends to which nobody comes back.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client } from "../outside/client.mjs";
import { metrics, player, sleep } from "../outside/footprint.mjs";
import { play } from "../outside/play.mjs";
import { Footprint, lives, until } from "../faults/own.mjs";

const GRACE = 3000, PAUSE = 5000;
const base = Number(process.env.MERIDIAN_SPARE_PORT ?? 21350);
const times = ["--edge-set", `seat_grace_ms=${GRACE}`, "--edge-set", `seat_pause_ms=${PAUSE}`];
const SLACK = 2500; // a put, a bus message, a machine that is busy

function footprint(offset, ...more) {
    const print = new Footprint(base + offset);
    const place = { print, edges: [] };
    before(() => {
        print.up(...times, ...more);
        place.edges = print.region.edges;
    }, { timeout: 240_000 });
    after(() => {
        Client.dropAll();
        print.down();
    });
    place.player = (user) => player(user, { dir: print.state });
    place.enter = (one, edge, options = {}) => Client.connect(place.edges[edge].ws, { ...one, ...options });
    // A game that nobody may ask for, because who asks is back: an ended one has no owner in the store.
    place.ended = async (gameId) => {
        await sleep(GRACE + PAUSE);
        await until(`${gameId} is over`, () => print.nodes().filter((node) => node.role === "primary").some(({ port }) => {
            const key = print.redis(port, "--scan", "--pattern", `game:*:${gameId}`);
            return key !== "" && print.redis(port, "hget", key, "o") === "";
        }));
    };
    // Two people in a game: [{user, token, client, view}], each at his edge.
    place.table = async (board, edgesOf = [0, 1], options = [{}, {}]) => {
        const people = [place.player(), place.player()];
        const clients = await Promise.all(people.map((one, i) => place.enter(one, edgesOf[i], options[i])));
        const views = await Promise.all(clients.map((client) => client.match(board)));
        return people.map((one, i) => ({ ...one, client: clients[i], view: views[i], device: clients[i].connected.device }));
    };
    return place;
}

const seatOf = (message, who) => message.seat === who.view.seat;
const stateOf = async (who) => {
    who.client.unread = who.client.unread.filter((message) => message.type !== "game_state"); // earlier ones
    who.client.send("get_game", { gameId: who.view.gameId });
    return who.client.next("game_state");
};
const leave = async (who) => {
    who.client.send("leave_game", { gameId: who.view.gameId });
    await who.client.next("game_over");
};
// Back on the same device with the session, its view goes on.
const back = (place, who, edge) =>
    place.enter(who, edge, { device: who.device, resume: who.client.state, views: who.client.views });

describe("players come and go", { timeout: 400_000, concurrency: 4 }, () => {
    const place = footprint(600);

    test("back within the grace: the others are told both, nothing stands still", async () => {
        const [a, b] = await place.table({ rows: 4, cols: 4 });
        await a.client.drop();
        await b.client.next("player_dropped", (message) => seatOf(message, a));
        const away = await stateOf(b);
        assert.equal(away.seats[a.view.seat].state, "grace");
        assert.equal(away.status, "playing");
        a.client = await back(place, a, 0);
        assert.equal(a.client.connected.resume, "replayed");
        await b.client.next("player_reconnected", (message) => seatOf(message, a));
        assert.equal((await stateOf(b)).seats[a.view.seat].state, "seated");
        await sleep(GRACE + 500); // the timer has gone with him
        assert.equal((await stateOf(b)).status, "playing");
        assert.deepEqual(b.view.pauses.filter((reason) => reason !== "storage"), []); // that is a busy machine's
        await leave(b);
        await Promise.all([a, b].map((who) => who.client.close()));
    });

    test("longer away: the game pauses, moves wait, he comes back at another edge and it goes on where it stood", async () => {
        const [a, b] = await place.table({ rows: 4, cols: 6 });
        const leftMs = b.view.deadlineAtMs - Date.now();
        await a.client.drop();
        const dropped = Date.now();
        const paused = await b.client.next("game_paused");
        assert.ok(Date.now() - dropped > GRACE - 300, "not before the grace is over");
        assert.equal(paused.reason, "player");
        assert.ok(paused.untilMs > PAUSE - SLACK && paused.untilMs <= PAUSE, `${paused.untilMs}`);
        const stands = await stateOf(b);
        assert.equal(stands.status, "paused");
        assert.equal(stands.seats[a.view.seat].state, "paused");
        assert.ok(!("turn" in stands) && !("deadlineAtMs" in stands));
        const refused = await b.client.answer(b.client.flip(b.view.gameId, 0));
        assert.equal(refused.code, "try_again");
        assert.ok(refused.retryAfterMs > 0 && refused.retryAfterMs <= PAUSE);
        await sleep(500);
        a.client = await back(place, a, 1);
        await b.client.next("player_reconnected", (message) => seatOf(message, a));
        const resumed = await b.client.next("game_resumed");
        const left = resumed.deadlineAtMs - Date.now();
        assert.ok(left > leftMs - GRACE - SLACK && left <= leftMs + 500, `${left} ms left of ${leftMs}`);
        await a.client.until(() => a.view.version === b.view.version, "the same version");
        const known = new Map();
        await Promise.all([a, b].map((who) => play(who.client, who.view, { known })));
        assert.equal(b.view.result.reason, "finished");
        await Promise.all([a, b].map((who) => who.client.close()));
    });

    test("after the pause a bot plays, and hands the seat back", async () => {
        const [a, b] = await place.table({ rows: 6, cols: 10 }, [1, 0]);
        await a.client.drop();
        await b.client.next("seat_taken_over", (message) => seatOf(message, a));
        await b.client.next("game_resumed");
        let state = await stateOf(b);
        assert.equal(state.seats[a.view.seat].state, "bot");
        assert.equal(state.status, "playing");
        assert.deepEqual(b.view.players[a.view.seat], { seat: a.view.seat, user: a.user, name: b.view.players[a.view.seat].name, kind: "human" });
        const known = new Map();
        const stop = (view) => [...view.byVersion.values()].flat().filter((event) => event.type === "card_flipped" && seatOf(event, a)).length >= 4;
        await play(b.client, b.view, { known, stop, ms: 60_000 });
        assert.ok(stop(b.view), "the bot has moved");
        a.client = await place.enter(a, 0, { device: "another", views: a.client.views });
        await b.client.next("seat_handed_back", (message) => seatOf(message, a));
        await a.client.until(() => a.view.version === b.view.version, "the same version");
        state = await stateOf(a);
        assert.equal(state.seats[a.view.seat].state, "seated");
        await b.client.until(() => b.view.over || b.view.mine || a.view.mine, "somebody's turn");
        if (a.view.mine) assert.equal((await a.client.answer(a.client.flip(a.view.gameId, a.view.choose(known)))).type, "move_ok");
        await leave(a);
        await Promise.all([a, b].map((who) => who.client.close()));
    });

    test("of two devices on two edges one leaves: nothing is told", async () => {
        const [a, b] = await place.table({ rows: 4, cols: 7 });
        const second = await place.enter(a, 1, { device: "second" });
        await second.next("game_state");
        await sleep(300);
        await a.client.drop();
        await sleep(GRACE + 1000);
        assert.equal((await stateOf(b)).seats[a.view.seat].state, "seated");
        assert.ok(!b.client.unread.some((message) => message.type === "player_dropped"));
        await second.drop();
        await b.client.next("player_dropped", (message) => seatOf(message, a));
        await leave(b);
        await b.client.close();
    });

    test("who is away at a turn's end loses the turn, and not the game by it", async () => {
        const [a, b] = await place.table({ rows: 2, cols: 5 });
        const [away, here] = a.view.mine ? [a, b] : [b, a];
        await away.client.drop();
        await here.client.next("seat_taken_over");
        await play(here.client, here.view);
        assert.equal(here.view.result.reason, "finished");
        await here.client.close();
    });

    test("nobody comes back: the game ends abandoned, and both may play again", async () => {
        const [a, b] = await place.table({ rows: 2, cols: 7 }, [0, 0]);
        const { gameId } = a.view;
        await Promise.all([a, b].map((who) => who.client.drop()));
        await place.ended(gameId);
        const again = await Promise.all([a, b].map((who) => place.enter(who, 1)));
        again[0].send("get_game", { gameId });
        const state = await again[0].next("game_state");
        assert.equal(state.status, "over");
        assert.equal(state.result.reason, "abandoned");
        const views = await Promise.all(again.map((client) => client.match({ rows: 2, cols: 7 })));
        assert.notEqual(views[0].gameId, gameId);
        again[0].send("leave_game", { gameId: views[0].gameId });
        await again[1].next("game_over");
        await Promise.all(again.map((client) => client.close()));
    });

    test("alone against a bot, he does not come back: abandoned", async () => {
        const me = place.player();
        const client = await place.enter(me, 0);
        const view = await client.match({ rows: 2, cols: 8, bots: "now" });
        await client.drop();
        await place.ended(view.gameId);
        const again = await place.enter(me, 1);
        again.send("get_game", { gameId: view.gameId });
        assert.equal((await again.next("game_state")).result.reason, "abandoned");
        await again.close();
    });
});

describe("without bots", { timeout: 400_000 }, () => {
    const place = footprint(600, "--edge-set", "drop_policy=abandon");

    test("after the pause the seat is given up: who stayed has won", async () => {
        const [a, b] = await place.table({ rows: 4, cols: 4 });
        await a.client.drop();
        await b.client.next("game_paused");
        const over = await b.client.next("game_over");
        assert.equal(over.reason, "abandoned");
        assert.deepEqual(over.winners, [b.view.seat]);
        b.view = await b.client.match({ rows: 2, cols: 2, bots: "now" });
        await leave(b); // the next test counts games
        await b.client.close();
    });

    test("the owner is killed while the game stands: another goes on with its deadlines", async () => {
        const people = [];
        let owner;
        for (let tries = 0; owner === undefined; tries++) { // a game whose owner is the edge of him who is away
            assert.ok(tries < 20);
            const [a, b] = await place.table({ rows: 4, cols: 5 }, [0, 1]);
            const [mine] = await Promise.all(place.edges.map(async (edge) => (await metrics(edge.admin)).meridian_edge_games));
            people.push(a, b);
            if (mine > 0) owner = { a, b };
        }
        const { a, b } = owner;
        await a.client.drop();
        await b.client.next("game_paused", (message) => message.reason === "player");
        const { pid } = place.edges[0];
        process.kill(pid, "SIGKILL");
        await until("its end", () => !lives(pid));
        const over = await b.client.next("game_over", undefined, 60_000);
        assert.equal(over.reason, "abandoned");
        assert.deepEqual(over.winners, [b.view.seat]);
        place.print.up();
    });
});
