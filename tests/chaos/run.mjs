#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Chaos on real processes: `run.mjs --help`, README.md. Order: region up, players in, faults, everything whole again, players finish their games, the
// judge reads what they wrote down and what is stored.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";

import { Judge } from "./check.mjs";
import { Cuts } from "./cut.mjs";
import { Faults, plan } from "./faults.mjs";
import { Figures, tableText } from "./figures.mjs";
import { Footprint, nowMs, sleep } from "./footprint.mjs";
import { goInside, inside } from "./inside.mjs";
import { help, parse } from "./options.mjs";
import { Players } from "./players.mjs";

const RAMP_S = 5;
const CALM_MS = 8000; // before the first fault, and after the last: figures without any
const DRAIN_S = 150;
const FENCES_MS = 2000;

async function watchFences(footprint, faults, fences) {
    const over = new Set();
    for (; !faults.ending; await sleep(FENCES_MS)) {
        const games = await footprint.games({ records: false, skip: over }).catch(() => new Map());
        for (const [gid, game] of games) {
            if (game.over) over.add(gid);
            else fences.push({ gid, ...game });
        }
    }
}

// What edges wrote about taking games over.
function adoptions(state) {
    const all = [];
    for (const file of readdirSync(path.join(state, "log")).filter((name) => /^us-east-\d+\.log$/.test(name))) {
        for (const line of readFileSync(path.join(state, "log", file), "utf8").split("\n")) {
            if (!line.includes('"game.adopt"')) continue;
            const o = JSON.parse(line);
            if (o.epoch !== undefined) all.push({ game: o.game, epoch: o.epoch, edge: o.process });
        }
    }
    return all;
}

async function judge(players, faults, facts) {
    const [check, figures] = [new Judge(), new Figures()];
    await players.read(check, figures);
    const [all, alone] = [{}, { alone: true }].map((which) => figures.table(faults.done, nowMs(), which));
    return { verdict: check.verdict(facts), table: all, alone };
}

async function allReady(footprint) {
    const names = [...footprint.edges, ...footprint.routers];
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(100)) {
        const ready = await footprint.ready(names);
        for (const name of names) if (!footprint.pid(name)) footprint.start(name);
        if (ready.length === names.length) return true;
    }
    return false;
}

async function play(o, footprint, out, say) {
    const withCuts = o.cuts && inside() && spawnSync("nft", ["--version"]).status === 0;
    if (o.cuts && !withCuts) say("no cuts: they need root, network namespaces and nft");
    footprint.up();
    const cuts = new Cuts(footprint.redisPorts);
    if (withCuts) {
        await footprint.giveAddresses();
        cuts.begin();
    }
    const planned = plan(o.seed, {
        edgeKills: o["kills-edge"], edgePauses: o["pauses-edge"], routerKills: o["kills-router"], routerPauses: o["pauses-router"],
        redisFaults: o["redis-faults"], redisKinds: o["redis-kinds"]?.split(","), cuts: withCuts,
    });
    const faults = new Faults(footprint, cuts, planned, { seed: o.seed, say });
    const players = new Players({ players: o.games * 2, rate: o.rate, seed: o.seed + 1, rampS: RAMP_S, drainS: DRAIN_S }, footprint, out);
    const fences = [];
    try {
        await Promise.race([sleep(RAMP_S * 1000 + CALM_MS), players.ended]);
        const watching = [faults.watch(), watchFences(footprint, faults, fences)];
        await Promise.race([o.apart ? faults.apart() : Promise.all([faults.servers(), faults.redis()]), players.ended]);
        if (players.code !== undefined) say(`the players ended too early (${players.code})`);
        const whole = (await allReady(footprint)) && !faults.notWhole;
        say("all faults are over");
        await sleep(CALM_MS);
        faults.ending = true;
        await Promise.all(watching);
        await players.finish();
        await sleep(1000);
        const facts = { stored: await footprint.games(), living: await footprint.living(), fences, adoptions: adoptions(footprint.state) };
        return { ...(await judge(players, faults, facts)), faults, players, whole };
    } finally {
        faults.ending = true;
        if (withCuts) cuts.heal();
        players.child.kill("SIGKILL");
    }
}

// The last words: table, counts, what broke. True when nothing did.
function tell(o, result, out) {
    const { verdict, table, alone, faults, players, whole } = result;
    const wrongs = [...verdict.violations];
    for (const text of players.complaints()) wrongs.push({ kind: "players", game: null, text });
    for (const { name } of faults.diedAlone) wrongs.push({ kind: "ended", game: null, text: `${name} ended by itself` });
    if (!whole) wrongs.push({ kind: "whole", game: null, text: "the region did not become whole again" });
    if (verdict.counts.acknowledged === 0) wrongs.push({ kind: "players", game: null, text: "nothing was played" });
    console.log(`\n${tableText(table)}\n\nof these, what met one kind of fault alone:\n\n${tableText(alone)}\n`);
    console.log(`${verdict.counts.games} games, ${verdict.counts.moves} moves, ${verdict.counts.acknowledged} acknowledged, ${verdict.counts.told} changes and ${verdict.counts.snapshots} snapshots told, ${faults.done.length} faults`);
    for (const { kind, game, text } of wrongs.slice(0, 40)) console.log(`  ${kind}${game ? ` ${game}` : ""}: ${text}`);
    console.log(wrongs.length === 0 ? `nothing broken (seed ${o.seed})` : `${wrongs.length} BROKEN (seed ${o.seed}); what there is to see: ${out}`);
    writeFileSync(path.join(out, "result.json"), `${JSON.stringify({ seed: o.seed, options: o, fine: wrongs.length === 0, wrongs, counts: verdict.counts, table, alone, faults: faults.done }, null, 1)}\n`);
    return wrongs.length === 0;
}

async function main() {
    const args = process.argv.slice(2);
    if (args.includes("--help") || args.includes("-h")) return void process.stdout.write(help);
    const o = parse(args);
    if (goInside()) return undefined;
    const out = o.out ? path.resolve(o.out) : mkdtempSync(path.join(os.tmpdir(), "chaos-"));
    mkdirSync(out, { recursive: true });
    const began = nowMs();
    const say = (text) => o.quiet || console.log(`${((nowMs() - began) / 1000).toFixed(1).padStart(7)} s  ${text}`);
    say(`seed ${o.seed}: ${o.games} games, ${o["kills-edge"] + o["pauses-edge"]} faults of edges, ${o["kills-router"] + o["pauses-router"]} of routers, ${o["redis-faults"]} of Redis`);
    const footprint = new Footprint({ state: path.join(out, "s"), port: o.port, edges: o.edges, binaries: o.build && path.resolve(o.build),
        edgeSets: ["handshakes_per_second=1000", ...o["edge-set"]], routerSets: o["router-set"] });
    const leave = () => {
        footprint.down();
        process.exit(130);
    };
    process.on("SIGINT", leave).on("SIGTERM", leave);
    let fine = false;
    try {
        fine = tell(o, await play(o, footprint, out, say), out);
    } finally {
        footprint.down();
        if (fine && !o.keep && !o.out) rmSync(out, { recursive: true, force: true });
    }
    process.exitCode = fine ? 0 : 1;
    return undefined;
}

main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
});
