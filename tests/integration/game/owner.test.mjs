// SPDX-License-Identifier: Apache-2.0
// Live games while what stands under them breaks: their owner dies or hangs, the store loses replicas or a primary. What must hold everywhere: no
// acknowledged move is lost or doubled, both players see the same order, nobody is shown what is not stored, and the game goes on.
// A footprint of its own, because its processes do not survive.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const build = process.env.MERIDIAN_BUILD ?? path.join(root, "build/release");
const base = Number(process.env.MERIDIAN_SPARE_PORT ?? 21350) + 900;
const state = mkdtempSync(path.join(os.tmpdir(), "game-"));
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
process.env.MERIDIAN_STATE = state; // read once, at the import that follows
const { Client } = await import("../outside/client.mjs");
const { metrics, player } = await import("../outside/footprint.mjs");
const { assertMovesStored, play } = await import("../outside/play.mjs");
const { sameOrder } = await import("../outside/view.mjs");

let edges, routers;
function local(command, ...args) {
    const done = spawnSync(path.join(root, "infra/local", command), args, {
        env: { ...process.env, MERIDIAN_LOCAL: state }, encoding: "utf8", timeout: 240_000,
    });
    assert.equal(done.status, 0, done.stdout + done.stderr);
}
// Also starts what is missing.
function up() {
    local("up", "--detach", "--regions", "us-east", "--binaries", build, "--port", String(base));
    ({ edges, routers } = JSON.parse(readFileSync(path.join(state, "endpoints.json"), "utf8")).regions[0]);
}

async function until(what, condition, ms = 30_000) {
    const deadline = Date.now() + ms;
    for (;;) {
        const value = await condition();
        if (value) return value;
        assert.ok(Date.now() < deadline, `not in time: ${what}`);
        await sleep(50);
    }
}

/* --- Redis --- */

