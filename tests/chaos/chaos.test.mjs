// SPDX-License-Identifier: Apache-2.0
// A short run: players in sixty games, two edges, a router and a Redis primary killed. The long run is run.mjs without --short.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const build = process.env.MERIDIAN_BUILD ?? path.join(here, "../../build/release");

test("edges, a router and a Redis primary die under players, and nothing that was promised is broken", () => {
    const out = mkdtempSync(path.join(os.tmpdir(), "chaos-"));
    const seed = process.env.MERIDIAN_SEED ?? String(Date.now() % 2 ** 31);
    const port = String(Number(process.env.MERIDIAN_SPARE_PORT ?? 18000) + 300);
    const done = spawnSync(path.join(here, "run.mjs"), ["--short", "--seed", seed, "--build", build, "--out", out, "--port", port], { encoding: "utf8", timeout: 400_000 });
    const file = path.join(out, "result.json");
    const result = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
    // What broke stands first: a log that somebody shortens still has it.
    const broken = (result.wrongs ?? []).map(({ kind, game, text }) => `${kind} ${game ?? ""}: ${text}`).join("\n");
    assert.equal(done.status, 0, `seed ${seed}\n${broken}\n${done.stdout}${done.stderr}`);
    assert.equal(result.fine, true);
    assert.deepEqual(result.faults.map((fault) => fault.kind).sort(), ["edge-kill", "edge-kill", "redis-kill", "router-kill"]);
    assert.ok(result.counts.acknowledged > 500, `${result.counts.acknowledged} moves`);
    rmSync(out, { recursive: true, force: true });
});
