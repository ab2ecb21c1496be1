// SPDX-License-Identifier: Apache-2.0
// Bad frames to the bus of an edge and to the links of a router: [name, frames, what becomes of the link]. The encoding is written out here
// by hand, because no encoder would make these.
import { Wire, requestHead } from "./raw.mjs";

function varint(value) {
    const bytes = [];
    for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
        if (rest < 128n) return Buffer.from([...bytes, Number(rest)]);
        bytes.push(Number(rest & 127n) | 128);
    }
}
const number = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);
const text = (field, value) => {
    const data = Buffer.from(value);
    return Buffer.concat([varint((field << 3) | 2), varint(data.length), data]);
};
const fields = (...all) => Buffer.concat(all);
const framed = (body, length = body.length) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(length);
    return Buffer.concat([head, body]);
};

const helloOf = { version: 1, role: 1, region: "us-east", id: "us-east-x", incarnation: "us-east-x.hostile", credit: 4096 };
const numbers = { version: 1, role: 2, region: 3, id: 4, incarnation: 5, credit: 7 };
function hello(changed = {}, without = []) {
    const all = { ...helloOf, ...changed };
    return fields(...Object.keys(numbers).filter((name) => !without.includes(name)).map((name) =>
        typeof all[name] === "string" ? text(numbers[name], all[name]) : number(numbers[name], all[name])));
}
const linkFrame = ({ greets, seq = 0, ack = 0, credit, payload }) => framed(fields(
    ...(greets ? [text(1, greets)] : []), number(2, seq), number(3, ack),
    ...(credit === undefined ? [] : [number(4, credit)]), ...(payload === undefined ? [] : [text(5, payload)])));
const first = (changed, without) => linkFrame({ greets: hello(changed, without) });

const longest = Buffer.alloc(65536, 0xff);

// Before there is a link.
const strangers = (target) => [
    ["nothing", []],
    ["a length of 0", [framed(Buffer.alloc(0))]],
    ["a length of 65,537", [framed(Buffer.alloc(16), 65537)]],
    ["a length of 2^32-1", [framed(Buffer.alloc(16), 0xffffffff)]],
    ["a length longer than what comes", [framed(fields(text(1, hello())), 500)]],
    ["a length shorter than the frame", [framed(fields(text(1, hello()), number(2, 0), number(3, 0)), 9)]],
    ["64 KiB of no frame", [framed(longest)]],
    ["bytes of no protobuf", [framed(Buffer.from("ffffffffffffffffffff", "hex"))]],
    ["a request of HTTP", [requestHead("GET / HTTP/1.1")]],
    ["the first words of TLS", [Buffer.from("16030100c8010000c40303", "hex")]],
    ["a heartbeat without a hello", [linkFrame({})]],
    ["a message without a hello", [linkFrame({ seq: 1, payload: "x" })]],
    ...Object.keys(numbers).map((name) => [`a hello without ${name}`, [first({}, [name])]]),
    ["a hello of version 0", [first({ version: 0 })]],
    ["a hello of version 2", [first({ version: 2 })]],
    ["a hello of version 2^32", [first({ version: 2n ** 32n })]],
    ["a role that is none", [first({ role: 0 })]],
    ["a role of 9", [first({ role: 9 })]],
    [`a role that has no business here`, [first({ role: target.wrongRole })]],
    ["another region", [first({ region: "eu" })]],
    ["an empty region", [first({ region: "" })]],
    ["an empty id", [first({ id: "" })]],
    ["an id with a blank", [first({ id: "us east" })]],
    ["an id with a line end", [first({ id: "us-east-x\n" })]],
    ["an incarnation of 97 bytes", [first({ incarnation: "i".repeat(97) })]],
    ["an incarnation that is a path", [first({ incarnation: "../x" })]],
    ["an incarnation of not UTF-8", [first({ incarnation: Buffer.from([0xff, 0xfe]).toString("latin1") })]],
    ["no credit", [first({ credit: 0 })]],
    ["a credit of 2^31", [first({ credit: 2 ** 31 })]],
    ["a hello with a message", [linkFrame({ greets: hello(), seq: 1, payload: "x" })]],
    ["a hello that acknowledges", [linkFrame({ greets: hello(), ack: 1 })]],
].map(([name, frames]) => ({ name, frames, expected: "closed" }));

