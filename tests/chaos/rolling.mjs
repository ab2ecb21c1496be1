#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Every edge of a region restarted, one after another (infra/local/rolling-restart), while people play: nobody forfeits, nobody gets an error, and the
// gap (from when a move was meant to be made until its move_ok, coming back and repeating included) stays short.
//
//   rolling.mjs [--players N] [--edges N] [--rate N] [--pace N] [--seed N] [--port BASE] [--build DIR] [--out DIR]
//
// (200 players, 3 edges, a rate of half of the players.) --pace: players a second that one edge takes over (100: two cores carry edges, Redis and
// players here; what comes faster than it can be taken waits, and that is the gap).
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";

import { Judge } from "./check.mjs";
import { Figures, quantile, tableText } from "./figures.mjs";
import { Footprint, nowMs, root, sleep } from "./footprint.mjs";
import { goInside } from "./inside.mjs";
import { Players } from "./players.mjs";

const FINISHED = 1; // client.v1.OverReason
const CALM_MS = 5000;

// What a restart may not cost: games given up, and connections that ended in any other way than "come back" or "elsewhere".
class Losses {
    constructor() {
        this.forfeited = new Set();
        this.closes = {};
        this.failed = 0;
        this.reconnects = new Map();
    }
    line(o) {
        const over = o.k === "told" && /^game_over .* reason (\d+)/.exec(o.what);
        if (over && Number(over[1]) !== FINISHED) this.forfeited.add(o.g);
        if (o.k === "down") {
            this.closes[o.code] = (this.closes[o.code] ?? 0) + 1;
            this.reconnects.set(o.p, (this.reconnects.get(o.p) ?? 0) + 1);
        }
        if (o.k === "fail") this.failed++;
    }
}

function restartAll(footprint) {
    return new Promise((resolve) => {
        const child = spawn(path.join(root, "infra/local/rolling-restart"), [], { env: { ...process.env, MERIDIAN_LOCAL: footprint.state }, stdio: ["ignore", "pipe", "pipe"] });
        let words = "";
        for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (words += data));
        child.on("close", (code) => resolve({ code, words }));
    });
}

async function play(o, footprint, out) {
    footprint.up();
    const rampS = Math.max(3, Math.ceil(o.players / 200));
    const players = new Players({ players: o.players, rate: o.rate, seed: o.seed, rampS, drainS: 120 }, footprint, out);
    try {
        await sleep(rampS * 1000 + 3000 + CALM_MS);
        const restart = { kind: "restart", t0: nowMs(), t1: null };
        const { code, words } = await restartAll(footprint);
        restart.t1 = nowMs();
        await sleep(2 * CALM_MS);
        await players.finish();
        await sleep(500);
        const [judge, figures, losses] = [new Judge(), new Figures(), new Losses()];
        await players.read(judge, figures, losses);
        const verdict = judge.verdict({ stored: await footprint.games(), living: await footprint.living() });
        return { restart, code, words, players, verdict, figures, losses };
    } finally {
        players.child.kill("SIGKILL");
    }
}

function tell(o, { restart, code, words, players, verdict, figures, losses }, out) {
    const moves = [...figures.moves.values()].filter((move) => move.due >= restart.t0 && move.due < restart.t1 + 2000);
    const gaps = moves.filter((move) => move.ok !== null).map((move) => move.ok - move.due).sort((a, b) => a - b);
    const gap = Object.fromEntries([["p50", 0.5], ["p99", 0.99], ["p999", 0.999], ["max", 1]].map(([name, q]) => [name, Math.round(quantile(gaps, q) * 10) / 10]));
    // Who loses his connection before find_match was answered asks again, and that may cross the match: by the protocol already_in_game, then the game.
    const { errors: { already_in_game: crossed = 0, ...errors }, counts } = players.result;
    const closes = Object.keys(losses.closes).filter((one) => !["1012", "3007"].includes(one));
    const wrongs = verdict.violations.map((one) => `${one.kind} ${one.game ?? ""}: ${one.text}`).concat(players.complaints());
    if (code !== 0) wrongs.push(`rolling-restart: ${words}`);
    if (losses.forfeited.size) wrongs.push(`${losses.forfeited.size} games forfeited: ${[...losses.forfeited].slice(0, 5)}`);
    if (Object.keys(errors).length) wrongs.push(`errors: ${JSON.stringify(errors)}`);
    if (closes.length) wrongs.push(`connections ended: ${JSON.stringify(losses.closes)}`);
    if (losses.failed) wrongs.push(`${losses.failed} attempts to connect failed`);
    if (moves.length !== gaps.length) wrongs.push(`${moves.length - gaps.length} moves were never answered`);
    const result = { seed: o.seed, players: o.players, edges: o.edges, seconds: (restart.t1 - restart.t0) / 1000, moves: gaps.length, gap, losses: { forfeited: losses.forfeited.size, closes: losses.closes, failed: losses.failed },
        errors, crossed, reconnects: counts.reconnects, replayed: counts.replayed, mostReconnects: Math.max(0, ...losses.reconnects.values()), wrongs };
    console.log(`${tableText(figures.table([restart], nowMs()))}\n`);
    console.log(`${o.edges} edges restarted in ${result.seconds.toFixed(1)} s under ${o.players} players; ${gaps.length} moves in that time: gap p50 ${gap.p50}, p99 ${gap.p99}, p99.9 ${gap.p999}, max ${gap.max} ms`);
    console.log(`${counts.reconnects} came back (${counts.replayed} replayed, ${counts.snapshot_resumes} snapshot, ${counts.gone} gone), nobody more than ${result.mostReconnects} times; closes ${JSON.stringify(losses.closes)}, ${losses.failed} attempts failed, errors ${JSON.stringify(errors)}`);
    for (const text of wrongs.slice(0, 30)) console.log(`  ${text}`);
    console.log(wrongs.length ? `${wrongs.length} WRONG (seed ${o.seed}); what there is to see: ${out}` : `nothing broken (seed ${o.seed})`);
    writeFileSync(path.join(out, "result.json"), `${JSON.stringify(result, null, 1)}\n`);
    return wrongs.length === 0;
}

async function main() {
    const names = ["players", "edges", "rate", "pace", "seed", "port", "build", "out"];
    const { values } = parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: "string" }])) });
    if (goInside()) return;
    const number = (name, otherwise) => Number(values[name] ?? otherwise);
    const o = { players: number("players", 200), edges: number("edges", 3), seed: number("seed", Date.now() % 2 ** 31), port: number("port", 12000) };
    o.rate = number("rate", o.players / 2);
    const out = values.out ? path.resolve(values.out) : mkdtempSync(path.join(os.tmpdir(), "rolling-"));
    mkdirSync(out, { recursive: true });
    const footprint = new Footprint({ state: path.join(out, "s"), port: o.port, edges: o.edges, binaries: values.build && path.resolve(values.build),
        edgeSets: ["handshakes_per_second=2000", "handshakes_burst=4000"], routerSets: [`edge_handshakes_per_second=${number("pace", 100)}`] });
    const leave = () => {
        footprint.down();
        process.exit(130);
    };
    process.on("SIGINT", leave).on("SIGTERM", leave);
    let fine = false;
    try {
        fine = tell(o, await play(o, footprint, out), out);
    } finally {
        footprint.down();
        if (fine && !values.out) rmSync(out, { recursive: true, force: true });
    }
    process.exitCode = fine ? 0 : 1;
}

main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
});
