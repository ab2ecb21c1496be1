// SPDX-License-Identifier: Apache-2.0
// Bad frames after a good upgrade and a good token: [name, bytes (or what to do), the close code].
import { metrics, player, sleep } from "../outside/footprint.mjs";
import { RawSocket, closeFrame, frame, requestHead, slowly } from "./raw.mjs";

const text = 1, binary = 2, more = 0, close = 8, ping = 9, pong = 10;
const part = { fin: false };
const bytes = (...list) => Buffer.from(list);
const times = (n, what) => Buffer.concat(Array.from({ length: n }, () => what));

const plain = [
    ["an unmasked text", frame(text, "{}", { masked: false }), "1002"],
    ["an unmasked ping", frame(ping, "", { masked: false }), "1002"],
    ["an unmasked close", frame(close, "", { masked: false }), "1002"],
    ...[1, 2, 4, 7].map((rsv) => [`reserved bits ${rsv}`, frame(text, "{}", { rsv }), "1002"]),
    ["a reserved bit on a ping", frame(ping, "", { rsv: 4 }), "1002"],
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) => [`opcode ${opcode}`, frame(opcode, "x"), "1002"]),
    ["a continuation of nothing", frame(more, "{}"), "1002"],
    ["an unfinished continuation of nothing", frame(more, "{}", part), "1002"],
    ["a text inside a text", [frame(text, "{", part), frame(text, "}")], "1002"],
    ["a binary inside a text", [frame(text, "{", part), frame(binary, "}")], "1002"],
    ["a continuation after the end", [frame(text, "{", part), frame(more, "}"), frame(more, "")], "1002"],
    ["a ping of 126 bytes", frame(ping, Buffer.alloc(126)), "1002"],
    ["a pong of 126 bytes", frame(pong, Buffer.alloc(126)), "1002"],
    ["a close of 126 bytes", frame(close, Buffer.alloc(126, 3)), "1002"],
    ["a ping of 2^63-1 bytes", frame(ping, "", { declared: 2n ** 63n - 1n }), "1002"],
    ["a ping in two parts", frame(ping, "x", part), "1002"],
    ["a close in two parts", frame(close, "", part), "1002"],
    ["a length of 5 in 16 bits", frame(text, "hello", { form: 16 }), "1002"],
    ["a length of 5 in 64 bits", frame(text, "hello", { form: 64 }), "1002"],
    ["a length of 200 in 64 bits", frame(text, "x".repeat(200), { form: 64 }), "1002"],
    ["a length with the top bit", frame(text, "", { declared: 2n ** 63n }), "1002"],
    ["a close of one byte", frame(close, bytes(3)), "1002"],
    ...[0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535].map((code) => [`close code ${code}`, closeFrame(code), "1002"]),
    ["a close reason that is not UTF-8", frame(close, bytes(3, 232, 0xff)), "1007"],
    ["a close reason cut inside a character", frame(close, bytes(3, 232, 0xe2, 0x82)), "1007"],
    ["a byte that is never UTF-8", frame(text, bytes(0x7b, 0xff)), "1007"],
    ["a lone continuation byte", frame(text, bytes(0x80)), "1007"],
    ["an overlong NUL", frame(text, bytes(0xc0, 0x80)), "1007"],
    ["an overlong slash of three bytes", frame(text, bytes(0xe0, 0x80, 0xaf)), "1007"],
    ["a surrogate", frame(text, bytes(0xed, 0xa0, 0x80)), "1007"],
    ["beyond U+10FFFF", frame(text, bytes(0xf4, 0x90, 0x80, 0x80)), "1007"],
    ["a byte F5", frame(text, bytes(0xf5, 0x80, 0x80, 0x80)), "1007"],
    ["a character cut by the end", frame(text, bytes(0x7b, 0xe2, 0x82)), "1007"],
    ["a character broken between two parts", [frame(text, bytes(0xe2, 0x82), part), frame(more, "x")], "1007"],
    ["a bad byte in a first part, without the rest", frame(text, bytes(0xff), part), "1007"],
    ["a bad byte in a frame that is not whole", frame(text, bytes(0xff, 0x20, 0x20), { declared: 200n, form: 16 }), "1007"],
    ["a binary message in json mode", frame(binary, "{}"), "1003"],
    ["a binary message in parts", [frame(binary, "{", part), frame(more, "}")], "1003"],
    ["a message of 16 KiB and a byte", frame(text, "x".repeat(16_385)), "1009"],
    ["the head of 2^31-1 bytes", frame(text, "", { declared: 2n ** 31n - 1n }), "1009"],
    ["the head of 2^63-1 bytes", frame(text, "", { declared: 2n ** 63n - 1n }), "1009"],
    ["parts that add up to too much", [frame(text, "x".repeat(9000), part), frame(more, "x".repeat(9000), part)], "1009"],
    ["65 parts", [frame(text, "x", part), times(64, frame(more, "x", part))], "1009"],
    ["empty parts without end", [frame(text, "", part), times(80, frame(more, "", part))], "1008"],
    ["100 pings at once", times(100, frame(ping, "x")), "1008"],
    ["100 pongs at once", times(100, frame(pong)), "1008"],
    ["a request of HTTP", requestHead("GET / HTTP/1.1"), "1002"],
    ["junk", bytes(0xde, 0xad, 0xbe, 0xef), "1002"],
];

