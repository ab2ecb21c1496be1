// SPDX-License-Identifier: Apache-2.0
// Bad messages on a good connection: [name, text, the error's code]. The connection must stay and go on answering.
import { randomUUID } from "node:crypto";
import { Client } from "../outside/client.mjs";
import { claimsOf, player, signToken } from "../outside/footprint.mjs";

const of = (type, fields = {}) => JSON.stringify({ type, ...fields });
const find = (fields) => of("find_match", { game: "memory", bots: "now", ...fields });
const move = (fields) => of("move", { gameId: "g-nothing", moveId: randomUUID(), flip: { card: 0 }, ...fields });
const nested = (depth) => `{"type":"ping","x":${"[".repeat(depth)}${"]".repeat(depth)}}`;
const members = (n) => of("ping", Object.fromEntries(Array.from({ length: n }, (_, i) => [`m${i}`, i])));
const latencies = (n) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`region-${i}`, i]));

const notJson = [
    ["an empty message", ""],
    ["a blank", " "],
    ["a letter", "x"],
    ["an open brace", "{"],
    ["half a message", '{"type":"pi'],
    ["a list", "[]"],
    ["a list of messages", '[{"type":"ping"}]'],
    ["null", "null"],
    ["a number", "1"],
    ["a string", '"ping"'],
    ["text behind the message", '{"type":"ping"} x'],
    ["two messages", '{"type":"ping"}{"type":"ping"}'],
    ["a field twice", '{"type":"ping","a":1,"a":2}'],
    ["the type twice", '{"type":"ping","type":"ping"}'],
    ["a nesting of 9", nested(8)],
    ["a nesting of 2,000", nested(2000)],
    ["a nesting that is never closed", `{"type":"ping","x":${"[".repeat(8000)}`],
    ["66 members", members(65)],
    ["a list of 65", of("ping", { x: Array(65).fill(0) })],
    ["NaN", '{"type":"ping","x":NaN}'],
    ["Infinity", '{"type":"ping","x":Infinity}'],
    ["minus Infinity", '{"type":"ping","x":-Infinity}'],
    ["2^53 and more", '{"type":"ping","x":9007199254740995}'],
    ["2^64", '{"type":"ping","x":18446744073709551616}'],
    ["1e400", '{"type":"ping","x":1e400}'],
    ["a leading zero", '{"type":"ping","x":01}'],
    ["a number in hexadecimal", '{"type":"ping","x":0x10}'],
    ["a lone high surrogate", '{"type":"ping","x":"\\ud800"}'],
    ["a lone low surrogate", '{"type":"ping","x":"\\udc00"}'],
    ["surrogates in the wrong order", '{"type":"ping","x":"\\udc00\\ud800"}'],
    ["an escaped NUL", '{"type":"ping","x":"\\u0000"}'],
    ["an escaped NUL in a name", '{"type":"ping","\\u0000":1}'],
    ["a NUL", '{"type":"ping","x":"\0"}'],
    ["a line end in a string", '{"type":"ping","x":"\n"}'],
    ["a string of 1,025 bytes", of("ping", { x: "x".repeat(1025) })],
    ["a name of 1,025 bytes", of("ping", { ["x".repeat(1025)]: 1 })],
    ["a token of 4,097 bytes", of("auth", { token: "x".repeat(4097) })],
    ["a comment", '{"type":"ping"} // x'],
    ["single quotes", "{'type':'ping'}"],
    ["a comma too many", '{"type":"ping",}'],
    ["a byte order mark", '\ufeff{"type":"ping"}'],
    ["an invented escape", '{"type":"ping","x":"\\x41"}'],
].map(([name, text]) => [name, text, "bad_json"]);

const unknown = [
    ["an unknown type", of("nope")],
    ["an empty type", of("")],
    ["the type in capitals", of("PING")],
    ["a type of the server", of("connected")],
    ["a type of the schema that is none", of("body")],
    ["a type of a prototype", of("__proto__")],
    ["a type of 1,000 bytes", of("x".repeat(1000))],
].map(([name, text]) => [name, text, "unknown_type"]);

const noType = [
    ["no type", "{}"],
    ["a type that is a number", '{"type":5}'],
    ["a type that is null", '{"type":null}'],
    ["a type that is a list", '{"type":["ping"]}'],
].map(([name, text]) => [name, text, ["unknown_type", "bad_json", "bad_field"]]);

