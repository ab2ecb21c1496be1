// SPDX-License-Identifier: Apache-2.0
// A receiver of OTLP over HTTP, in its JSON form: what a collector or Jaeger would make of what it is sent, by the page of the protocol alone.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { until } from "../faults/own.mjs";

export const INTERNAL = 1, SERVER = 2, CLIENT = 3, CONSUMER = 5; // kinds of spans
export const named = (spans, name) => spans.filter((span) => span.name === name);
export const only = (spans, name) => {
    const found = named(spans, name);
    assert.equal(found.length, 1, `${name} in ${spans.map((span) => span.name)}`);
    return found[0];
};

// Of a ticket that ended in this game: a match that was undone on the way, because an edge was slow, has spans of its own.
export const ledTo = (gameId) => (span) => (span["meridian.game"] ?? gameId) === gameId;

const textsOf = (attributes) => Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));

// One span, its ids and times checked as the protocol wants them.
function spanOf(span, resource) {
    assert.match(span.traceId, /^(?!0{32})[0-9a-f]{32}$/);
    assert.match(span.spanId, /^(?!0{16})[0-9a-f]{16}$/);
    assert.match(span.parentSpanId ?? "0000000000000001", /^(?!0{16})[0-9a-f]{16}$/);
    assert.ok(Number.isInteger(span.kind) && span.kind >= 1 && span.kind <= 5, `kind ${span.kind}`);
    const [start, end] = [span.startTimeUnixNano, span.endTimeUnixNano].map((text) => {
        assert.match(text, /^[0-9]{19}$/);
        return BigInt(text);
    });
    assert.ok(start <= end, `${span.name} ends before it begins`);
    return { trace: span.traceId, id: span.spanId, parent: span.parentSpanId, name: span.name, kind: span.kind, start, end,
        error: span.status?.message, ...textsOf(span.attributes), resource };
}

export class Receiver {
    constructor() {
        this.spans = [];
        this.wrong = []; // what a receiver would not have taken
        this.server = http.createServer((request, response) => this.take(request, response));
    }
    // Every edge and router that this process starts from now on traces all it can, and sends it here.
    async listen() {
        this.server.listen(0, "127.0.0.1");
        await once(this.server, "listening");
        process.env.MERIDIAN_TRACE_ENDPOINT = `http://127.0.0.1:${this.server.address().port}`;
        process.env.MERIDIAN_TRACE_PER_MILLION = "1000000";
    }
    async close() {
        this.server.closeAllConnections();
        this.server.close();
        await once(this.server, "close");
    }
    async take(request, response) {
        const parts = [];
        for await (const part of request) parts.push(part);
        try {
            assert.equal(`${request.method} ${request.url} ${request.headers["content-type"]}`, "POST /v1/traces application/json");
            for (const { resource, scopeSpans } of JSON.parse(Buffer.concat(parts)).resourceSpans)
                for (const { spans } of scopeSpans) this.spans.push(...spans.map((span) => spanOf(span, textsOf(resource.attributes))));
            response.writeHead(200, { "content-type": "application/json" }).end('{"partialSuccess":{}}');
        } catch (error) {
            this.wrong.push(error);
            response.writeHead(400).end();
        }
    }

    of(trace, counts = () => true) {
        return this.spans.filter((span) => span.trace === trace && counts(span));
    }
    // The one trace that this traceparent began, once it has so many spans that count.
    async whole(trace, count, counts) {
        await until(`${count} spans of trace ${trace}`, () => this.of(trace, counts).length >= count, 60_000).catch((error) => {
            throw new Error(`${error.message}; there are ${this.of(trace).map(({ name, resource }) => `${name} of ${resource["service.instance.id"]}`).join(", ")}`);
        });
        const spans = this.of(trace, counts);
        assert.equal(spans.length, count, spans.map(({ name }) => name).join());
        return spans;
    }
}