async function enter(ctx, options) {
    const socket = await RawSocket.open(ctx.port, `/v1/ws?token=${player().token}`, options);
    const first = await socket.frame();
    if (first?.opcode !== (options?.proto ? 2 : 1)) throw new Error("no connected came first");
    return socket;
}

// What needs more than bytes.
const acts = [
    ["text in proto mode", "1003", async (ctx) => {
        const socket = await enter(ctx, { proto: true, more: ["Sec-WebSocket-Protocol: meridian.v1.proto"] });
        socket.send(frame(text, '{"type":"ping"}'));
        return socket.outcome();
    }],
    ["junk for protobuf in proto mode is told, ten of it ends", "1008", async (ctx) => {
        const socket = await enter(ctx, { proto: true, more: ["Sec-WebSocket-Protocol: meridian.v1.proto"] });
        for (let i = 0; i < 12; i++) socket.send(frame(binary, bytes(0xff, 0xff, i)));
        return socket.outcome();
    }],
    ["compression offered, and then used", "not agreed, 1002", async (ctx) => {
        const socket = await enter(ctx, { more: ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"] });
        const agreed = "sec-websocket-extensions" in socket.answer.headers;
        socket.send(frame(text, bytes(0xab, 0x56, 0x2a), { rsv: 4 }));
        return `${agreed ? "agreed" : "not agreed"}, ${await socket.outcome()}`;
    }],
    ["a request behind the upgrade", "1002, nothing of HTTP", async (ctx) => {
        const socket = await RawSocket.open(ctx.port, `/v1/ws?token=${player().token}`, { early: requestHead("GET /v1/ping HTTP/1.1") });
        const outcome = await socket.outcome();
        return `${outcome}, ${socket.in.includes("HTTP/1.1") ? "a second answer" : "nothing of HTTP"}`;
    }],
    ["junk behind the upgrade", "1002", async (ctx) =>
        (await RawSocket.open(ctx.port, `/v1/ws?token=${player().token}`, { early: bytes(0xff, 0xff, 0xff) })).outcome()],
    ["messages after a close are not heard", "1000, ended", async (ctx) => {
        const socket = await enter(ctx);
        socket.send(closeFrame(1000), times(20, frame(text, '{"type":"ping"}')));
        const outcome = await socket.outcome();
        const rest = await socket.frame(500);
        return `${outcome}, ${rest ? "more" : (await socket.ended()) ? "ended" : "open"}`;
    }],
    ["a close that is not answered", "1002, ended", async (ctx) => {
        const socket = await enter(ctx);
        socket.send(frame(3));
        return `${await socket.outcome()}, ${(await socket.ended()) ? "ended" : "open"}`;
    }],
    ["a close of ours that is not answered, data instead", "3500, ended", async (ctx) => {
        const socket = await RawSocket.open(ctx.port, "/v1/ws?token=bad");
        const outcome = await socket.outcome();
        const sender = setInterval(() => socket.send(frame(text, "{}")), 100);
        const ended = await socket.ended();
        clearInterval(sender);
        return `${outcome}, ${ended ? "ended" : "open"}`;
    }],
    ["half a frame and a reset", "closed", async (ctx) => {
        const socket = await enter(ctx);
        socket.send(frame(text, '{"type":"ping"}').subarray(0, 7));
        await sleep(50);
        socket.socket.resetAndDestroy();
        await socket.ended();
        return "closed";
    }],
    ["a frame of a byte a second", "1008", async (ctx) => {
        const socket = await enter(ctx);
        const sending = slowly(socket, frame(text, "x".repeat(40)), 1000);
        const outcome = await socket.outcome();
        socket.end();
        await sending;
        return outcome;
    }],
    ["a message whose parts never end", "1008", async (ctx) => {
        const socket = await enter(ctx);
        socket.send(frame(text, "{", part));
        return socket.outcome();
    }],
    ["who never reads", "3004", async (ctx) => {
        const slow = async () => (await metrics(ctx.admin)).meridian_edge_connections_slow_total;
        const before = await slow();
        const socket = await RawSocket.open(ctx.port, "/v1/echo");
        socket.socket.pause();
        const big = times(16, frame(text, "x".repeat(16_000)));
        for (let i = 0; i < 120 && (await slow()) === before; i++) {
            for (let k = 0; k < 4; k++) socket.send(big);
            await sleep(50);
        }
        if ((await slow()) === before) return "nothing was noticed";
        socket.socket.resume();
        return socket.outcome();
    }],
    ["200 connections opened and dropped", "no connection is left", async (ctx) => {
        for (let i = 0; i < 40; i++) {
            const sockets = await Promise.all(Array.from({ length: 5 }, () => RawSocket.open(ctx.port, "/v1/echo")));
            for (const socket of sockets) socket.socket.resetAndDestroy();
        }
        return "no connection is left"; // counted for all rows at the end
    }],
];

export function frameRows(ctx) {
    const simple = plain.map(([name, what, expected]) => ({
        name: `frame: ${name}`,
        expected,
        run: async () => {
            const socket = await enter(ctx);
            socket.send(...[what].flat());
            const outcome = await socket.outcome();
            const ended = await socket.ended();
            socket.end();
            return ended ? outcome : `${outcome}, still open`;
        },
    }));
    return [...simple, ...acts.map(([name, expected, act]) => ({ name: `frame: ${name}`, expected, run: () => act(ctx) }))];
}
