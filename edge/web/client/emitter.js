// SPDX-License-Identifier: Apache-2.0
// emitter.js - named events with as many handlers as wanted; no dependence on a browser.
//
// A handler that throws must not keep the others, or the connection, from going on: its error is thrown
// again on a turn of its own, where the host reports it as it reports any other.

/** Calls handlers by event name; the name `*` hears everything as (name, value). */
export class Emitter {
    #handlers = new Map();

    /**
     * Adds a handler. It is called until it is taken off again.
     * @param {string} name
     * @param {(value: any) => void} handler
     * @returns {() => void} takes the handler off; calling it twice does nothing
     */
    on(name, handler) {
        if (!this.#handlers.has(name)) this.#handlers.set(name, new Set());
        this.#handlers.get(name).add(handler);
        return () => this.#handlers.get(name).delete(handler);
    }

    /** Like `on`, for one event only. */
    once(name, handler) {
        const off = this.on(name, (value) => {
            off();
            handler(value);
        });
        return off;
    }

    /** Calls the handlers of `name`, then those of `*`. */
    emit(name, value) {
        for (const handler of [...(this.#handlers.get(name) ?? [])]) call(handler, value);
        for (const handler of [...(this.#handlers.get("*") ?? [])]) call(handler, name, value);
    }
}

function call(handler, ...values) {
    try {
        handler(...values);
    } catch (error) {
        queueMicrotask(() => {
            throw error;
        });
    }
}
