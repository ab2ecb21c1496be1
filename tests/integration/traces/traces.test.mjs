// SPDX-License-Identifier: Apache-2.0
// R37: a player's move is one trace through his edge, the owner of the game and Redis; his find_match another, through the matchmaker; and the
// log lines of both say so. Through the routers of two regions: far.mjs, which ../cross runs. MERIDIAN_TRACES_LONG=1 also waits until what nobody takes is given up.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Client } from "../outside/client.mjs";
import { metrics, player } from "../outside/footprint.mjs";
import { Footprint, until } from "../faults/own.mjs";
import { logLines } from "./lines.mjs";
import { BOARD, find, meet, move, turn } from "./moves.mjs";
import { CLIENT, CONSUMER, Receiver, SERVER, ledTo, named, only } from "./receiver.mjs";

const print = new Footprint(Number(process.env.MERIDIAN_SPARE_PORT ?? 15000));
const receiver = new Receiver();

before(async () => {
    await receiver.listen();
    process.env.MERIDIAN_LOG_LEVEL = "debug";
    print.up("--edges", "2", "--routers", "1", "--replicas", "0");
}, { timeout: 240_000 });
after(async () => {
    Client.dropAll();
    print.down();
    if (receiver.server.listening) await receiver.close();
});

const connect = (edge = 0) => Client.connect(print.region.edges[edge].ws, player(undefined, { dir: print.state }));

