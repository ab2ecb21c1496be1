// SPDX-License-Identifier: Apache-2.0
// Cuts between Redis nodes, and between them and everybody else, by dropping packets (nftables) inside this run's network namespace.
//
// A node is reached at its port and its bus port (+10000) and speaks from 127.0.2.N, N from 1 in the order of ports; edges, routers and this
// program speak from other addresses: they are "clients".
import { spawnSync } from "node:child_process";

function nft(script) {
    const done = spawnSync("nft", ["-f", "-"], { input: script, encoding: "utf8" });
    if (done.status !== 0) throw new Error(`nft: ${done.stderr}\n${script}`);
}

export class Cuts {
    constructor(ports) {
        this.ports = ports;
    }
    begin() {
        nft("add table ip chaos\nadd chain ip chaos input { type filter hook input priority 0; }\n");
    }
    #address(port) {
        return `127.0.2.${this.ports.indexOf(port) + 1}`;
    }
    // What `from` sends to `to` is lost; the rules see requests on its own connections and answers on the other's.
    #oneWay(from, to) {
        return [`ip saddr ${this.#address(from)} tcp dport { ${to}, ${to + 10000} } drop`, `ip daddr ${this.#address(to)} tcp sport { ${from}, ${from + 10000} } drop`];
    }
    // side: ports cut from all other nodes. direction: both, in (nothing reaches the side), out (nothing leaves it).
    // clients: false = they stay with the side and reach it; true = they are with the others and do not.
    cut(side, { direction = "both", clients = false } = {}) {
        const rules = [];
        for (const inner of side) {
            for (const outer of this.ports.filter((port) => !side.includes(port))) {
                if (direction !== "in") rules.push(...this.#oneWay(inner, outer));
                if (direction !== "out") rules.push(...this.#oneWay(outer, inner));
            }
            if (clients && direction !== "out") rules.push(`ip saddr != 127.0.2.0/24 tcp dport ${inner} drop`);
            if (clients && direction !== "in") rules.push(`ip daddr != 127.0.2.0/24 tcp sport ${inner} drop`);
        }
        nft(rules.map((rule) => `add rule ip chaos input ${rule}\n`).join(""));
    }
    heal() {
        nft("flush chain ip chaos input\n");
    }
}
