// SPDX-License-Identifier: Apache-2.0
// As much of Redis' protocol as reading records needs: strings come as Buffers, because records are not text.
import net from "node:net";

// One reply from `at`: [value, next], or null while it is not whole. An error reply is an Error as value.
export function parse(data, at = 0) {
    const end = data.indexOf("\r\n", at);
    if (end < 0) return null;
    const head = data.toString("latin1", at + 1, end);
    let next = end + 2;
    switch (String.fromCharCode(data[at])) {
    case "+": return [Buffer.from(head), next];
    case "-": return [new Error(head), next];
    case ":": return [Number(head), next];
    case "$": {
        const length = Number(head);
        if (length < 0) return [null, next];
        return data.length < next + length + 2 ? null : [data.subarray(next, next + length), next + length + 2];
    }
    case "*": {
        const list = [];
        for (let i = 0; i < Number(head); i++) {
            const item = parse(data, next);
            if (!item) return null;
            list.push(item[0]);
            next = item[1];
        }
        return [list, next];
    }
    default: throw new Error(`not a reply: ${head}`);
    }
}

export class Connection {
    static open(port, password, timeoutMs = 3000) {
        const c = new Connection();
        c.waiting = [];
        c.pending = Buffer.alloc(0);
        c.socket = net.connect(port, "127.0.0.1");
        c.socket.setTimeout(timeoutMs, () => c.socket.destroy(new Error("no answer")));
        c.socket.on("data", (data) => c.#data(data));
        c.socket.on("error", (error) => c.#fail(error));
        c.socket.on("close", () => c.#fail(new Error("closed")));
        return c.ask("AUTH", password).then(() => c);
    }
    #data(data) {
        this.pending = Buffer.concat([this.pending, data]);
        let at = 0;
        for (let reply; this.waiting.length && (reply = parse(this.pending, at)); at = reply[1]) {
            const { resolve, reject } = this.waiting.shift();
            if (reply[0] instanceof Error) reject(reply[0]);
            else resolve(reply[0]);
        }
        this.pending = this.pending.subarray(at);
    }
    #fail(error) {
        for (const { reject } of this.waiting.splice(0)) reject(error);
    }
    ask(...words) {
        const parts = words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`);
        return new Promise((resolve, reject) => {
            this.waiting.push({ resolve, reject });
            if (this.socket.destroyed) this.#fail(new Error("closed"));
            else this.socket.write(`*${words.length}\r\n${parts.join("")}`);
        });
    }
    close() {
        this.socket.destroy();
    }
}