// They wait for the batches of a second, all of them for the same ones.
describe("traces", { timeout: 400_000, concurrency: true }, () => {
    test("a move between two edges of a region: edge, owner and Redis, one within the other", async () => {
        const people = await meet(await Promise.all([0, 1].map(async (edge) => ({ client: await connect(edge) }))));
        const [here, there] = print.region.edges.map(({ id }) => id);
        for (const one of people) {
            const mover = await turn(people, (who) => who === one);
            const { trace, parent, answer } = await move(mover.client, mover.view);
            assert.equal(answer.type, "move_ok");
            const spans = await receiver.whole(trace, 3);
            const [asked, owner, put] = ["move", "game move", "redis mer1_put"].map((name) => only(spans, name));
            assert.deepEqual([asked.kind, owner.kind, put.kind], [SERVER, CONSUMER, CLIENT]);
            assert.deepEqual([asked.parent, owner.parent, put.parent], [parent, asked.id, owner.id]);
            assert.deepEqual(spans.map((span) => span.error), [undefined, undefined, undefined]);
            assert.deepEqual(spans.map((span) => span["meridian.game"]), spans.map(() => mover.view.gameId));
            assert.deepEqual(spans.map(({ resource }) => `${resource["service.name"]} ${resource["cloud.region"]}`), spans.map(() => "meridian-edge us-east"));
            assert.equal(put["db.system.name"], "redis");
            assert.ok(asked.resource["service.instance.id"].startsWith(`${one === people[0] ? here : there}.`));
            assert.equal(owner.resource["service.instance.id"], put.resource["service.instance.id"]);
            assert.ok(owner.start <= put.start && put.end <= owner.end, "the store's part lies within the owner's: one clock");
            if (asked.resource["service.instance.id"] === owner.resource["service.instance.id"]) assert.ok(asked.start <= owner.start && owner.end <= asked.end);
        }
        const ours = named(receiver.spans, "game move").filter((span) => span["meridian.game"] === people[0].view.gameId);
        const owners = new Set(ours.map(({ resource }) => resource["service.instance.id"]));
        assert.equal(owners.size, 1);
        for (const { client } of people) await client.close();
    });

    test("a ticket between two edges: from find_match through the matchmaker to the game in Redis, each player's in his own trace", async () => {
        const people = await Promise.all([0, 1].map(async (edge) => ({ client: await connect(edge) })));
        for (const one of people) Object.assign(one, find(one.client, { rows: 10, cols: 8 }));
        for (const one of people) one.view = await one.client.matched();
        const gameId = people[0].view.gameId, owners = new Set();
        for (const [at, { trace, parent }] of people.entries()) {
            const spans = await receiver.whole(trace, 5, ledTo(gameId));
            const [asked, match, seat, born, put] = ["find_match", "match", "seat_offer", "create game", "redis mer1_create"].map((name) => only(spans, name));
            assert.deepEqual([asked, match, seat, born, put].map(({ kind }) => kind), [SERVER, CONSUMER, CONSUMER, CONSUMER, CLIENT]);
            assert.deepEqual([asked, match, seat, born, put].map((span) => span.parent), [parent, asked.id, match.id, match.id, born.id]);
            assert.deepEqual(spans.map((span) => [span["meridian.game"], span.error]), spans.map(() => [gameId, undefined]));
            assert.deepEqual([asked, match].map((span) => span["meridian.outcome"]), ["matched", "matched"]);
            assert.match(match["meridian.waited_ms"], /^\d+$/);
            assert.ok(Number(match["meridian.rating_window"]) > 0);
            assert.equal(match.resource["service.name"], "meridian-router");
            for (const span of [asked, seat]) assert.ok(span.resource["service.instance.id"].startsWith(`${print.region.edges[at].id}.`));
            assert.ok(asked.start <= seat.start && seat.end <= asked.end, "one clock");
            owners.add(born.resource["service.instance.id"]).add(put.resource["service.instance.id"]);
        }
        assert.equal(owners.size, 1);
        for (const { client } of people) await client.close();
    });

    test("a ticket that is cancelled says so", async () => {
        const client = await connect();
        const { trace } = find(client, { rows: 10, cols: 6 });
        const { ticketId } = await client.next("ticket");
        client.send("cancel_match", { ticketId });
        const spans = await receiver.whole(trace, 2);
        assert.deepEqual(["find_match", "match"].map((name) => only(spans, name)["meridian.outcome"]), ["cancelled", "cancelled"]);
        await client.close();
    });

    test("a line that is logged while a move is handled has the move's trace: the game's end, once Redis has it", async () => {
        const people = await meet(await Promise.all([0, 1].map(async (edge) => ({ client: await connect(edge) }))), { game: "memory", rows: 2, cols: 2 });
        const moves = [];
        const seen = (condition) => people.map(({ client, view }) => client.until(() => condition(view), "the next turn", 60_000));
        for (;;) {
            await Promise.race(seen((view) => view.mine || view.over));
            const mover = people.find(({ view }) => view.mine);
            if (!mover) break;
            const done = await move(mover.client, mover.view);
            moves.push(done);
            if (done.answer.type === "move_ok") await Promise.all(seen((view) => view.version >= done.answer.version));
        }
        const last = () => logLines(print.state).find((line) => line.event === "game.end" && line.game === people[0].view.gameId);
        await until("the line of its end", last, 60_000);
        const end = last();
        const traced = moves.find(({ trace }) => trace === end.trace_id);
        assert.ok(traced, `${end.trace_id} is no move's`);
        const spans = await receiver.whole(end.trace_id, 3);
        assert.equal(end.span_id, only(spans, "game move").id);
        assert.equal(only(spans, "redis mer1_end").parent, end.span_id);
        const others = logLines(print.state).filter((line) => ["process.state", "router.ready"].includes(line.event));
        assert.ok(others.length > 0);
        assert.deepEqual(others.filter((line) => "trace_id" in line || "span_id" in line), []);
        for (const { client } of people) await client.close();
    });

    test("what is refused says why, and asks Redis nothing; without a trace of the player's, one begins at the edge", async () => {
        const client = await connect();
        const view = await client.match({ ...BOARD, bots: "now" });
        const { trace, answer } = await move(client, view, 777);
        assert.equal(answer.type, "error");
        const spans = await receiver.whole(trace, 2);
        for (const name of ["move", "game move"]) assert.equal(only(spans, name).error, answer.message);
        const other = await move(client, view, 778, { traceparent: "00-what-is-this" });
        client.send("get_game", { gameId: view.gameId });
        await client.next("game_state");
        assert.equal(receiver.of(other.trace).length, 0);
        const roots = () => receiver.spans.filter((span) => span.parent === undefined && span["meridian.game"] === view.gameId);
        await until("three traces that begin at the edge", () => roots().length === 3, 60_000);
        assert.deepEqual(roots().map(({ name }) => name).sort(), ["find_match", "get_game", "move"]);
        await client.close();
    });
});

describe("no receiver", { timeout: 400_000 }, () => {
    test("without a receiver the game goes on, and what is lost is counted", async () => {
        assert.deepEqual(receiver.wrong, []);
        const [edge] = print.region.edges;
        const failed = async () => (await metrics(edge.admin))['meridian_trace_exports_total{result="failed"}'];
        const before = await metrics(edge.admin);
        assert.ok(before['meridian_trace_spans_total{result="sent"}'] > 0);
        assert.equal(before['meridian_trace_spans_total{result="dropped"}'], 0);
        assert.equal(before['meridian_trace_exports_total{result="failed"}'], 0);
        await receiver.close();
        const client = await connect();
        const view = await client.match({ ...BOARD, bots: "now" });
        for (let again = 0; again < 2; again++) {
            await client.until(() => view.mine, "a turn", 60_000);
            const { answer } = await move(client, view);
            assert.ok(answer.type === "move_ok" || answer.code === "illegal_move", JSON.stringify(answer)); // late, when the machine is busy
            await until("the failure is counted", failed, 60_000);
        }
        if (process.env.MERIDIAN_TRACES_LONG)
            await until("the spans are counted as lost", async () => (await metrics(edge.admin))['meridian_trace_spans_total{result="dropped"}'] > 0, 60_000);
        await client.close();
    });
});
