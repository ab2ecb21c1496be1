// SPDX-License-Identifier: Apache-2.0
// The list of regions: what is believed, what is remembered, who is near, who answers.
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { isSigned } from "../../../../edge/web/client/jws.js";
import { RegionList } from "../../../../edge/web/client/region_list.js";

const edge = (id) => ({ id, ws: `ws://${id}/v1/ws` });
const REGIONS = [
    { name: "us", edges: [edge("us-1"), edge("us-2"), edge("us")] },
    { name: "eu", edges: [edge("eu-1"), edge("eu")] },
    { name: "asia", edges: [edge("asia")] },
    { name: "full", edges: [] },
];
const listOf = (regions = REGIONS, expiresAtMs = 1000) => JSON.stringify({ regions, expiresAtMs });

const keys = { ES256: generateKeyPairSync("ec", { namedCurve: "P-256" }), EdDSA: generateKeyPairSync("ed25519") };
const base64url = (data) => Buffer.from(data).toString("base64url");
const jwkOf = (alg) => ({ ...keys[alg].publicKey.export({ format: "jwk" }), kid: `k-${alg}` });
function signed(text, alg = "ES256", header = { alg, kid: `k-${alg}` }) {
    const head = base64url(JSON.stringify(header));
    const input = Buffer.from(`${head}.${base64url(text)}`);
    const { privateKey } = keys[alg];
    const value = alg === "EdDSA" ? sign(null, input, privateKey) : sign("sha256", input, { key: privateKey, dsaEncoding: "ieee-p1363" });
    return `${head}..${base64url(value)}`;
}

/* A web of hosts: each a function of the path, or what it answers to /v1/regions; others are not there. */
function web(hosts) {
    const asked = [];
    const fetch = async (address) => {
        const { host, pathname } = new URL(address);
        asked.push(`${host}${pathname}`);
        const answer = hosts[host];
        if (answer === undefined) throw new TypeError("fetch failed");
        if (pathname === "/v1/ping") return { ok: answer !== 503, status: answer === 503 ? 503 : 204 };
        const { text, signature = null } = answer;
        return { ok: text !== undefined, text: async () => text, headers: new Map([["Meridian-Signature", signature]]) };
    };
    return { fetch, asked };
}

function memory(kept = null) {
    return { kept, load() { return this.kept; }, save(value) { this.kept = JSON.parse(JSON.stringify(value)); } };
}

test("asked at the first origin that answers; regions that take nobody are passed over; chance among edges, the shared address last", async () => {
    const { fetch, asked } = web({ second: { text: listOf() } });
    const list = new RegionList({ urls: ["http://second"], fetch, random: () => 0.5 });
    await list.refresh(["http://first"], 0);
    assert.deepEqual(asked, ["first/v1/regions", "second/v1/regions"]);
    assert.deepEqual(list.names, ["us", "eu", "asia"]);
    assert.deepEqual(list.urlsOf("us", "us-2"), ["ws://us-2/v1/ws", "ws://us-1/v1/ws", "ws://us/v1/ws"]);
    assert.deepEqual([list.urlsOf("full"), list.urlsOf("nowhere")], [[], []]);
});

test("a list is asked for again when it has run out by the server's clock, and not before", async () => {
    const { fetch, asked } = web({ a: { text: listOf(REGIONS, 1000) } });
    const list = new RegionList({ urls: ["http://a"], fetch });
    await list.refresh([], 0);
    await list.refresh([], 999);
    assert.equal(asked.length, 1);
    await list.refresh([], 1000);
    assert.equal(asked.length, 2);
    assert.deepEqual([list.isFresh(999), list.isFresh(1000)], [true, false]);
});

