// SPDX-License-Identifier: Apache-2.0
// What a process that infra/local starts is given of the shell it is started from.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";

const root = path.resolve(import.meta.dirname, "../../../../..");
let state;

describe("process_start", () => {
    before(() => {
        state = mkdtempSync(path.join(os.tmpdir(), "processes-"));
        for (const name of ["log", "run"]) mkdirSync(path.join(state, name));
    });
    after(() => rmSync(state, { recursive: true, force: true }));

    test("which regions `up` takes is no key of an edge's configuration; what is meant for an edge comes through", () => {
        const words = `state=$1; . infra/local/lib/processes.sh; process_start env env; while [ -n "$(process_pid env)" ]; do sleep 0.02; done; echo "$MERIDIAN_REGIONS"`;
        const { status, stdout, stderr } = spawnSync("bash", ["-euc", words, "bash", state], {
            cwd: root, encoding: "utf8", env: { ...process.env, MERIDIAN_REGIONS: "us-east,eu", MERIDIAN_TRACE_PER_MILLION: "1000" },
        });
        assert.equal(status, 0, stderr);
        assert.equal(stdout, "us-east,eu\n");
        const given = readFileSync(path.join(state, "log/env.log"), "utf8").split("\n");
        assert.deepEqual(given.filter((line) => line.startsWith("MERIDIAN_REGIONS=")), []);
        assert.ok(given.includes("MERIDIAN_TRACE_PER_MILLION=1000"));
    });
});
