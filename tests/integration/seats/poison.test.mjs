// SPDX-License-Identifier: Apache-2.0
// A move that brings down whoever applies it (reliability F4). The edges are the product's; a preloaded library makes the packing of a
// record fail hard when a certain moveId is in it, inside the core's step, as a bug in the rules would. The client, as it must, sends its
// unanswered move again; after three dead owners the game is set aside and everything else goes on.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { Client } from "../outside/client.mjs";
import { player, sleep } from "../outside/footprint.mjs";
import { play } from "../outside/play.mjs";
import { Footprint, lives, until } from "../faults/own.mjs";

const POISON = "poison-1";
const source = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <protobuf-c/protobuf-c.h>
#include <stdlib.h>
#include <string.h>
size_t protobuf_c_message_pack(const ProtobufCMessage *m, uint8_t *out)
{
    size_t (*real)(const ProtobufCMessage *, uint8_t *) = (size_t (*)(const ProtobufCMessage *, uint8_t *))dlsym(RTLD_NEXT, "protobuf_c_message_pack");
    size_t len = real(m, out);
    if (strcmp(m->descriptor->name, "meridian.state.v1.GameRecord") == 0 && memmem(out, len, "${POISON}", ${POISON.length}))
        abort();
    return len;
}
`;

const print = new Footprint(Number(process.env.MERIDIAN_SPARE_PORT ?? 21350) + 300);
const work = mkdtempSync(path.join(os.tmpdir(), "poison"));
let edges;

function up() {
    const kept = process.env.ASAN_OPTIONS;
    Object.assign(process.env, { LD_PRELOAD: path.join(work, "poison.so"), ASAN_OPTIONS: `${kept ?? ""}:verify_asan_link_order=0` });
    print.up("--edges", "3");
    delete process.env.LD_PRELOAD;
    if (kept === undefined) delete process.env.ASAN_OPTIONS;
    else process.env.ASAN_OPTIONS = kept;
    edges = print.region.edges;
}

before(() => {
    writeFileSync(path.join(work, "poison.c"), source);
    const built = spawnSync("cc", ["-shared", "-fPIC", "-o", path.join(work, "poison.so"), path.join(work, "poison.c"), "-ldl"], { encoding: "utf8" });
    assert.equal(built.status, 0, built.stderr);
    up();
}, { timeout: 240_000 });
after(() => {
    Client.dropAll();
    print.down();
    rmSync(work, { recursive: true, force: true });
});

const log = (edge) => readFileSync(path.join(print.state, `log/${edge.id}.log`), "utf8");
const dead = () => edges.filter((edge) => !lives(edge.pid));

describe("a game that brings down its edges", { timeout: 400_000 }, () => {
    test("is set aside after three of them, and its players are free", async (t) => {
        const people = [0, 1].map(() => player(undefined, { dir: print.state }));
        const clients = await Promise.all(people.map((one, i) => Client.connect(edges[i].ws, { ...one, device: "d" })));
        const views = await Promise.all(clients.map((client) => client.match({ rows: 4, cols: 4 })));
        const { gameId } = views[0];
        const mover = views[0].mine ? 0 : 1;
        let crashes = 0;
        // Who watched the game all the time is told game_over; who had to come back is answered so.
        const refused = () => clients.some((client) => client.unread.some((message) => message.type === "error" && message.code === "game_over"));
        // Both come back wherever an edge is, and the mover says his move again until he has an answer or the game is over.
        for (const deadline = Date.now() + 180_000; !views.some((view) => view.over) && !refused(); ) {
            assert.ok(Date.now() < deadline, `after ${crashes} crashes the game is not over`);
            for (const i of [0, 1]) {
                if (!clients[i].end) continue;
                const edge = edges.find((one) => lives(one.pid)) ?? edges[0];
                clients[i] = new Client(edge.ws, { ...people[i], device: "d", views: clients[i].views });
                clients[i].begin().catch(() => {}); // an edge that dies meanwhile
            }
            if (clients[mover].socket.readyState === 1 && clients[mover].connected) clients[mover].flip(gameId, 0, POISON);
            await sleep(500);
            if (dead().length === 0) continue;
            crashes += dead().length;
            up(); // what a supervisor does
        }
        t.diagnostic(`${crashes} crashes`);
        for (const view of views.filter((one) => one.over)) {
            assert.equal(view.result.reason, "abandoned");
            assert.deepEqual(view.result.scores, [0, 0]);
        }
        assert.ok(crashes >= 3 && crashes <= 5, `${crashes} crashes`); // one may be under way when the third is told
        const logs = edges.map(log).join("");
        assert.ok(logs.includes('"game.set_aside"') && logs.includes('"game.blame"'));
        await sleep(3000);
        assert.equal(dead().length, 0, "it hurts nobody any more");
        for (const client of clients) if (!client.end) await client.drop();

        // The record is kept for who looks into it, with the incarnations it brought down.
        const { port } = print.nodes().find((node) => node.role === "primary" && print.redis(node.port, "--scan", "--pattern", `game:*:${gameId}`));
        const key = print.redis(port, "--scan", "--pattern", `game:*:${gameId}`);
        assert.equal(print.redis(port, "hget", key, "q"), "1");
        const blamed = print.redis(port, "hget", key, "b").split(" ").length;
        assert.ok(blamed >= 3 && blamed <= crashes, `${blamed} of ${crashes}`);
        assert.ok(Number(print.redis(port, "pttl", key)) > 6 * 24 * 3600_000);
        assert.ok(print.redis(port, "hget", key, "r").length > 0);

        const again = await Promise.all(people.map((one, i) => Client.connect(edges[i].ws, { ...one, device: "d" })));
        again[0].send("get_game", { gameId });
        await again[0].error("game_over");
        const next = await Promise.all(again.map((client) => client.match({ rows: 4, cols: 4 })));
        assert.notEqual(next[0].gameId, gameId);
        const known = new Map();
        await Promise.all(next.map((view, i) => play(again[i], view, { known })));
        await Promise.all(again.map((client) => client.close()));
        await until("nobody died of it", () => dead().length === 0);
    });
});
