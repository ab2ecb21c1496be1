// SPDX-License-Identifier: Apache-2.0
// A DNS client for thousands of questions: one UDP socket, A records, with the network of the client they are asked for (RFC 7871).
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";

const A = 1, OPT = 41, ECS = 8;
const WAIT_MS = 1000;

function bytesOf(address) {
    if (!isIPv6(address)) return address.split(".").map(Number);
    const [head, tail = ""] = address.split("::");
    const groups = (text) => text.split(":").filter(Boolean);
    const middle = Array(8 - groups(head).length - groups(tail).length).fill("0");
    return [...groups(head), ...middle, ...groups(tail)].flatMap((one) => [parseInt(one, 16) >> 8, parseInt(one, 16) & 255]);
}

function question(id, name, subnet) {
    const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]);
    const [address, bits] = subnet.split("/");
    const network = bytesOf(address).slice(0, Math.ceil(Number(bits) / 8));
    const ecs = [0, isIPv6(address) ? 2 : 1, Number(bits), 0, ...network];
    const option = [0, ECS, 0, ecs.length, ...ecs];
    return Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, ...labels, 0, 0, A, 0, 1, 0, 0, OPT, 4, 208, 0, 0, 0, 0, 0, option.length, ...option]);
}

/* Addresses of the answer: names in it are pointers or labels, which are passed over alike. */
function addresses(packet) {
    const passName = (at) => {
        for (; packet[at] !== 0; at += packet[at] + 1) if (packet[at] >= 192) return at + 2;
        return at + 1;
    };
    const found = [];
    let at = passName(12) + 4;
    for (let left = packet.readUInt16BE(6); left > 0; left--) {
        at = passName(at);
        const type = packet.readUInt16BE(at), length = packet.readUInt16BE(at + 8);
        if (type === A && length === 4) found.push([...packet.subarray(at + 10, at + 14)].join("."));
        at += 10 + length;
    }
    return found;
}

export class Resolver {
    #socket = createSocket("udp4");
    #waiting = new Map();
    #id = 0;

    /** server: "host:port" */
    constructor(server) {
        [this.host, this.port] = server.split(":");
        this.#socket.on("message", (packet) => {
            const id = packet.readUInt16BE(0);
            this.#waiting.get(id)?.(addresses(packet));
            this.#waiting.delete(id);
        });
    }
    /** Addresses that a client of this network is told; undefined when nobody answers. */
    ask(name, subnet) {
        const id = (this.#id = (this.#id + 1) & 65535);
        return new Promise((resolve) => {
            const timer = setTimeout(() => this.#waiting.delete(id) && resolve(undefined), WAIT_MS);
            this.#waiting.set(id, (found) => (clearTimeout(timer), resolve(found)));
            this.#socket.send(question(id, name, subnet), Number(this.port), this.host);
        });
    }
    /** Of so many answers, how many began with each address: {address: count}; few are under way at a time. */
    async count(name, subnet, queries, atOnce = 50) {
        const counts = {};
        for (let asked = 0; asked < queries; asked += atOnce) {
            const answers = await Promise.all(Array.from({ length: Math.min(atOnce, queries - asked) }, () => this.ask(name, subnet)));
            for (const [first = "none"] of answers.map((one) => one ?? [])) counts[first] = (counts[first] ?? 0) + 1;
        }
        return counts;
    }
    close() {
        this.#socket.close();
    }
}
