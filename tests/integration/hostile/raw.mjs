// SPDX-License-Identifier: Apache-2.0
// Bytes on a socket, as no library would send them: requests, frames, links; and what came back, in one word each.
import net from "node:net";
import { sleep } from "../outside/footprint.mjs";

// A connection that remembers what it was sent.
export class Wire {
    constructor(where) {
        this.in = Buffer.alloc(0);
        this.wakers = new Set();
        this.socket = net.connect(where);
        this.ready = new Promise((resolve) => {
            this.socket.once("connect", resolve);
            this.socket.once("error", resolve);
        });
        this.socket.on("data", (data) => {
            this.in = Buffer.concat([this.in, data]);
            this.wake();
        });
        const over = () => {
            this.over = true;
            this.wake();
        };
        this.socket.on("end", over).on("close", over).on("error", over);
    }
    wake() {
        for (const waker of [...this.wakers]) waker();
    }
    send(...parts) {
        for (const part of parts) if (!this.socket.destroyed) this.socket.write(part);
    }
    // What find() gives as soon as it gives something; undefined after ms, or when the peer ended without it.
    async look(find, ms) {
        const deadline = Date.now() + ms;
        for (;;) {
            const found = find();
            if (found !== undefined || this.over || Date.now() >= deadline) return found ?? find();
            await new Promise((resolve) => {
                const timer = setTimeout(done, deadline - Date.now());
                const { wakers } = this;
                function done() {
                    clearTimeout(timer);
                    wakers.delete(done);
                    resolve();
                }
                wakers.add(done);
            });
        }
    }
    end() {
        this.socket.destroy();
    }
}

// ---- HTTP ----

const goodKey = "dGhlIHNhbXBsZSBub25jZQ==";

// A request head out of lines; `without` drops fields of the default upgrade, `more` are further lines.
export function upgradeHead({ line = "GET /v1/ws HTTP/1.1", host = "127.0.0.1", without = [], more = [] } = {}) {
    const fields = {
        Host: host, Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": goodKey,
    };
    const lines = Object.entries(fields).filter(([name]) => !without.includes(name)).map(([name, value]) => `${name}: ${value}`);
    return [line, ...lines, ...more, "", ""].join("\r\n");
}

export function requestHead(line, more = [], body = "") {
    return [line, "Host: 127.0.0.1", ...more, "", body].join("\r\n");
}

function answerIn(buffer, bodyless = false) {
    const end = buffer.indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    const [first, ...fields] = buffer.subarray(0, end).toString("latin1").split("\r\n");
    const status = /^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1];
    if (status === undefined) return { status: "not HTTP", fields: {}, body: "", size: buffer.length };
    const headers = Object.fromEntries(fields.map((field) => [field.slice(0, field.indexOf(":")).toLowerCase(), field.slice(field.indexOf(":") + 1).trim()]));
    const length = bodyless ? 0 : Number(headers["content-length"] ?? 0);
    if (status !== "101" && buffer.length < end + 4 + length) return undefined;
    return { status, headers, body: buffer.subarray(end + 4, end + 4 + length).toString(), size: end + 4 + (status === "101" ? 0 : length) };
}

// Sends it and says what came: "400 bad_key", "101", "closed" (without an answer), "nothing" (still open). What refuses an upgrade must
// also close, and say nothing else, whatever else was sent along.
export async function ask(port, bytes, { ms = 30_000, closes = false, echoes = null } = {}) {
    const wire = new Wire({ host: "127.0.0.1", port });
    await wire.ready;
    for (const part of [bytes].flat()) {
        wire.send(part);
        await new Promise((resolve) => setImmediate(resolve));
    }
    const bodyless = `${bytes}`.startsWith("HEAD ");
    const answer = await wire.look(() => answerIn(wire.in, bodyless), ms);
    if (answer === undefined) {
        const result = wire.over ? "closed" : "nothing";
        wire.end();
        return result;
    }
    let code = "";
    try {
        code = ` ${JSON.parse(answer.body).error.code}`;
    } catch {
        code = answer.status >= "400" ? " plain" : "";
    }
    let result = `${answer.status}${code}`;
    if (answer.status === "426" && answer.headers["sec-websocket-version"] !== "13") result += ", no version told";
    if (answer.status === "405" && !answer.headers.allow) result += ", no Allow";
    if (echoes !== null && answer.body.includes(echoes)) result += ", echoes the request";
    if (closes) {
        await wire.look(() => undefined, ms);
        if (!wire.over) result += ", still open";
        if (wire.in.length > answer.size) result += `, and ${wire.in.length - answer.size} bytes more`;
    }
    wire.end();
    return result;
}

