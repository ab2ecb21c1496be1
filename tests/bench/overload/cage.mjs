// SPDX-License-Identifier: Apache-2.0
// Keeps processes to a share of a core each and gives the rest of the bench the right of way: control groups (version 1 or 2) where this user
// may make some, else cores that busy loops compete for.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";

const PERIOD_US = 20_000; // short, so that the quota is felt as a slow processor and not as pauses; a quota is 1 ms at least

export class Cage {
    constructor(percent) {
        this.loops = [];
        this.made = [];
        try {
            this.groups(percent);
            this.description = `each edge has ${percent} % of a core by a control group's quota`;
        } catch (error) {
            this.close();
            this.pinned(percent);
            this.description = `no control groups here (${error.code ?? error.message}): the edges share their cores with busy loops`;
        }
    }
    groups(percent) {
        const one = "/sys/fs/cgroup/cpu", old = existsSync(`${one}/cpu.shares`);
        this.base = old ? one : "/sys/fs/cgroup";
        const make = (name) => {
            const group = `${this.base}/meridian-overload-${process.pid}-${name}`;
            mkdirSync(group);
            this.made.push(group);
            if (old) writeFileSync(`${group}/cpu.shares`, "16384");
            return group;
        };
        const quota = Math.max(1000, Math.round(PERIOD_US * percent / 100));
        this.cells = ["0", "1"].map((name) => {
            const group = make(name);
            if (old) {
                writeFileSync(`${group}/cpu.cfs_period_us`, String(PERIOD_US));
                writeFileSync(`${group}/cpu.cfs_quota_us`, String(quota));
            } else {
                writeFileSync(`${group}/cpu.max`, `${quota} ${PERIOD_US}`);
            }
            return group;
        });
        writeFileSync(`${make("rest")}/cgroup.procs`, String(process.pid)); // and whatever it starts from here on
    }
    pinned(percent) {
        this.cells = undefined;
        for (const core of ["0", "1"])
            for (let i = 0; i < Math.max(1, Math.round(100 / percent) - 1); i++)
                this.loops.push(spawn("taskset", ["-c", core, "sh", "-c", "while :; do :; done"], { stdio: "ignore" }));
    }
    inside(pid, cell) {
        if (this.cells) writeFileSync(`${this.cells[cell]}/cgroup.procs`, String(pid));
        else execFileSync("taskset", ["-cp", String(cell), String(pid)]);
    }
    close() {
        for (const loop of this.loops.splice(0)) loop.kill();
        if (this.made.length > 0) writeFileSync(`${this.base}/cgroup.procs`, String(process.pid));
        for (const group of this.made.splice(0).reverse()) rmdirSync(group);
    }
}
