// SPDX-License-Identifier: Apache-2.0
// How a game ended reaches who was not there: his inbox has it when he comes back, at home, wherever the game was. Run by cross.test.mjs.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { until } from "../faults/own.mjs";
import { metrics, player, sleep, someUser } from "../outside/footprint.mjs";

export function results(pair, { connect }) {
    // ann at home in region 0 and bea in region `at`, in one game; the first's measurements choose where it is.
    async function table(at, near) {
        const who = [0, at].map((region) => player(undefined, { dir: pair.prints[region].state }));
        const [ann, bea] = await Promise.all([connect(0, who[0]), connect(at, who[1])]);
        const far = pair.names[1 - pair.names.indexOf(near)];
        const latencyMs = { [near]: 1, [far]: 90 };
        ann.send("find_match", { game: "memory", rows: 2, cols: 3, invite: true, latencyMs });
        const { code } = await ann.next("ticket", (ticket) => ticket.code);
        await sleep(200);
        bea.send("find_match", { game: "memory", code, latencyMs });
        const [view] = await Promise.all([ann.matched(), bea.matched()]);
        return { ann, bea, who, view };
    }
    async function kept() {
        const all = await Promise.all(pair.regions.flatMap(({ edges }) => edges).map(({ admin }) => metrics(admin)));
        return all.reduce((sum, one) => sum + one.meridian_edge_results_kept_total, 0);
    }
    async function away({ ann, bea, view }) {
        const before = await kept();
        await bea.drop();
        await ann.next("player_dropped");
        ann.send("leave_game", { gameId: view.gameId });
        await ann.next("game_over");
        await ann.close();
        await until("it is in her inbox", async () => (await kept()) > before);
    }
    async function heard(at, who, gameId) {
        const back = await connect(at, who);
        const result = await back.next("game_result");
        assert.equal(result.gameId, gameId);
        assert.equal(result.players[result.seat].user, who.user);
        assert.deepEqual([result.reason, result.scores, result.winners], ["resigned", [0, 0], [0, 1]]);
        assert.ok(Math.abs(Date.now() - result.endedAtMs) < 60_000);
        back.send("find_match", { game: "memory", rows: 10, cols: 10 }); // nothing keeps him
        const { ticketId } = await back.next("ticket");
        back.send("cancel_match", { ticketId });
        await back.next("ticket", ({ state }) => state === "cancelled");
        back.send("ack_messages", { seq: result.seq });
        await back.close();
        assert.deepEqual(await resultsFor(at, who), [], "told once");
    }
    // What else is in his inbox: all that comes before something that is written to him now.
    async function resultsFor(at, who) {
        const other = await connect(at, player(someUser(), { dir: pair.prints[at].state }));
        other.send("send_message", { to: who.user, text: "and now?", messageId: randomUUID() });
        await other.next("message_ok");
        await other.close();
        const back = await connect(at, who);
        await back.next("message");
        const found = back.unread.filter(({ type }) => type === "game_result");
        await back.close();
        return found;
    }

    for (const [what, at, near] of [
        ["in his own region", 0, "eu"], ["in a game with another region, at home", 1, "us-east"], ["in a game of another region", 1, "eu"],
    ]) {
        test(`results: who was not there hears how it ended, ${what}`, async () => {
            const game = await table(at, near);
            const host = at === 0 ? /^g-/ : new RegExp(`^${near}\\.g-`);
            assert.match(game.view.gameId, host);
            await away(game);
            await heard(at, game.who[1], game.view.gameId);
        });
    }

    // Whichever comes first: never the end of a game of which he was not shown the state, and never nothing.
    test("results: who comes back in the very moment sees the end or hears of it", async () => {
        for (let round = 0; round < 12; round++) {
            const { ann, bea, who, view } = await table(round % 2, pair.names[round % 3 === 0 ? 0 : 1]);
            await bea.drop();
            await ann.next("player_dropped");
            ann.send("leave_game", { gameId: view.gameId });
            await sleep((round % 6) * 2);
            const back = await connect(round % 2, who[1]);
            const told = (one) => one.gameId === view.gameId && (one.type !== "game_state" || one.result !== undefined);
            await back.next(["game_result", "game_state", "game_over"], told);
            await Promise.all([ann, back].map((client) => client.close()));
        }
    });

    test("results: who sees the end is not told again", async () => {
        const { ann, bea, who, view } = await table(1, "eu");
        ann.send("leave_game", { gameId: view.gameId });
        await Promise.all([ann, bea].map((client) => client.next("game_over")));
        await Promise.all([ann, bea].map((client) => client.close()));
        for (const [at, one] of who.entries()) assert.deepEqual(await resultsFor(at, one), []);
    });
}
