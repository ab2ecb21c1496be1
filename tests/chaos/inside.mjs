// SPDX-License-Identifier: Apache-2.0
// A network namespace for the whole run, where that can be had (root): cuts need it, and its ports are nobody else's.
import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";

export const inside = () => Boolean(process.env.MERIDIAN_CHAOS_INSIDE);

// True: the program runs again in a namespace, and this process only waits for it and ends with its exit code.
export function goInside() {
    if (inside()) {
        spawnSync("ip", ["link", "set", "lo", "up"]);
        writeFileSync("/proc/sys/net/ipv4/tcp_migrate_req", "1"); // as on every host: who waits in a dead edge's queue goes to another one's
        return false;
    }
    if (spawnSync("unshare", ["--net", "true"]).status !== 0) return false;
    const child = spawn("unshare", ["--net", process.execPath, ...process.argv.slice(1)], { stdio: "inherit", env: { ...process.env, MERIDIAN_CHAOS_INSIDE: "1" } });
    for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
    child.on("close", (code) => process.exit(code ?? 1));
    return true;
}