const folder = path.join(state, "redis");
const nodePorts = () => readdirSync(folder).filter((name) => /^\d+$/.test(name)).map(Number);
const pidOf = (port) => Number(readFileSync(path.join(folder, String(port), "redis.pid"), "utf8"));
function cli(port, ...args) {
    const env = { ...process.env, REDISCLI_AUTH: readFileSync(path.join(folder, "password"), "utf8").trim() };
    return spawnSync("redis-cli", ["-p", String(port), ...args], { env, encoding: "utf8", timeout: 5_000 }).stdout.trim();
}
const alive = () => nodePorts().find((port) => cli(port, "ping") === "PONG");
function nodes() {
    return cli(alive(), "cluster", "nodes").split("\n").map((line) => {
        const [id, address, flags, primary, , , , , ...slots] = line.split(" ");
        return { id, port: Number(address.split("@")[0].split(":")[1]), primary: primary === "-" ? null : primary, slots, failed: /fail/.test(flags) };
    });
}
function keyOf(id) {
    let h = 0xcbf29ce484222325n;
    for (const byte of Buffer.from(id)) h = ((h ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
    h ^= h >> 32n;
    h ^= h >> 16n;
    return `game:{b${h % 1024n}}:${id}`;
}
function primaryOf(gameId) {
    const slot = Number(cli(alive(), "cluster", "keyslot", keyOf(gameId)));
    return nodes().find((node) => !node.primary && !node.failed && node.slots.some((range) => {
        const [first, last = first] = range.split("-").map(Number);
        return first <= slot && slot <= last;
    }));
}
function restart(port) {
    const log = openSync(path.join(folder, String(port), "redis.log"), "a");
    const child = spawn("redis-server", [path.join(folder, String(port), "redis.conf")], { detached: true, stdio: ["ignore", log, log] });
    child.unref();
    writeFileSync(path.join(folder, String(port), "redis.pid"), `${child.pid}\n`);
}

/* --- a table of two, one at each edge --- */

const ownerOf = (gameId) => {
    const owner = cli(primaryOf(gameId).port, "hget", keyOf(gameId), "o");
    return edges.findIndex((edge) => owner.startsWith(`${edge.id}.`));
};

// Boards differ, so that no test is matched into another's game.
let boards = 0;
async function table() {
    const board = [{ rows: 6, cols: 4 }, { rows: 4, cols: 6 }, { rows: 8, cols: 3 }, { rows: 3, cols: 8 }, { rows: 2, cols: 10 }, { rows: 10, cols: 2 }][boards++];
    const who = [player(), player()];
    const clients = await Promise.all(edges.map((edge, i) => Client.connect(edge.ws, who[i])));
    const views = await Promise.all(clients.map((client) => client.match(board)));
    assert.equal(views[0].gameId, views[1].gameId);
    const owner = ownerOf(views[0].gameId);
    return { who, clients, views, known: new Map(), owner, other: 1 - owner, gameId: views[0].gameId };
}
// Both play until `stop`, and the acknowledged moves of each so far are kept.
async function playOn(t, stop, only = [0, 1]) {
    t.acked ??= [[], []];
    await Promise.all(only.map(async (i) => t.acked[i].push(...(await play(t.clients[i], t.views[i], { known: t.known, stop })))));
}
const someMoves = (n) => (view) => view.faces.size >= n;

// The client whose turn it is, with nothing being revealed: he may move now.
async function whoseTurn(t) {
    await Promise.race(t.clients.map((client) => client.until(() => client.view(t.gameId).mine, "a turn")));
    return t.clients.find((client) => client.view(t.gameId).mine);
}
// Replicas of the game's primary hang meanwhile. One: what is stored lacks its second copy, and as the routers hang, too, it is not taken out while
// this lasts. Both: nobody has a copy, and moves wait as long as it lasts.
async function withoutReplicas(t, count, during) {
    const replicas = await until("both replicas are there", () => {
        const all = nodes().filter((node) => node.primary === primaryOf(t.gameId).id);
        return all.length === 2 && all;
    }, 30_000);
    const hanging = [...(count === 1 ? routers.map(({ pid }) => pid) : []), ...replicas.slice(0, count).map(({ port }) => pidOf(port))];
    for (const pid of hanging) process.kill(pid, "SIGSTOP");
    try {
        await during();
    } finally {
        for (const pid of hanging) process.kill(pid, "SIGCONT");
    }
}

async function finish(t) {
    await playOn(t, () => false);
    for (const [i, view] of t.views.entries()) {
        assert.equal(view.result.reason, "finished");
        assert.deepEqual(view.result, t.views[0].result);
        assertMovesStored({ ...view, byVersion: new Map([...t.views[0].byVersion, ...t.views[1].byVersion]), seat: view.seat }, t.acked[i]);
    }
    sameOrder(t.views[0], t.views[1], assert);
    for (const client of t.clients) client.assertFine();
    await Promise.all(t.clients.map((client) => client.close()));
}

before(up);
beforeEach(up); // what an earlier test killed
after(() => {
    for (const port of nodePorts()) {
        try {
            process.kill(pidOf(port), "SIGCONT");
        } catch {
            // gone
        }
    }
    local("down");
    rmSync(state, { recursive: true, force: true });
});

describe("a game", { timeout: 300_000 }, () => {
    test("goes on at another edge when its owner is killed", async () => {
        const t = await table();
        await playOn(t, someMoves(6));
        const last = t.acked[t.other].at(-1) ?? null;
        process.kill(edges[t.owner].pid, "SIGKILL");
        const killed = Date.now();
        await t.clients[t.owner].closed;
        const view = t.views[t.other];
        // The other player comes back at the edge that is left and finds his seat.
        const old = t.clients[t.owner];
        t.clients[t.owner] = await Client.connect(edges[t.other].ws, { ...t.who[t.owner], views: new Map() });
        await t.clients[t.owner].until(() => t.clients[t.owner].views.get(t.gameId)?.version != null, "the game", 30_000);
        const fresh = t.clients[t.owner].view(t.gameId);
        for (const [version, events] of old.view(t.gameId).byVersion) if (!fresh.byVersion.has(version)) fresh.byVersion.set(version, events);
        t.views[t.owner] = fresh;
        await t.clients[t.other].until(() => !view.paused, "going on", 30_000);
        assert.ok(Date.now() - killed < 30_000, `${Date.now() - killed} ms`);
        if (last) { // the new owner knows the old one's answers
            t.clients[t.other].flip(t.gameId, last.card, last.moveId);
            assert.equal((await t.clients[t.other].answer(last.moveId)).version, last.version);
        }
        await finish(t);
    });

    test("is taken from an owner that hangs, who finds out when he wakes", async () => {
        const t = await table();
        await playOn(t, someMoves(6));
        const frozen = edges[t.owner];
        const lostBefore = (await metrics(frozen.admin))["meridian_edge_games_lost_total"];
        process.kill(frozen.pid, "SIGSTOP");
        try {
            await t.clients[t.other].until(() => t.views[t.other].pauses.includes("link"), "being told");
            await t.clients[t.other].until(() => !t.views[t.other].paused, "going on", 30_000);
        } finally {
            process.kill(frozen.pid, "SIGCONT");
        }
        assert.equal(ownerOf(t.gameId), t.other);
        await until("the old owner is fenced", async () => (await metrics(frozen.admin))["meridian_edge_games_lost_total"] > lostBefore, 60_000);
        // His player never noticed more than a pause: the proxy follows the game to its new owner.
        const theirs = t.views[t.owner];
        await t.clients[t.owner].until(() => !theirs.paused && theirs.version >= t.views[t.other].version, "the game as it is", 30_000);
        await finish(t);
    });

    test("is not spoken for by an owner that slept past his lease", async () => {
        const t = await table();
        await playOn(t, someMoves(4));
        const { pid, admin } = edges[t.owner];
        const [sleeper, waker] = [t.clients[t.owner], t.clients[t.other]];
        const heard = [];
        process.kill(pid, "SIGSTOP");
        const stopped = Date.now();
        try {
            await waker.until(() => t.views[t.other].pauses.includes("link"), "being told");
            await waker.until(() => !t.views[t.other].paused, "going on", 30_000);
            await sleep(Math.max(0, stopped + 12_000 - Date.now()));
        } finally {
            const take = sleeper.take.bind(sleeper);
            sleeper.take = (message) => {
                heard.push(message);
                take(message);
            };
            sleeper.send("get_game", { gameId: t.gameId });
            sleeper.flip(t.gameId, 0, "asleep-1");
            sleeper.flip(t.gameId, 1, "asleep-2");
            process.kill(pid, "SIGCONT");
        }
        const { version } = t.views[t.other];
        await sleeper.next("game_state", (message) => message.version >= version);
        await Promise.all(["asleep-1", "asleep-2"].map((id) => sleeper.answer(id)));
        for (const message of heard.filter((one) => one.gameId === t.gameId && one.type !== "game_paused")) {
            assert.ok(message.type === "matched" || message.version >= version, JSON.stringify(message).slice(0, 200));
        }
        // Every refusal is the new owner's: the moves were judged by the game as it is, not as the sleeper knew it.
        assert.ok(heard.findIndex((one) => one.type === "game_state") < heard.findIndex((one) => one.code === "not_your_turn" || one.code === "illegal_move") ||
            !heard.some((one) => one.code === "not_your_turn" || one.code === "illegal_move"), heard.map((one) => one.code ?? one.type).join());
        await until("the old owner has let go", async () => (await metrics(admin))["meridian_edge_games_lost_total"] > 0);
        await sleeper.until(() => !t.views[t.owner].paused && t.views[t.owner].version >= t.views[t.other].version, "the game as it is", 30_000);
        for (const message of heard.filter((one) => one.type === "move_ok")) {
            t.acked[t.owner].push({ moveId: message.moveId, card: message.moveId === "asleep-1" ? 0 : 1, version: message.version });
        }
        await finish(t);
    });

    test("waits while a replica is gone, and its players are told", async () => {
        const t = await table();
        await playOn(t, someMoves(4));
        const me = await whoseTurn(t);
        const view = me.view(t.gameId);
        const card = view.choose(new Map());
        const moveId = randomUUID();
        const before = t.views.map((one) => one.pauses.length); // a machine under load may have paused it already
        const told = (i) => t.views[i].pauses.slice(before[i]).includes("storage");
        await withoutReplicas(t, 1, async () => {
            me.flip(t.gameId, card, moveId);
            await Promise.all(t.clients.map((client, i) => client.until(() => told(i), "being told")));
        });
        // Not compared with the version before the move: what was stored slowly gives its time back by a change of its own (game_resumed).
        const { version } = await me.answer(moveId);
        for (const [i, one] of t.views.entries()) {
            const shown = one.pausedAt[one.pauses.indexOf("storage", before[i])];
            assert.ok(shown < version, `version ${shown} is shown, ${version} is not stored`);
        }
        await me.until(() => !view.paused && view.version >= version, "going on");
        t.known.set(card, view.faces.get(card));
        await finish(t);
    });

    test("is told try_again when the wait is long, and the same move is then answered", async () => {
        const t = await table();
        const me = await whoseTurn(t);
        const view = me.view(t.gameId);
        const moveId = randomUUID();
        await withoutReplicas(t, 2, async () => {
            me.flip(t.gameId, 1, moveId);
            assert.equal((await me.answer(moveId)).code, "try_again");
        });
        await me.until(() => view.faces.has(1) && !view.paused, "the move after all");
        me.flip(t.gameId, 1, moveId);
        assert.equal((await me.answer(moveId)).type, "move_ok");
        assert.equal(view.cards.filter((card) => card === "up").length, 1);
        await finish(t);
    });

    test("survives the death of the primary that keeps it", async () => {
        const t = await table();
        await playOn(t, someMoves(6));
        const primary = primaryOf(t.gameId);
        process.kill(pidOf(primary.port), "SIGKILL");
        const playing = playOn(t, () => false);
        await until("a replica is promoted", () => ![undefined, primary.port].includes(primaryOf(t.gameId)?.port));
        restart(primary.port); // until it is back, moves wait for the second copy
        await playing;
        await finish(t);
        const all = await Promise.all(edges.map((edge) => metrics(edge.admin)));
        assert.equal(all.reduce((sum, one) => sum + one["meridian_edge_games_frozen_total"], 0), 0);
    });
});
