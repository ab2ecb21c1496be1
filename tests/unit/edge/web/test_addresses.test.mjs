// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { Addresses } from "../../../../edge/web/client/addresses.js";
import { regionUrls } from "../../../../edge/web/client/regions.js";

test("an origin gets the path and the scheme of the connection, a whole address stays", () => {
    const urls = ["https://play.example", "http://127.0.0.1:81", "wss://a.example/other?x=1"];
    assert.deepEqual(new Addresses(urls).all, [
        "wss://play.example/v1/ws", "ws://127.0.0.1:81/v1/ws", "wss://a.example/other?x=1",
    ]);
});

test("addresses that fail are passed over in a ring", () => {
    const addresses = new Addresses(["ws://a/x", "ws://b/x"]);
    assert.equal(addresses.current, "ws://a/x");
    addresses.next();
    assert.deepEqual(addresses.all, ["ws://b/x", "ws://a/x"]);
    addresses.next();
    assert.equal(addresses.current, "ws://a/x");
});

test("spare addresses come after the present one and those given, and are not asked for again soon", async () => {
    const asked = [];
    const locate = async (to) => {
        asked.push(to);
        return ["ws://c/x", "ws://b/x"];
    };
    const addresses = new Addresses(["ws://a/x", "ws://b/x"], locate);
    addresses.next();
    await addresses.findSpares("us", 60000);
    assert.deepEqual(addresses.all, ["ws://b/x", "ws://a/x", "ws://c/x"]);
    await addresses.findSpares("us", 60000);
    assert.deepEqual(asked, [{ region: "us" }]);
});

test("a lookup that finds nonsense counts as failed", async () => {
    const addresses = new Addresses(["ws://a/x"], async () => ["ws://c/x", "no address"]);
    await addresses.moveTo({ region: "eu" });
    await addresses.findSpares("us", 60000);
    assert.deepEqual(addresses.all, ["ws://a/x"]);
});

test("a lookup that fails or finds nothing changes nothing and may be repeated", async () => {
    const answers = [async () => { throw new Error("down"); }, async () => [], async () => ["ws://c/x"]];
    const addresses = new Addresses(["ws://a/x"], (to) => answers.shift()(to));
    await addresses.findSpares("us", 60000);
    await addresses.findSpares("us", 60000);
    assert.deepEqual(addresses.all, ["ws://a/x"]);
    await addresses.findSpares("us", 60000);
    assert.deepEqual(addresses.all, ["ws://a/x", "ws://c/x"]);
});

test("who is moved goes to the addresses of that place alone", async () => {
    const addresses = new Addresses(["ws://a/x"], async () => ["ws://far1/x", "ws://far2/x"]);
    await addresses.moveTo({ region: "eu" });
    assert.deepEqual(addresses.all, ["ws://far1/x", "ws://far2/x"]);
});

const BODY = {
    regions: [
        { name: "us", edges: [{ id: "u1", ws: "ws://u1/v1/ws" }, { id: "u2", ws: "" }, { id: "u3", ws: "ws://u3/v1/ws" }] },
        { name: "eu", edges: [{ id: "e1", ws: "ws://e1/v1/ws" }] },
    ],
};
const web = (body, asked = []) => async (url) => (asked.push(String(url)), { ok: true, json: async () => body });

test("the edges of a region are found, those without an address of their own left out, the named one first", async () => {
    const asked = [];
    const locate = regionUrls({ url: "http://play:7350/page", fetch: web(BODY, asked), random: () => 0 });
    assert.deepEqual(await locate({ region: "us", edge: "u3" }), ["ws://u3/v1/ws", "ws://u1/v1/ws"]);
    assert.deepEqual(await locate({ region: "eu" }), ["ws://e1/v1/ws"]);
    assert.deepEqual(await locate({}), ["ws://u1/v1/ws", "ws://u3/v1/ws"]);
    assert.deepEqual(await locate({ region: "nowhere" }), []);
    assert.equal(asked[0], "http://play:7350/v1/regions");
});

test("chance orders the edges, so that a crowd spreads", async () => {
    const numbers = [0.9, 0.5, 0.1];
    const locate = regionUrls({ url: "http://play", fetch: web(BODY), random: () => numbers.shift() });
    assert.deepEqual(await locate({ region: "us" }), ["ws://u3/v1/ws", "ws://u1/v1/ws"]);
});