const badField = [
    ["find_match without a game", of("find_match")],
    ["a game that is a number", find({ game: 5 })],
    ["a game that is not hosted", find({ game: "chess" })],
    ["an empty game", find({ game: "" })],
    ...[0, 1, 5, -1, 2.5, "2", null, 1e10, true].map((players) => [`${JSON.stringify(players)} players`, find({ players })]),
    ...[0, 1, 11, -2, 4.5, "4", 4294967298].map((rows) => [`${JSON.stringify(rows)} rows`, find({ rows })]),
    ["an odd number of cards", find({ rows: 3, cols: 3 })],
    ["11 columns", find({ rows: 4, cols: 11 })],
    ["bots maybe", find({ bots: "maybe" })],
    ["bots in capitals", find({ bots: "NOW" })],
    ["bots by number", find({ bots: 3 })],
    ["bots unspecified", find({ bots: "unspecified" })],
    ["a rating of -1", find({ rating: -1 })],
    ["a rating of 5,001", find({ rating: 5001 })],
    ["latencies in a list", find({ latencyMs: [1] })],
    ["a negative latency", find({ latencyMs: { "us-east": -1 } })],
    ["a latency in words", find({ latencyMs: { "us-east": "fast" } })],
    ["17 latencies", find({ latencyMs: latencies(17) })],
    ["cancel_match without a ticket", of("cancel_match")],
    ["a ticket that is a number", of("cancel_match", { ticketId: 5 })],
    ["an empty ticket", of("cancel_match", { ticketId: "" })],
    ["a ticket of 97 bytes", of("cancel_match", { ticketId: "t".repeat(97) })],
    ["a ticket with a control character", of("explain_match", { ticketId: "t\u0001" })],
    ["explain_match without a ticket", of("explain_match")],
    ["move without a game", of("move", { moveId: "m", flip: { card: 0 } })],
    ["move without an id", of("move", { gameId: "g", flip: { card: 0 } })],
    ["an empty move id", move({ moveId: "" })],
    ["a move id of 65 bytes", move({ moveId: "m".repeat(65) })],
    ["a move id with a control character", move({ moveId: "m\u0007" })],
    ["a move id that is a number", move({ moveId: 7 })],
    ["move without an action", of("move", { gameId: "g", moveId: "m" })],
    ["a flip of nothing", move({ flip: {} })],
    ["a flip that is a number", move({ flip: 3 })],
    ["a flip that is null", move({ flip: null })],
    ["a card of -1", move({ flip: { card: -1 } })],
    ["a card of 1.5", move({ flip: { card: 1.5 } })],
    ["a card in words", move({ flip: { card: "3" } })],
    ["a card of 2^32", move({ flip: { card: 4294967296 } })],
    ["leave_game without a game", of("leave_game")],
    ["leave_game of a list", of("leave_game", { gameId: ["g"] })],
    ["get_game without a game", of("get_game")],
    ["get_game of 200 bytes", of("get_game", { gameId: "g".repeat(200) })],
    ["ack without an offset", of("ack")],
    ["ack of -1", of("ack", { offset: -1 })],
    ["ack in words", of("ack", { offset: "1" })],
    ["ack of what was not sent", of("ack", { offset: 1000 })],
    ["auth without a token", of("auth")],
    ["a token that is a number", of("auth", { token: 5 })],
    ["a device with a dot", of("auth", { token: "x", device: "a.b" })],
    ["a device of 65 bytes", of("auth", { token: "x", device: "d".repeat(65) })],
    ["resume without a session", of("resume", { epoch: 1, offset: 0 })],
    ["resume with an offset in words", of("resume", { session: "s", epoch: 1, offset: "0" })],
    ["resume with a negative epoch", of("resume", { session: "s", epoch: -1, offset: 0 })],
].map(([name, text]) => [name, text, "bad_field"]);

const others = [
    ["a token that is none, on a live connection", of("auth", { token: "a.b.c" }), "not_authenticated"],
    ["a good token of somebody else", () => of("auth", { token: signToken(claimsOf("u-else")) }), "already_authenticated"],
    ["cancelling what does not exist", of("cancel_match", { ticketId: "t-nothing" }), "no_such_ticket"],
    ["explaining what does not exist", of("explain_match", { ticketId: "t-nothing" }), "no_such_ticket"],
    ["a move in no game", move(), "no_such_game"],
    ["a move in a game named like a key", move({ gameId: "{b1}:*" }), "no_such_game"],
    ["leaving no game", of("leave_game", { gameId: "g-nothing" }), "no_such_game"],
    ["asking for no game", of("get_game", { gameId: "g-nothing" }), "no_such_game"],
    ["a move in somebody else's game", (ctx) => move({ gameId: ctx.game() }), "no_such_game"],
    ["leaving somebody else's game", (ctx) => of("leave_game", { gameId: ctx.game() }), "no_such_game"],
    ["asking for somebody else's game", (ctx) => of("get_game", { gameId: ctx.game() }), "no_such_game"],
];

