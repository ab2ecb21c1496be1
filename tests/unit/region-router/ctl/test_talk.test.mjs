// SPDX-License-Identifier: Apache-2.0
// meridianctl and somebody who hangs up at once, as a router does that ends: the next one is asked, and it is said that nobody was there.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";

const root = path.resolve(import.meta.dirname, "../../../..");
const program = path.join(process.env.MERIDIAN_BUILD ?? path.join(root, "build/test"), "region-router/meridianctl");
const MANY = 12; // whether he is gone when the first word is written is chance
let dir, server, address;

describe("meridianctl", () => {
    before(async () => {
        dir = mkdtempSync(path.join(os.tmpdir(), "ctl-"));
        address = `unix:${path.join(dir, "router.sock")}`;
        server = createServer((socket) => { socket.on("error", () => {}); socket.destroy(); });
        server.listen(address.slice(5));
        await once(server, "listening");
    });
    after(() => {
        server.close();
        rmSync(dir, { recursive: true, force: true });
    });

    test("a router that hangs up while it is asked is nobody, and no end of ours", async () => {
        const ends = await Promise.all(Array.from({ length: MANY }, async () => {
            const child = spawn(program, ["--router", address, "--timeout", "1", "edges"], { stdio: "ignore" });
            return (await once(child, "close")).join();
        }));
        assert.deepEqual(ends, Array(MANY).fill("3,")); // code 3, no signal
    });
});
