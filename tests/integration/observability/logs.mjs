// SPDX-License-Identifier: Apache-2.0
// What infra/observability/logs says of our log lines, and whether a line is one of those; and an Elasticsearch that is none: it takes bulks as
// the real one does and keeps the documents.
import { readFileSync, readdirSync } from "node:fs";
import http from "node:http";
import path from "node:path";
import { root } from "./rules.mjs";

export const logs = path.join(root, "infra/observability/logs");
const TYPES = { time: "date", text: "keyword", count: "unsigned_long", number: "long", "yes/no": "boolean" };

// fields.md: {head: {name: type}, body: {name: type}}, types as Elasticsearch calls them.
export function table() {
    const [, head, body] = readFileSync(path.join(logs, "fields.md"), "utf8").split(/^## /m);
    const rows = (text) => Object.fromEntries([...text.matchAll(/^\| `(\w+)` \| ([a-z/]+) \|/gm)].map(([, name, type]) => [name, TYPES[type] ?? type]));
    return { head: rows(head), body: rows(body) };
}
export const template = () => JSON.parse(readFileSync(path.join(logs, "index-template.json"), "utf8"));

const takes = {
    date: (v) => typeof v === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(v) && !Number.isNaN(Date.parse(v)),
    keyword: (v) => typeof v === "string" && v.length <= 1024,
    unsigned_long: (v) => /^\d+$/.test(String(v)) && typeof v === "number",
    long: (v) => Number.isInteger(v),
    boolean: (v) => typeof v === "boolean",
};

// What is wrong with a line, or undefined. A name said twice is lost on JSON.parse: Elasticsearch refuses such a document.
export function unfit(line, types) {
    let said;
    try {
        said = JSON.parse(line);
    } catch {
        return `no JSON: ${line}`;
    }
    const names = [...line.matchAll(/"((?:[^"\\]|\\.)*)"(:?)/g)].filter(([, , colon]) => colon).map(([, name]) => name);
    if (new Set(names).size !== names.length) return `a name twice: ${line}`;
    for (const name of ["ts", "level", "event"]) if (!(name in said)) return `no ${name}: ${line}`;
    if (!/^[a-z]+\.[a-z_]+$/.test(said.event) || !["error", "warn", "info", "debug"].includes(said.level)) return `event or level: ${line}`;
    for (const [name, value] of Object.entries(said)) {
        if (!(name in types)) return `${name} is not in fields.md: ${line}`;
        if (value !== null && !takes[types[name]](value)) return `${name} is no ${types[name]}: ${line}`;
    }
    return undefined;
}

// Every field that the code logs: {name: Set of types}.
export function logged() {
    const kinds = { STR: "keyword", U64: "unsigned_long", I64: "long", F64: "double", BOOL: "boolean" };
    const out = {};
    const files = ["edge", "region-router", "geo", "infra"].flatMap((dir) => readdirSync(path.join(root, dir), { recursive: true }).filter((f) => /\.[ch]$/.test(f)).map((f) => path.join(root, dir, f)));
    for (const file of files.filter((name) => !name.endsWith("infra/platform/log.c")))
        for (const [, kind, name] of readFileSync(file, "utf8").matchAll(/\bKV_(STR|U64|I64|F64|BOOL)\(\s*"(\w+)"/g)) (out[name] ??= new Set()).add(kinds[kind]);
    return out;
}

// What the logger itself puts into lines.
export const heads = () => new Set([...readFileSync(path.join(root, "infra/platform/log.c"), "utf8").matchAll(/\\"([a-z_]+)\\":|(?:KV_STR\(|put_hex\(out, )"([a-z_]+)"/g)].map(([, a, b]) => a ?? b));

// {url, documents, end()}: documents are [id, document].
export async function elasticsearch() {
    const documents = [];
    const server = http.createServer((request, answer) => {
        const parts = [];
        request.on("data", (part) => parts.push(part)).on("end", () => {
            const lines = Buffer.concat(parts).toString().split("\n").filter(Boolean);
            const items = [];
            if (request.url.startsWith("/_bulk"))
                for (let i = 0; i + 1 < lines.length; i += 2) {
                    const { create } = JSON.parse(lines[i]);
                    documents.push([create, lines[i + 1]]);
                    items.push({ create: { _index: create._index, _id: create._id, status: 201, result: "created" } });
                }
            answer.setHeader("content-type", "application/json");
            answer.end(JSON.stringify({ took: 1, errors: false, items }));
        });
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { url: `http://127.0.0.1:${server.address().port}`, documents, end: () => new Promise((resolve) => { server.closeAllConnections(); server.close(resolve); }) };
}