const beyond = (n) => 2n ** 63n + BigInt(n);
const from = (name, ...more) => fields(text(1, name), ...more);

// On a link that is up.
const peers = (target) => [
    ["a second hello", [first()]],
    ["a sequence that is skipped", [linkFrame({ seq: 3, payload: "x" })]],
    ["a sequence that jumps by 2^63", [linkFrame({ seq: beyond(1), payload: "x" })]],
    ["an acknowledgement of what was not sent", [linkFrame({ ack: 1000 })]],
    ["an acknowledgement of 2^63", [linkFrame({ ack: beyond(0) })]],
    ["a heartbeat of another sequence", [linkFrame({ seq: 7 })]],
    ["an empty message", [linkFrame({ seq: 1, payload: "" })]],
    ["a credit of 2^31", [linkFrame({ credit: 2 ** 31 })]],
    ["credits that add up to too much", Array.from({ length: 300 }, () => linkFrame({ credit: 2 ** 13 }))],
    ["bytes that are no message", [linkFrame({ seq: 1, payload: Buffer.from("ffffffffff", "hex") })]],
    ["a frame cut in the middle", [linkFrame({ seq: 1, payload: target.harmless(1) }).subarray(0, 9)]],
    ["a length out of range", [framed(Buffer.alloc(8), 2 ** 20)]],
    ...target.bad.map(([name, payload]) => [name, [linkFrame({ seq: 1, payload })]]),
].map(([name, frames]) => ({ name: `${name}, on a link`, frames: [first(), ...frames], expected: "closed" })).concat([
    { name: "a message twice", frames: [first(), linkFrame({ seq: 1, payload: target.harmless(1) }), linkFrame({ seq: 1, payload: target.harmless(1) })], expected: "open" },
    { name: "a message of a later version", frames: [first(), linkFrame({ seq: 1, payload: target.unknown })], expected: "open" },
    { name: "10,000 messages, and no acknowledgement is read", expected: "open",
        frames: [first(), Buffer.concat(Array.from({ length: 10_000 }, (_, i) => linkFrame({ seq: i + 1, payload: target.harmless(i) })))] },
]);

const name = (n) => `us-east-x.h${n}`;
let serial = 0;

async function outcome(where, { frames, expected }) {
    const wire = new Wire(where);
    await wire.ready;
    // Every link has an incarnation of its own: two of one name would be one that replaces the other.
    const mine = name(++serial);
    for (const bytes of frames) wire.send(rename(bytes, mine));
    await wire.look(() => undefined, expected === "open" ? 1500 : 30_000);
    const result = wire.over ? "closed" : "open";
    wire.end();
    return result;
}

// us-east-x.hostile -> a name of the same length, so that no length changes.
function rename(bytes, mine) {
    const [old, fresh] = [Buffer.from(helloOf.incarnation), Buffer.from(mine.padEnd(helloOf.incarnation.length, "_"))];
    const copy = Buffer.from(bytes);
    for (let at = copy.indexOf(old); at >= 0; at = copy.indexOf(old, at)) fresh.copy(copy, at);
    return copy;
}

