// SPDX-License-Identifier: Apache-2.0
// The players (tests/load): they come by the port that all edges share, play, and write down what they did and were told.
import { spawn } from "node:child_process";
import { createReadStream, readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";

import { root } from "./footprint.mjs";

export class Players {
    // o: {players, rate, seed, rampS, drainS}
    constructor(o, footprint, out) {
        const build = footprint.binaries ?? path.join(root, "build/release");
        this.journal = path.join(out, "journal.ndjson");
        this.file = path.join(out, "players.json");
        this.child = spawn(path.join(build, "tests/load/meridian-load"), [
            "--endpoints", path.join(footprint.state, "endpoints.json"), "--players", String(o.players), "--rate", String(o.rate), "--ramp", String(o.rampS),
            "--warmup", "1", "--seconds", "7200", "--drain", String(o.drainS), "--seed", String(o.seed), "--cross", "any", "--shared", "--hurry", "--quiet",
            "--journal", this.journal, "--json", this.file], { stdio: ["ignore", "pipe", "pipe"] });
        this.words = "";
        for (const stream of [this.child.stdout, this.child.stderr]) stream.on("data", (data) => (this.words += data));
        process.on("exit", () => this.child.kill("SIGKILL")); // however we end
        this.ended = new Promise((resolve) => this.child.on("close", (code) => resolve((this.code = code ?? 99))));
    }
    // No new games; those under way are played to their end.
    async finish() {
        this.child.kill("SIGINT");
        return this.ended;
    }
    // Hands every line to those who read: objects with line().
    async read(...readers) {
        for await (const line of createInterface({ input: createReadStream(this.journal) })) {
            let said;
            try {
                said = JSON.parse(line);
            } catch {
                continue; // the last line of players that were killed
            }
            for (const reader of readers) reader.line(said);
        }
    }
    get result() {
        return JSON.parse(readFileSync(this.file, "utf8"));
    }
    // What their own judge and their end have to say: [text].
    complaints() {
        if (this.code !== 0 && this.code !== 1) return [`the players did not end well (${this.code}): ${this.words.slice(-500)}`];
        return this.result.faults.texts;
    }
}
