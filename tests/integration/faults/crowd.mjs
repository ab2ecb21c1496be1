// SPDX-License-Identifier: Apache-2.0
// Many players who go on whatever happens: they come back to another edge, repeat a move under its id, wait when told to; and a judge of
// what all of them were told.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Client } from "../outside/client.mjs";
import { player, sleep } from "../outside/footprint.mjs";
import { sameOrder } from "../outside/view.mjs";

const PATIENCE_MS = 60_000; /* an answer or a turn that takes longer is lost */

class Stubborn {
    constructor({ edges, at, board, dir }) {
        Object.assign(this, { edges, at, board });
        this.who = { ...player(undefined, { dir }), device: "only" };
        this.views = new Map();
        this.acked = [];
        this.told = { reconnects: 0, tryAgain: 0, refused: [], slowest: 0 };
        this.problems = [];
    }

    async run() {
        while (!this.view?.over) {
            try {
                await this.connect();
                await this.session();
            } catch (error) {
                if (!this.client.end) throw error; // not the connection's fault
                this.told.reconnects++;
                this.view?.cut();
                this.at++;
                await sleep(100 + Math.random() * 400);
            } finally {
                this.problems.push(...(this.client?.problems ?? []));
            }
        }
        await this.client.close();
    }

    async connect() {
        const resume = this.client?.connected && this.client.offset !== undefined ? this.client.state : undefined;
        this.client = new Client(this.edges[this.at % this.edges.length], { ...this.who, views: this.views, resume });
        await this.client.begin();
    }

    async session() {
        const { client } = this;
        if (!this.view) {
            client.send("find_match", { game: "memory", ...this.board });
            const { gameId } = await client.next("matched", undefined, PATIENCE_MS);
            this.view = client.view(gameId);
        } else {
            // It may have ended while we were away; then nothing would come by itself.
            const { states } = this.view;
            client.send("get_game", { gameId: this.view.gameId });
            await client.until(() => this.view.states > states, "game_state", PATIENCE_MS);
        }
        await client.until(() => this.view.version !== null, "the first game_state", PATIENCE_MS);
        while (!this.view.over) await this.turn(client, this.view);
    }

    async turn(client, view) {
        await client.until(() => view.over || view.mine || this.pending, "my turn", PATIENCE_MS);
        if (view.over) return;
        const again = this.pending !== undefined;
        this.pending ??= { moveId: randomUUID(), card: view.choose(), since: Date.now() };
        const { moveId, card, since } = this.pending;
        client.flip(view.gameId, card, moveId);
        const answer = await client.answer(moveId, PATIENCE_MS);
        if (answer.type === "move_ok") {
            this.told.slowest = Math.max(this.told.slowest, Date.now() - since);
            this.acked.push({ moveId, card, version: answer.version });
            this.pending = undefined;
            await client.until(() => view.over || view.version >= answer.version, "the move's own events", PATIENCE_MS);
        } else if (["try_again", "overloaded", "rate_limited"].includes(answer.code)) {
            this.told.tryAgain++;
            await sleep(answer.retryAfterMs ?? 500);
        } else {
            // A repeated move may come too late; one that was never sent before may not.
            if (!again) this.told.refused.push(`${answer.code} in version ${view.version}`);
            this.pending = undefined;
        }
    }
}

export class Crowd {
    // games * 2 players, one half of them at each edge.
    constructor({ edges, games, board, dir }) {
        this.players = Array.from({ length: games * 2 }, (_, at) => new Stubborn({ edges, at, board, dir }));
        this.finished = Promise.all(this.players.map((one) => one.run()));
        this.finished.catch(() => {});
    }

    get games() {
        return [...new Set(this.players.map((one) => one.view?.gameId))].filter(Boolean);
    }
    acked() {
        return this.players.reduce((sum, one) => sum + one.acked.length, 0);
    }
    // Until this many moves were acknowledged from now on, or all games are over.
    async moves(count, ms = 30_000) {
        const goal = this.acked() + count;
        for (const deadline = Date.now() + ms; this.acked() < goal && this.players.some((one) => !one.view?.over); await sleep(20)) {
            assert.ok(Date.now() < deadline, `only ${this.acked()} of ${goal} moves were acknowledged in time`);
            await Promise.race([this.finished, sleep(0)]);
        }
    }

    // All games end; nothing is lost, doubled, out of order. Returns what players were told.
    async judge() {
        await this.finished;
        const tables = new Map();
        for (const one of this.players) tables.set(one.view.gameId, [...(tables.get(one.view.gameId) ?? []), one]);
        for (const [gameId, [a, b, ...more]] of tables) {
            assert.equal(more.length, 0);
            assert.deepEqual([...a.problems, ...b.problems, ...a.view.problems, ...b.view.problems], []);
            assert.equal(a.view.result.reason, "finished", gameId);
            assert.deepEqual(a.view.result, b.view.result);
            sameOrder(a.view, b.view, assert);
            const versions = [...a.acked, ...b.acked].map((move) => move.version);
            assert.equal(new Set(versions).size, versions.length, `two moves of ${gameId} have one version`);
            for (const one of [a, b]) for (const move of one.acked) this.assertKept(move, one.view.seat, [a.view, b.view]);
        }
        const told = this.players.map((one) => one.told);
        const sum = (name) => told.reduce((total, one) => total + one[name], 0);
        return {
            games: tables.size, moves: this.acked(), reconnects: sum("reconnects"), tryAgain: sum("tryAgain"),
            refused: told.flatMap((one) => one.refused), slowestMs: Math.max(...told.map((one) => one.slowest)),
            pauses: this.players.reduce((total, one) => total + one.view.pauses.length, 0),
            slowStore: this.players.reduce((total, one) => total + one.view.pauses.filter((reason) => reason === "storage").length, 0),
        };
    }
    assertKept({ card, version }, seat, views) {
        for (const view of views) {
            const events = view.cuts.has(version) ? undefined : view.byVersion.get(version);
            if (!events) continue; // he was away
            const flips = events.filter((event) => event.type === "card_flipped" && event.seat === seat).map((event) => event.card);
            assert.deepEqual(flips, [card], `the acknowledged move of version ${version} of ${view.gameId}`);
        }
    }
}
