// SPDX-License-Identifier: Apache-2.0
// Every bad input of the tables beside this file against servers that go on serving games: two bystanders play on, one on the edge under
// attack and one across, and must notice nothing. What the same lists say of Redis' replies and of TLS is tested where those are read.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Client } from "../outside/client.mjs";
import { metrics, player, readEndpoints, sleep, stateDir } from "../outside/footprint.mjs";
import { frameRows } from "./frames.mjs";
import { linkRows } from "./links.mjs";
import { requestRows } from "./requests.mjs";
import { textRows } from "./texts.mjs";
import { tokenRows } from "./tokens.mjs";

const AT_ONCE = 8; /* an edge lets one address have 16 connections that are not upgraded yet */
const LONGEST_MOVE_MS = 5000; /* far above what a move takes, also with sanitizers, and far below a pause */

const region = readEndpoints().regions[0];
const [edge, other] = region.edges;
const leads = async ({ admin }) => (await metrics(admin)).meridian_router_leader === 1;
const roles = await Promise.all(region.routers.map(leads)); // now: endpoints.json tells of the start
const leader = region.routers[Math.max(0, roles.indexOf(true))];
const linkPort = Number(/^link_listen: .*:(\d+)"$/m.exec(readFileSync(path.join(stateDir, `config/${leader.id}.yaml`), "utf8"))[1]);
const start = {};
let stop = false;
let bystanders;

// Game after game against each other or a bot until told to stop; each must end as games end.
async function playOn(seats, board) {
    const done = { games: 0, moves: 0, longest: 0 };
    done.begun = new Promise((resolve) => { done.begin = resolve; });
    const clients = await Promise.all(seats.map((where) => Client.connect(where, player())));
    done.view = () => clients[0].playing;
    done.finished = (async () => {
        for (; !stop || done.games === 0; done.games++) {
            const views = await Promise.all(clients.map((client) => client.match({ ...board, bots: seats.length > 1 ? "none" : "now" })));
            clients[0].playing = views[0];
            done.begin();
            const known = new Map();
            await Promise.all(clients.map((client, i) => playOne(client, views[i], known, done)));
            for (const view of views) {
                assert.equal(view.result.reason, "finished");
                assert.deepEqual(view.pauses.filter((reason) => reason !== "storage"), []); // that is a busy machine's
                assert.equal(view.gaps, 0);
                assert.equal(view.states, 1);
            }
            clients.forEach((client) => client.views.clear());
        }
        await Promise.all(clients.map((client) => client.close()));
        return done;
    })();
    done.finished.catch(() => {});
    return done;
}

async function playOne(client, view, known, done) {
    while (!view.over) {
        await client.until(() => view.over || view.mine, "my turn", 60_000);
        if (view.over) return;
        const card = view.choose(known);
        const began = Date.now();
        const answer = await client.answer(client.flip(view.gameId, card));
        assert.equal(answer.type, "move_ok", JSON.stringify(answer));
        done.longest = Math.max(done.longest, Date.now() - began);
        done.moves++;
        await client.until(() => view.version >= answer.version, "the move's events");
        known.set(card, view.faces.get(card));
    }
}

async function connections() {
    return (await metrics(edge.admin)).meridian_edge_connections;
}

before(async () => {
    start.connections = await connections();
    start.processes = [...region.edges, ...region.routers].map((one) => one.pid);
    bystanders = await Promise.all([playOn([edge.ws], { rows: 4, cols: 4 }), playOn([edge.ws, other.ws], { rows: 10, cols: 2 })]);
    for (const one of bystanders) await Promise.race([one.begun, one.finished]);
});

after(() => {
    stop = true;
    Client.dropAll();
});

const ctx = {
    port: Number(new URL(edge.url).port),
    ws: edge.ws,
    admin: edge.admin,
    bus: { path: path.join(stateDir, `run/${edge.id}.sock`) },
    link: { host: "127.0.0.1", port: linkPort },
    game: () => bystanders[1].view().gameId,
    incarnation: async () => {
        const client = await Client.connect(edge.ws, player());
        await client.close();
        return client.connected.session.split(".").slice(0, 2).join(".");
    },
};

async function runAll(rows) {
    const failures = [];
    const left = [...rows];
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        for (let row = left.shift(); row !== undefined; row = left.shift()) {
            let got;
            try {
                got = await row.run();
            } catch (error) {
                got = error.message;
            }
            if (![row.expected].flat().includes(got)) failures.push(`${row.name}: ${got}, expected ${[row.expected].flat().join(" or ")}`);
        }
    }));
    return failures;
}

let inputs = 0;
const tables = { requests: requestRows, frames: frameRows, messages: textRows, tokens: tokenRows, links: linkRows };
for (const [name, rowsOf] of Object.entries(tables)) {
    test(`bad ${name} are refused as they should be`, { timeout: 240_000 }, async (t) => {
        const rows = rowsOf(ctx);
        assert.equal(new Set(rows.map((row) => row.name)).size, rows.length, "names are unique");
        inputs += rows.filter((row) => !row.control).length;
        t.diagnostic(`${rows.length} inputs`);
        const failures = await runAll(rows);
        assert.equal(failures.length, 0, `${failures.length} of ${rows.length}:\n${failures.sort().join("\n")}`);
    });
}

test("the games beside it were not disturbed, and nothing is left", { timeout: 180_000 }, async (t) => {
    stop = true;
    const done = await Promise.all(bystanders.map((one) => one.finished));
    t.diagnostic(`${inputs} hostile inputs in all; beside them ${done.map((one) => `${one.games} games of ${one.moves} moves, slowest ${one.longest} ms`).join("; ")}`);
    assert.ok(inputs >= 150);
    for (const one of done) assert.ok(one.longest < LONGEST_MOVE_MS, `a move took ${one.longest} ms`);
    for (const [i, one] of [...region.edges, ...region.routers].entries()) {
        assert.equal((await fetch(`${one.admin}/readyz`)).status, 200, one.id);
        assert.ok(readFileSync(`/proc/${start.processes[i]}/cmdline`).length > 0, `${one.id} is the process it was`);
    }
    const deadline = Date.now() + 30_000;
    while ((await connections()) > start.connections && Date.now() < deadline) await sleep(100);
    assert.ok((await connections()) <= start.connections, `${await connections()} connections are left of ${start.connections}`);
    const [bus, router] = await Promise.all([metrics(edge.admin), metrics(leader.admin)]);
    assert.ok(bus.meridian_link_bus_hostile_total > 30 && router.meridian_link_router_hostile_total > 30, "bad links were counted");
    assert.ok(router.meridian_router_edges >= region.edges.length);
});
