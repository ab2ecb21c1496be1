// SPDX-License-Identifier: Apache-2.0
// An edge behind balancers (R33): their connections begin with a PROXY v2 header, and what it announces is the player's address, for the
// throttle too. Connections come from addresses of 127.0.0.0/8, of which 127.0.2.0/24 are the balancers'.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Footprint } from "../faults/own.mjs";
import { requestHead, upgradeHead, Wire } from "../hostile/raw.mjs";
import { metrics } from "../outside/footprint.mjs";

const CONNECTIONS = 4;
const print = new Footprint(Number(process.env.MERIDIAN_SPARE_PORT ?? 21350) + 600);
const open = [];
let edge, port;

before(() => {
    print.up("--edges", "1", "--replicas", "0", "--edge-set", "balancers=127.0.2.0/24", "--edge-set", `connections_per_address=${CONNECTIONS}`,
        "--edge-set", "handshakes_per_second=1000", "--edge-set", "handshakes_burst=1000");
    [edge] = print.region.edges;
    port = Number(new URL(edge.url).port);
}, { timeout: 240_000 });
after(() => {
    for (const wire of open) wire.end();
    print.down();
});

const SIGNATURE = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const bytes16 = (n) => Buffer.from([n >> 8, n & 255]);
const octets = (ip) => Buffer.from(ip.split(".").map(Number));
const groups = (ip) => Buffer.concat(ip.split(":").map((group) => bytes16(parseInt(group, 16))));

// version and command, family, and the rest with its length before it.
function header({ command = 0x21, family = 0x11, rest = Buffer.alloc(0), signature = SIGNATURE }) {
    return Buffer.concat([signature, Buffer.from([command, family]), bytes16(rest.length), rest]);
}
const v4 = (ip, tlvs = Buffer.alloc(0)) => header({ rest: Buffer.concat([octets(ip), octets("10.0.0.1"), bytes16(40000), bytes16(443), tlvs]) });
const v6 = (ip) => header({ family: 0x21, rest: Buffer.concat([groups(ip), groups("fd00:0:0:0:0:0:0:1"), bytes16(40000), bytes16(443)]) });
const local = header({ command: 0x20, family: 0x00 });

async function connect(from, ...parts) {
    const wire = new Wire({ host: "127.0.0.1", port, localAddress: from });
    open.push(wire);
    await wire.ready;
    wire.send(...parts);
    return wire;
}
// The status of the first answer; "closed" when there is none.
async function status(wire) {
    const line = await wire.look(() => /^HTTP\/1\.1 (\d{3}) [^]*\r\n\r\n/.exec(wire.in.toString("latin1"))?.[1], 30_000);
    return line ?? (wire.over ? "closed" : "nothing");
}
const ping = requestHead("GET /v1/ping HTTP/1.1");
const asked = async (from, ...parts) => status(await connect(from, ...parts));
const refused = async (cause) => (await metrics(edge.admin))[`meridian_edge_connections_refused_total{cause="${cause}"}`];

describe("a connection of a balancer", { timeout: 120_000 }, () => {
    test("is served after a good header: IPv4, IPv6, with TLVs, LOCAL, and in pieces", async () => {
        assert.equal(await asked("127.0.2.1", v4("203.0.113.1"), ping), "204");
        assert.equal(await asked("127.0.2.2", v6("2001:db8:0:1:0:0:0:1"), ping), "204");
        assert.equal(await asked("127.0.2.3", v4("203.0.113.2", Buffer.from([0x04, 0, 3, 1, 2, 3])), ping), "204");
        assert.equal(await asked("127.0.2.4", local, ping), "204");
        const wire = await connect("127.0.2.5");
        for (const byte of v4("203.0.113.3")) {
            wire.send(Buffer.from([byte]));
            await new Promise((resolve) => setTimeout(resolve, 2));
        }
        wire.send(ping);
        assert.equal(await status(wire), "204");
    });

    test("is closed without an answer when its header is not good, or is none", async () => {
        const before = await refused("proxy");
        const bad = [
            ping,
            header({ signature: Buffer.from("PROXY TCP4 1") }),
            header({ command: 0x31, rest: Buffer.alloc(12) }), // version 3
            header({ command: 0x22, rest: Buffer.alloc(12) }), // a command that does not exist
            header({ family: 0x12, rest: Buffer.alloc(12) }), // UDP
            header({ family: 0x31, rest: Buffer.alloc(216) }), // a unix socket
            header({ rest: Buffer.alloc(8) }), // shorter than its addresses
            v4("203.0.113.4", Buffer.from([0x04, 1, 0, 1])), // a TLV longer than the header
            v4("203.0.113.4", Buffer.alloc(2000)),
        ];
        for (const bytes of bad) assert.equal(await asked("127.0.2.1", bytes, ping), "closed", bytes.toString("hex").slice(0, 64));
        assert.equal(await refused("proxy"), before + bad.length);
    });

    test("counts for the address that is announced, an IPv6 network of 64 bits as one", async () => {
        const upgrade = upgradeHead();
        const announced = [() => v4("203.0.113.50"), (i) => v6(`2001:db8:0:7:0:0:0:${i + 1}`)];
        for (const head of announced) {
            for (let i = 0; i < CONNECTIONS; i++) assert.equal(await asked(`127.0.2.${10 + i}`, head(i), upgrade), "101");
            assert.equal(await asked("127.0.2.20", head(9), upgrade), "429", "from whatever balancer");
        }
        assert.equal(await asked("127.0.2.10", v4("203.0.113.51"), upgrade), "101", "another player by the same balancer");
        assert.equal(await asked("127.0.2.10", v6("2001:db8:0:8:0:0:0:1"), upgrade), "101");
    });
});

test("who is no balancer has no header to send, and is what he is", { timeout: 60_000 }, async () => {
    const before = await refused("proxy");
    assert.equal(await asked("127.0.3.1", ping), "204");
    assert.equal(await asked("127.0.3.1", v4("203.0.113.60"), ping), "400");
    assert.equal(await refused("proxy"), before);
});