const beforeAuth = ["find_match", "cancel_match", "explain_match", "move", "leave_game", "get_game", "ack", "ping", "resume"].map((type) => [
    type,
    { find_match: find(), cancel_match: of(type, { ticketId: "t" }), explain_match: of(type, { ticketId: "t" }), move: move(),
        leave_game: of(type, { gameId: "g" }), get_game: of(type, { gameId: "g" }), ack: of(type, { offset: 0 }), ping: of(type),
        resume: of(type, { session: "s", epoch: 1, offset: 0 }) }[type],
]);

const unread = async (client) => {
    const message = await client.next(["error", "ticket", "matched", "pong", "game_state"]);
    return message.type === "error" ? message.code : message.type;
};

// Accepted in spite of it: fields nobody knows, in any number that is allowed.
async function extras(ctx) {
    const client = await Client.connect(ctx.ws, player());
    client.socket.send(of("ping", { x: null, type2: "y", deep: { a: [1, { b: 2 }] }, "": 1 }));
    const got = await unread(client);
    await client.close();
    return got;
}

async function flood(ctx, text, count) {
    const client = await Client.connect(ctx.ws, player());
    for (let i = 0; i < count; i++) client.socket.send(text);
    const { code, reason } = await client.closed;
    const told = client.unread.filter((message) => message.type === "error").map((message) => message.code);
    return `${[...new Set(told)]}, ${code} ${reason.split(";")[0]}`;
}

// Many connections of one user share one allowance: [answers, refusals] of a flood over three of them.
async function sharedFlood(ctx) {
    const one = player();
    const clients = await Promise.all([1, 2, 3].map((i) => Client.connect(ctx.ws, { ...one, device: `d${i}` })));
    for (const client of clients) for (let i = 0; i < 30; i++) client.send("ping");
    await Promise.all(clients.map((client) => client.until(() => client.unread.length >= 30, "30 answers")));
    const limited = clients.flatMap((client) => client.unread).filter((message) => message.code === "rate_limited");
    await Promise.all(clients.map((client) => client.close()));
    return limited.length > 20 && limited.every((message) => message.retryAfterMs > 0) ? "rate_limited" : `${limited.length} refused`;
}

async function devices(ctx) {
    const one = player();
    const clients = [];
    for (let i = 0; i < 16; i++) clients.push(await Client.connect(ctx.ws, { ...one, device: `d${i}` }));
    const { code } = await new Client(ctx.ws, { ...one, device: "d16" }).closed;
    await Promise.all(clients.map((client) => client.close()));
    return `${code}`;
}

export function textRows(ctx) {
    const live = [...notJson, ...unknown, ...noType, ...badField, ...others].map(([name, text, expected]) => ({
        name: `message: ${name}`,
        expected,
        run: async () => {
            const client = await Client.connect(ctx.ws, player());
            client.socket.send(typeof text === "function" ? text(ctx) : text);
            const got = await unread(client);
            await client.settle();
            await client.close();
            return got;
        },
    }));
    const early = beforeAuth.map(([type, text]) => ({
        name: `message: ${type} before auth`,
        expected: "not_authenticated",
        run: async () => {
            const client = new Client(ctx.ws, { token: "", first: true });
            client.socket.removeAllListeners("open");
            await new Promise((resolve) => client.socket.once("open", resolve));
            client.socket.send(text);
            const got = await unread(client);
            client.send("auth", { token: player().token });
            await client.next("connected");
            await client.close();
            return got;
        },
    }));
    return [
        ...live,
        ...early,
        { name: "message: fields nobody knows", expected: "pong", run: () => extras(ctx) },
        { name: "message: ten that are none", expected: "bad_json, 1008 bad_json", run: () => flood(ctx, "x", 12) },
        { name: "message: 300 at once", expected: "rate_limited, 1008 flood", run: () => flood(ctx, of("ping"), 300) },
        { name: "message: 90 at once over three devices", expected: "rate_limited", run: () => sharedFlood(ctx) },
        { name: "message: a seventeenth device", expected: "1008", run: () => devices(ctx) },
    ];
}