test("what is no list, or an older one than the one at hand, changes nothing", async () => {
    const hosts = { a: { text: listOf(REGIONS, 5000) } };
    const list = new RegionList({ urls: ["http://a"], fetch: web(hosts).fetch });
    await list.refresh([], 0);
    const others = [{ name: "mars", edges: [edge("m")] }];
    const bad = [
        "", "{", "null", "[]", "{}", '{"regions": {}, "expiresAtMs": 9000}', '{"regions": [], "expiresAtMs": 9000}', listOf(others, 4999), listOf(others, null),
        '{"regions": [null], "expiresAtMs": 9000}', '{"regions": [{"name": "mars"}], "expiresAtMs": 9000}', listOf(new Array(65).fill(others[0]), 9000), undefined,
    ];
    for (const text of bad) {
        hosts.a = { text };
        await list.refresh([], 6000);
        assert.deepEqual(list.names, ["us", "eu", "asia"], text);
    }
    hosts.a = { text: listOf([{ name: "us", edges: [{ id: "x", ws: "javascript:alert(1)" }, { id: "y" }, null, { id: "z", ws: "https://z" }, edge("us-9")] }], 9000) };
    await list.refresh([], 6000);
    assert.deepEqual(list.urlsOf("us"), ["ws://us-9/v1/ws"], "only sockets' addresses are addresses");
});

test("with keys only a list that one of them signed is believed", async () => {
    const text = listOf();
    const jwks = [jwkOf("ES256"), jwkOf("EdDSA")];
    for (const alg of ["ES256", "EdDSA"]) assert.ok(await isSigned(signed(text, alg), text, jwks), alg);
    const good = signed(text);
    const [head, , value] = good.split(".");
    const bad = [
        null, "", "..", "...", good.slice(0, -2), `${head}.x.${value}`, `${good}.x`, `${head}..`, `!${good}`,
        signed(`${text} `), signed(text, "ES256", { alg: "EdDSA", kid: "k-ES256" }), signed(text, "ES256", { alg: "none", kid: "k-ES256" }),
        signed(text, "ES256", { alg: "ES256", kid: "other" }), signed(text, "ES256", { alg: "ES256" }), signed(text, "ES256", { alg: "ES256", kid: "k-EdDSA" }),
    ];
    for (const signature of bad) assert.equal(await isSigned(signature, text, jwks), false, String(signature));
    assert.equal(await isSigned(good, text, []), false);

    const hosts = { forger: { text, signature: signed(text, "EdDSA") }, honest: { text, signature: good } };
    const list = new RegionList({ urls: ["http://forger", "http://honest"], keys: [jwkOf("ES256")], fetch: web(hosts).fetch });
    await list.refresh([], 0);
    assert.deepEqual(list.names, ["us", "eu", "asia"]);
    const other = new RegionList({ urls: ["http://forger"], keys: [jwkOf("ES256")], fetch: web(hosts).fetch });
    await other.refresh([], 0);
    assert.deepEqual(other.names, []);
});

test("what was learnt is there on the next visit, checked again, and forgotten after a month", async () => {
    const store = memory();
    const text = listOf();
    const { fetch } = web({ a: { text, signature: signed(text) }, "us-1": {}, "us-2": {}, us: {}, "eu-1": {}, eu: {}, asia: {} });
    const first = new RegionList({ urls: ["http://a"], store, fetch, times: { pause: 0 } });
    await first.refresh([], 0);
    await first.measure();
    assert.deepEqual(Object.keys(store.kept.trips).sort(), ["asia", "eu", "us"]);

    store.kept.trips = { us: 80, eu: 20, asia: 150 };
    const none = web({}).fetch;
    const second = new RegionList({ store, keys: [jwkOf("ES256")], fetch: none });
    await second.load();
    assert.deepEqual(second.names, ["eu", "us", "asia"], "nearest first, as measured");
    assert.deepEqual(second.latencyMs, { us: 80, eu: 20, asia: 150 });

    const changed = { ...store.kept, text: text.replace("us-1", "us-0") };
    for (const kept of [changed, { ...store.kept, at: Date.now() - 31 * 86400000 }, { text: "{" }, { at: NaN }, 7]) {
        const list = new RegionList({ store: memory(kept), keys: [jwkOf("ES256")], fetch: none });
        await list.load();
        assert.deepEqual(list.names, []);
    }
    const broken = new RegionList({ store: { load() { throw new Error("private window"); } }, fetch: none });
    await broken.load();
    assert.deepEqual(broken.names, []);
});

