// SPDX-License-Identifier: Apache-2.0
// What the servers of a footprint have logged so far.
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";

// Lines that are none of ours, or not whole yet, are left out.
const parsed = (text) => {
    try {
        return [JSON.parse(text)];
    } catch {
        return [];
    }
};

export function logLines(state) {
    const dir = path.join(state, "log");
    return readdirSync(dir).filter((name) => name.endsWith(".log")).flatMap((name) => readFileSync(path.join(dir, name), "utf8").split("\n").flatMap(parsed));
}