const me = helloOf.incarnation;
const request = (body) => from(me, text(7, body));
const busTarget = {
    wrongRole: 2,
    harmless: (n) => from(me, text(4, fields(text(1, `g-${n}`), text(2, "u-nobody")))), // seat_detach of nobody
    unknown: from(me, text(99, "of tomorrow")),
    bad: [
        ["a message in another edge's name", from("us-east-1.somebody", text(4, fields(text(1, "g"), text(2, "u"))))],
        ["a message without a name", text(4, fields(text(1, "g"), text(2, "u")))],
        ["an attach without a user", from(me, text(3, fields(text(1, "g"), number(3, 0))))],
        ["a request without its fields", request(text(1, "g"))],
        ["a seat that is no number", from(me, text(2, fields(text(1, "g"), text(2, "u"), text(3, "one"))))],
    ],
};
const routerTarget = {
    wrongRole: 3,
    harmless: (n) => text(3, text(1, `t-${n}`)), // ticket_cancel of nobody's
    unknown: text(99, "of tomorrow"),
    bad: [
        ["a report without its fields", text(1, text(1, "x"))],
        ["a ticket without its fields", text(2, text(1, "t"))],
        ["an answer without its fields", text(4, text(1, "t"))],
    ],
};

// Peers that are polite and lie: what they ask for has no effect (the running games at the same time say so) and the link stays.
const liars = (ctx) => {
    const game = () => ctx.game();
    const snapshot = (user) => from(me, text(10, text(1, user)));
    return [
        ["a move for somebody's seat in his game", () => request(fields(text(1, game()), text(2, "u-nobody"), text(3, "s"), number(4, 1000), text(5, fields(text(1, game()), text(2, "m"), text(3, number(1, 0))))))],
        ["an attach to a seat that is not theirs", () => from(me, text(3, fields(text(1, game()), text(2, "u-nobody"), number(3, 0))))],
        ["a seat in a game that is not", () => from(me, text(2, fields(text(1, "g-nothing"), text(2, "u-nobody"), number(3, 0))))],
        ["a replaced session that is not", () => snapshot("us-east-1.x.0000000000000000")],
        ["a game id of 60 KB", () => from(me, text(3, fields(text(1, "g".repeat(60_000)), text(2, "u"), number(3, 0))))],
        ["a user of no bytes", () => from(me, text(3, fields(text(1, "g"), text(2, ""), number(3, 0))))],
    ].map(([what, payload]) => ({
        name: `bus: ${what}`,
        expected: ["open", "closed"],
        run: () => outcome(ctx.bus, { frames: [first(), linkFrame({ seq: 1, payload: payload() })], expected: "open" }),
    }));
};

async function truncated(where) {
    const whole = first();
    for (let n = 1; n < whole.length; n += 3) {
        const wire = new Wire(where);
        await wire.ready;
        wire.send(whole.subarray(0, n));
        wire.socket.end();
        await wire.look(() => undefined, 30_000);
        const { over } = wire;
        wire.end();
        if (!over) return `open after ${n} bytes`;
    }
    return "closed";
}

async function twins(where) {
    const old = new Wire(where);
    await old.ready;
    old.send(first({ incarnation: "us-east-x.twin" }));
    await old.look(() => (old.in.length > 4 ? true : undefined), 30_000);
    const fresh = new Wire(where);
    await fresh.ready;
    fresh.send(first({ incarnation: "us-east-x.twin" }));
    await old.look(() => undefined, 30_000);
    const result = `${old.over ? "closed" : "open"}, then ${fresh.over ? "closed" : "open"}`;
    old.end();
    fresh.end();
    return result;
}

export function linkRows(ctx) {
    const rows = [["bus", ctx.bus, busTarget], ["router", ctx.link, routerTarget]].flatMap(([kind, where, target]) => [
        ...[...strangers(target), ...peers(target)].map((row) => ({ name: `${kind}: ${row.name}`, expected: row.expected, run: () => outcome(where, row) })),
        { name: `${kind}: a hello cut anywhere`, expected: "closed", run: () => truncated(where) },
        { name: `${kind}: a recorded session played again`, expected: "closed, then open", run: () => twins(where) },
    ]);
    rows.push({
        name: "bus: somebody who says he is the edge itself", expected: "closed",
        run: async () => outcome(ctx.bus, { frames: [first({ incarnation: await ctx.incarnation() })] }),
    });
    return [...rows, ...liars(ctx)];
}