test("distances: three round trips a region, one region after the other, and not again soon", async () => {
    const { fetch, asked } = web({ a: { text: listOf() }, "us-1": {}, "us-2": {}, us: {}, "eu-1": {}, eu: {} });
    const list = new RegionList({ urls: ["http://a"], fetch, times: { pause: 0 } });
    await list.measure();
    await list.refresh([], 0);
    asked.length = 0;
    await list.measure();
    assert.deepEqual(asked.map((one) => one.replace(/\/.*/, "").replace(/-\d/, "")), ["us", "us", "us", "eu", "eu", "eu", "asia"]);
    assert.deepEqual(Object.keys(list.latencyMs).sort(), ["eu", "us"], "who does not answer has no distance");
    await list.measure();
    assert.equal(asked.length, 7);
});

test("a region answers when any of its addresses does; a refusal is no answer; the shared address is always among those asked", async () => {
    const regions = [{ name: "us", edges: [...[1, 2, 3, 4, 5, 6, 7].map((i) => edge(`us-${i}`)), edge("us")] }, { name: "eu", edges: [edge("eu")] }];
    const hosts = { a: { text: listOf(regions) }, us: {}, eu: 503 };
    const { fetch, asked } = web(hosts);
    const list = new RegionList({ urls: ["http://a"], fetch });
    await list.refresh([], 0);
    asked.length = 0;
    assert.equal(await list.answers("us"), true);
    assert.deepEqual([asked.length, asked.at(-1)], [2, "us/v1/ping"]);
    asked.length = 0;
    assert.equal(await list.ownAnswers(list.urlsOf("us")), true);
    assert.deepEqual([asked.length, asked.at(-1)], [3, "us/v1/ping"]);
    assert.equal(await list.answers("eu"), false);
    assert.equal(await list.answers("nowhere"), false);
});

test("a place that a server names is looked up in a new list, or in the one at hand when nobody tells one", async () => {
    const hosts = { a: { text: listOf(REGIONS, 1000) } };
    const list = new RegionList({ urls: ["http://a"], fetch: web(hosts).fetch });
    await list.refresh([], 0);
    hosts.a = { text: listOf([{ name: "us", edges: [edge("us-9")] }, ...REGIONS.slice(1)], 2000) };
    assert.deepEqual(await list.locate({ region: "us", edge: "us-9" }), ["ws://us-9/v1/ws"]);
    delete hosts.a;
    assert.deepEqual(await list.locate({ region: "asia" }), ["ws://asia/v1/ws"]);
    assert.deepEqual(await list.locate({}), ["ws://us-9/v1/ws"]);
});

test("a store that throws takes nothing away: the list is used, and the ways are measured", async () => {
    const { fetch, asked } = web({ a: { text: listOf() }, b: { text: listOf() }, "us-1": 204, "us-2": 204, us: 204, "eu-1": 204, eu: 204, asia: 204 });
    const save = () => { throw new Error("QuotaExceededError"); };
    const list = new RegionList({ urls: ["http://a", "http://b"], fetch, store: { load: () => null, save }, times: { pause: 0 } });
    await list.refresh([], 0);
    assert.deepEqual(asked, ["a/v1/regions"]);
    await list.measure();
    assert.equal(Object.keys(list.latencyMs).length, 3);
});

test("a wish names the nearest regions of the list, and no more than it may", async () => {
    const regions = Array.from({ length: 20 }, (_, i) => ({ name: `r${i}`, edges: [edge(`r${i}`)] }));
    const trips = { former: 1, ...Object.fromEntries(regions.map(({ name }, i) => [name, 10 + i])) };
    const list = new RegionList({ store: memory({ text: listOf(regions), signature: null, at: Date.now(), trips }) });
    await list.load();
    assert.deepEqual(Object.keys(list.latencyMs), regions.slice(0, 16).map(({ name }) => name));
});
