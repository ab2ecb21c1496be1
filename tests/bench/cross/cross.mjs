#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// What a game across regions costs above the distance: two regions joined by the emulated wide area, pairs of players with one in each, and beside
// them, in the same run, a TCP echo from the one region's network to the other's. The remote player's move goes there and back, so the echo's round
// trip is its floor; what the other player sees goes one way.
//
//   tests/bench/cross/cross.mjs [--regions A,B] [--pairs N] [--port BASE] [--json FILE]
//
//   --regions A,B   of geo/footprint.yaml (us-east,asia)
//   --pairs N       games at a time (20)
//
// MERIDIAN_BUILD=DIR is the build folder (build/release). Needs root for the network namespaces. Ends with 1 when a game breaks a rule.
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { World, cannot, sleep } from "../../integration/regions/world.mjs";

const { values: options } = parseArgs({
    options: {
        regions: { type: "string", default: "us-east,asia" }, pairs: { type: "string", default: "20" }, port: { type: "string", default: "15600" },
        json: { type: "string" },
    },
});
const names = options.regions.split(","), pairs = Number(options.pairs), ECHO_PORT = 7999, ECHO_MS = 10;
const say = (text) => process.stderr.write(text + "\n");

const quantile = (all, q) => [...all].sort((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * q))];
const spread = (all) => ({ n: all.length, p50: quantile(all, 0.5), p95: quantile(all, 0.95), p99: quantile(all, 0.99) });
const line = (name, { n, p50, p95, p99 }) => say(`${name.padEnd(42)} p50 ${p50.toFixed(2).padStart(7)}  p95 ${p95.toFixed(2).padStart(7)}  p99 ${p99.toFixed(2).padStart(7)} ms  (${n})`);

const echo = `require("net").createServer((s) => { s.setNoDelay(); s.pipe(s); }).listen(${ECHO_PORT}, process.argv[1], () => console.log("up"))`;
const ask = `const s = require("net").connect(${ECHO_PORT}, process.argv[1]); s.setNoDelay();
    s.on("data", (d) => { for (let i = 0; i + 8 <= d.length; i += 8) console.log(performance.now() - d.readDoubleLE(i)); });
    setInterval(() => { const b = Buffer.alloc(8); b.writeDoubleLE(performance.now()); s.write(b); }, ${ECHO_MS});`;

// Plays one game; what each move took, for who sits at home in the game's region and for who does not.
async function game(clients, views, told) {
    const known = new Map(), [view] = views;
    const host = view.gameId.split(".")[0];
    while (!view.over) {
        await Promise.race(clients.map((client, i) => client.until(() => views[i].mine || view.over, "a turn", 30_000)));
        const i = views.findIndex((one) => one.mine);
        if (i < 0) continue;
        const card = views[i].choose(known), at = performance.now();
        const moveId = clients[i].flip(view.gameId, card);
        const other = clients[1 - i].next("card_flipped", (m) => m.gameId === view.gameId && m.card === card).then(() => performance.now() - at);
        const answer = await clients[i].answer(moveId);
        const took = performance.now() - at;
        if (answer.type !== "move_ok") throw new Error(JSON.stringify(answer));
        await clients[i].until(() => views[i].version >= answer.version, "the move's own events");
        known.set(card, views[i].faces.get(card));
        (names[i] === host ? told.home : told.far).push(took);
        (names[i] === host ? told.homeSeen : told.farSeen).push(await other);
    }
}

async function main() {
    const why = cannot();
    if (why) return void say(`not here: ${why}`);
    const world = new World(Number(options.port));
    process.env.MERIDIAN_STATE = world.state; // read once, at the imports that follow
    const told = { home: [], homeSeen: [], far: [], farSeen: [] }, floor = [], problems = [];
    const children = [];
    try {
        world.up(names.join(), "--edges", "1", "--routers", "1");
        const { Client } = await import("../../integration/outside/client.mjs");
        const { player } = await import("../../integration/outside/footprint.mjs");
        const address = world.region(names[1]).address;
        children.push(world.spawn(names[1], process.execPath, "-e", echo, address));
        await once(children[0].stdout, "data");
        children.push(world.spawn(names[0], process.execPath, "-e", ask, address));
        createInterface({ input: children[1].stdout }).on("line", (text) => floor.push(Number(text)));
        const seats = await Promise.all(Array.from({ length: pairs }, () => Promise.all(names.map((name) => Client.connect(world.region(name).play.ws, player())))));
        await Promise.all(seats.map(async (clients, n) => {
            await sleep(n * 100); // each pair finds each other, and their reveals do not coincide
            const board = { rows: 2 + (n % 9), cols: 10 - 2 * (Math.floor(n / 9) % 5) }; // another for each pair, or those at home would meet
            const views = await Promise.all(clients.map((client) => client.match(board, 60_000)));
            await game(clients, views, told);
            problems.push(...views.flatMap((view) => view.problems), ...clients.flatMap((client) => client.problems));
        }));
    } finally {
        children.forEach((child) => child.kill("SIGKILL"));
        world.clean();
    }
    const figures = { regions: names, pairs, floor: spread(floor), ...Object.fromEntries(Object.entries(told).map(([name, all]) => [name, all.length ? spread(all) : null])), problems: problems.length };
    line(`floor: TCP echo, there and back`, figures.floor);
    for (const [name, what, trips] of [["far", "move_ok, player in the other region", 1], ["farSeen", "... seen by who is at home with the game", 0.5], ["homeSeen", "move of who is at home, seen in the other", 0.5], ["home", "move_ok, player at home with the game", 0]]) {
        if (figures[name] === null) continue;
        line(what, figures[name]);
        figures[name].above = { p50: figures[name].p50 - figures.floor.p50 * trips, p99: figures[name].p99 - figures.floor.p99 * trips };
        say(`${"".padEnd(42)} above the distance: p50 ${figures[name].above.p50.toFixed(2)}, p99 ${figures[name].above.p99.toFixed(2)} ms`);
    }
    if (options.json) writeFileSync(options.json, JSON.stringify(figures, null, 2) + "\n");
    problems.slice(0, 5).forEach(say);
    process.exitCode = problems.length > 0 ? 1 : 0;
}

await main();
process.exit();
