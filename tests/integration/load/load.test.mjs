// SPDX-License-Identifier: Apache-2.0
// A small crowd plays whole games over both edges (tests/load): nothing may break, be lost or be told differently to two players.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const program = path.join(process.env.MERIDIAN_BUILD ?? path.join(root, "build/release"), "tests/load/meridian-load");
const folder = mkdtempSync(path.join(os.tmpdir(), "load"));
after(() => rmSync(folder, { recursive: true, force: true }));

function load(...options) {
    const file = path.join(folder, "result.json");
    const done = spawnSync(program, ["--quiet", "--json", file, ...options], { encoding: "utf8", timeout: 240_000 });
    assert.equal(done.status, 0, done.stdout + done.stderr);
    return JSON.parse(readFileSync(file, "utf8"));
}

function assertNothingBroken(result) {
    assert.equal(result.fine, true);
    assert.deepEqual(result.faults.texts, []);
    assert.deepEqual(result.errors, {});
    assert.equal(result.counts.unanswered, 0);
    assert.equal(result.counts.moves_ok, result.counts.moves);
    assert.equal(result.counts.games_ended, result.counts.games_started);
}

test("two hundred players make a hundred moves a second and every game ends as it should", () => {
    const result = load("--players", "200", "--rate", "100", "--ramp", "2", "--warmup", "2", "--seconds", "10", "--strict");
    assertNothingBroken(result);
    assert.ok(result.counts.games_started >= 100, `${result.counts.games_started} games`);
    assert.ok(result.movesPerSecond > 80, `${result.movesPerSecond} moves/s`); // 100, but for what a busy machine owes when the time is over
    assert.ok(result.counts.matches_same > 10 && result.counts.matches_cross > 10, "games on one edge and across edges");
    assert.equal(result.times.ok_same.count + result.times.ok_cross.count, result.measured.moves);
});

test("players whose connections are cut come back and lose nothing", () => {
    const result = load("--players", "60", "--rate", "30", "--ramp", "1", "--warmup", "1", "--seconds", "8", "--drops", "5", "--encoding", "proto");
    assertNothingBroken(result);
    assert.ok(result.counts.drops > 20, `${result.counts.drops} connections cut`);
    assert.equal(result.counts.reconnects, result.counts.drops);
});