// ---- WebSocket ----

const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

export function frame(opcode, payload = "", { fin = true, rsv = 0, masked = true, form = null, declared = null } = {}) {
    const data = Buffer.from(payload);
    const length = declared ?? BigInt(data.length);
    const how = form ?? (length < 126n ? 7 : length < 65536n ? 16 : 64);
    const head = [Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode, (masked ? 0x80 : 0) | (how === 7 ? Number(length) : how === 16 ? 126 : 127)])];
    if (how !== 7) {
        const size = Buffer.alloc(how / 8);
        if (how === 16) size.writeUInt16BE(Number(length));
        else size.writeBigUInt64BE(length);
        head.push(size);
    }
    if (masked) head.push(mask);
    return Buffer.concat([...head, masked ? data.map((byte, i) => byte ^ mask[i & 3]) : data]);
}

export const closeFrame = (code, reason = "") => {
    const head = Buffer.alloc(2);
    head.writeUInt16BE(code);
    return frame(8, Buffer.concat([head, Buffer.from(reason)]));
};

export class RawSocket extends Wire {
    static async open(port, target, { more = [], early = "" } = {}) {
        const socket = new RawSocket({ host: "127.0.0.1", port });
        await socket.ready;
        socket.send(Buffer.concat([Buffer.from(upgradeHead({ line: `GET ${target} HTTP/1.1`, more })), Buffer.from(early)]));
        socket.answer = await socket.look(() => answerIn(socket.in), 30_000);
        if (socket.answer?.status !== "101") throw new Error(`no upgrade: ${socket.in}`);
        socket.in = socket.in.subarray(socket.answer.size);
        return socket;
    }
    // The next frame {opcode, payload}, taken out of what came.
    async frame(ms = 30_000) {
        return this.look(() => this.cut(), ms);
    }
    cut() {
        if (this.in.length < 2) return undefined;
        const short = this.in[1] & 127;
        const extra = short === 127 ? 8 : short === 126 ? 2 : 0;
        if (this.in.length < 2 + extra) return undefined;
        const length = extra === 8 ? Number(this.in.readBigUInt64BE(2)) : extra === 2 ? this.in.readUInt16BE(2) : short;
        if (this.in.length < 2 + extra + length) return undefined;
        const found = { opcode: this.in[0] & 15, payload: this.in.subarray(2 + extra, 2 + extra + length) };
        this.in = this.in.subarray(2 + extra + length);
        return found;
    }
    // Reads on until the end: "1002" (the close frame's code), "closed" (none came), "open".
    async outcome(ms = 30_000) {
        const deadline = Date.now() + ms;
        for (;;) {
            const next = await this.frame(deadline - Date.now());
            if (next === undefined) return this.over ? "closed" : "open";
            if (next.opcode === 8) return next.payload.length >= 2 ? `${next.payload.readUInt16BE(0)}` : "empty close";
        }
    }
    // The TCP connection's end within ms, reading whatever comes.
    async ended(ms = 30_000) {
        await this.look(() => undefined, ms);
        return this.over === true;
    }
}

export async function slowly(socket, bytes, everyMs) {
    for (const byte of bytes) {
        if (socket.over) return;
        socket.send(Buffer.from([byte]));
        await sleep(everyMs);
    }
}
