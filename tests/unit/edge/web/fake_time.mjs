// SPDX-License-Identifier: Apache-2.0
// fake_time.mjs - five minutes in no time: timers and clocks that only a test moves, and a socket without a network.

/** Replaces timers, Date.now and performance.now until restore() is called. */
export function fakeTime() {
    const real = { setTimeout, clearTimeout, setInterval, clearInterval, dateNow: Date.now, perfNow: performance.now };
    const timers = new Map();
    let nowMs = 1_000_000_000_000;
    let last = 0;
    let stepMs = 0;
    const add = (run, ms, everyMs) => {
        timers.set(++last, { run, everyMs, atMs: nowMs + Math.max(0, ms ?? 0) });
        return last;
    };
    globalThis.setTimeout = (run, ms) => add(run, ms, null);
    globalThis.setInterval = (run, ms) => add(run, ms, Math.max(1, ms));
    globalThis.clearTimeout = globalThis.clearInterval = (id) => timers.delete(id);
    Date.now = () => nowMs + stepMs;
    performance.now = () => nowMs;
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    return {
        get now() {
            return nowMs;
        },
        /** Sets the wall clock forward, or back. */
        step(ms) {
            stepMs += ms;
        },
        /** How many timers are set. */
        get timers() {
            return timers.size;
        },
        /** Lets `ms` pass: every timer that comes due fires in its order, promises settle in between. */
        async pass(ms) {
            const end = nowMs + ms;
            await settle();
            for (;;) {
                const due = [...timers].filter(([, timer]) => timer.atMs <= end).sort((a, b) => a[1].atMs - b[1].atMs)[0];
                if (!due) break;
                const [id, timer] = due;
                nowMs = Math.max(nowMs, timer.atMs);
                if (timer.everyMs === null) timers.delete(id);
                else timer.atMs = nowMs + timer.everyMs;
                timer.run();
                await settle();
            }
            nowMs = end;
        },
        restore() {
            Object.assign(globalThis, {
                setTimeout: real.setTimeout, clearTimeout: real.clearTimeout,
                setInterval: real.setInterval, clearInterval: real.clearInterval,
            });
            Date.now = real.dateNow;
            performance.now = real.perfNow;
        },
    };
}

/**
 * A WebSocket class whose server is `answer(socket, message)`, called for every message of the client; a socket has
 * `say(...messages)` and `hangUp(code, reason)` for the server. `sockets` holds all that were made.
 */
export function fakeSockets(answer) {
    const sockets = [];
    class FakeSocket {
        readyState = 0;
        constructor(url) {
            this.url = url;
            this.madeAt = Date.now();
            this.closedAt = null;
            sockets.push(this);
            queueMicrotask(() => {
                if (answer.refuse?.(this)) return this.hangUp(1006, "");
                this.readyState = 1;
                this.onopen?.();
            });
        }
        send(text) {
            queueMicrotask(() => answer(this, JSON.parse(text)));
        }
        close() {
            this.readyState = 3;
            this.closedAt = Date.now();
        }
        say(...messages) {
            for (const message of messages) this.onmessage?.({ data: JSON.stringify(message) });
        }
        hangUp(code, reason) {
            this.close();
            this.onclose?.({ code, reason });
        }
    }
    return { WebSocket: FakeSocket, sockets };
}
