// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { guestTokens } from "../../../../edge/web/client/guest.js";
import { ServerClock } from "../../../../edge/web/client/clock.js";
import { Tokens } from "../../../../edge/web/client/tokens.js";

const HOUR_MS = 3600000;

/* A guest endpoint: answers from a list and keeps what it was asked. */
function endpoint(...answers) {
    const asked = [];
    const fetch = async (url, init) => {
        asked.push({ path: new URL(url).pathname, bearer: init.headers.Authorization ?? null, body: JSON.parse(init.body) });
        const { status = 200, body = {}, headers } = answers[Math.min(asked.length, answers.length) - 1];
        return { ok: status === 200, status, headers: new Headers(headers), json: async () => body };
    };
    return { fetch, asked };
}

const given = (token, leftMs = HOUR_MS) => ({ body: { token, user: "u", expiresAtMs: Date.now() + leftMs } });

test("a guest asks by name once and keeps the token", async () => {
    const { fetch, asked } = endpoint(given("t1"));
    const tokens = guestTokens({ url: "http://x", name: () => "Ann", fetch });
    assert.equal((await tokens({ reason: "start" })).token, "t1");
    assert.equal((await tokens({ reason: "start" })).token, "t1");
    assert.deepEqual(asked, [{ path: "/v1/guest", bearer: null, body: { name: "Ann" } }]);
});

test("renewing presents the old token so that the user stays the same", async () => {
    const { fetch, asked } = endpoint(given("t1"), given("t2"));
    const tokens = guestTokens({ url: "http://x", fetch });
    await tokens({ reason: "start" });
    assert.equal((await tokens({ reason: "expiring" })).token, "t2");
    assert.equal(asked[1].bearer, "Bearer t1");
});

test("a kept token near its end, or under another name, is renewed before use", async () => {
    let name = "Ann";
    const { fetch, asked } = endpoint(given("t1", 1000), given("t2"), given("t3"));
    const tokens = guestTokens({ url: "http://x", name: () => name, fetch });
    await tokens({ reason: "start" });
    assert.equal((await tokens({ reason: "start" })).token, "t2");
    name = "Bea";
    assert.equal((await tokens({ reason: "start" })).token, "t3");
    assert.deepEqual(asked[2], { path: "/v1/guest", bearer: "Bearer t2", body: { name: "Bea" } });
});

test("a token too old to renew makes a new guest, an overloaded server does not", async () => {
    const { fetch, asked } = endpoint(given("t1"), { status: 401 }, given("t2"));
    const tokens = guestTokens({ url: "http://x", fetch });
    await tokens({ reason: "start" });
    assert.equal((await tokens({ reason: "expired" })).token, "t2");
    assert.deepEqual(asked.map((one) => one.bearer), [null, "Bearer t1", null]);

    const busy = endpoint(given("t1"), { status: 503, body: { error: { code: "overloaded", retryAfterMs: 700 } } });
    const same = guestTokens({ url: "http://x", fetch: busy.fetch });
    await same({ reason: "start" });
    await assert.rejects(same({ reason: "expired" }), { code: "overloaded", retryAfterMs: 700 });
    assert.equal(busy.asked.length, 2);
});

test("a refusal that says when only in its header is understood, too", async () => {
    const refused = { status: 503, headers: { "Retry-After": "3" } };
    const tokens = guestTokens({ url: "http://x", fetch: endpoint(refused).fetch });
    await assert.rejects(tokens({ reason: "start" }), { code: "guest_refused", retryAfterMs: 3000 });
});

test("a rejected token is never presented again", async () => {
    const { fetch, asked } = endpoint(given("t1"), given("t2"));
    const tokens = guestTokens({ url: "http://x", fetch });
    await tokens({ reason: "start" });
    await tokens({ reason: "rejected" });
    assert.equal(asked[1].bearer, null);
});

test("a store that throws keeps nobody from playing, and the guest stays the same", async () => {
    const { fetch, asked } = endpoint(given("t1"), given("t2"));
    const broken = () => { throw new Error("QuotaExceededError"); };
    const tokens = guestTokens({ url: "http://x", fetch, store: { load: broken, save: broken } });
    assert.equal((await tokens({ reason: "start" })).token, "t1");
    assert.equal((await tokens({ reason: "expiring" })).token, "t2");
    assert.equal(asked[1].bearer, "Bearer t1");
});

test("the same token after a rejection is final", async () => {
    const tokens = new Tokens(async () => "same", new ServerClock());
    await tokens.get();
    tokens.need("rejected");
    await assert.rejects(tokens.get(), { code: "token_rejected", fatal: true });
});

test("a failed renewal leaves the present token in use", async () => {
    let up = true;
    const tokens = new Tokens(async () => {
        if (!up) throw new Error("down");
        return "t1";
    }, new ServerClock());
    await tokens.get();
    up = false;
    await assert.rejects(tokens.renew("expiring"));
    assert.equal(await tokens.get(), "t1");
});

test("refused by the server while a renewal failed: the refused token is not presented again", async () => {
    const asked = [];
    let fail;
    const tokens = new Tokens(({ reason }) => (asked.push(reason), reason === "expiring" ? new Promise((_, reject) => (fail = reject)) : Promise.resolve(`t${asked.length}`)), new ServerClock());
    await tokens.get();
    const renewal = tokens.renew("expiring");
    tokens.need("rejected");
    fail(new Error("down"));
    await assert.rejects(renewal);
    assert.equal(await tokens.get(), "t3");
    assert.deepEqual(asked, ["start", "expiring", "rejected"]);
});

test("renewal is planned by the server's clock, not by ours", async () => {
    const clock = new ServerClock();
    const serverNow = Date.now() - 24 * HOUR_MS;
    const tokens = new Tokens(async () => ({ token: "t", expiresAtMs: serverNow + 300000 }), clock);
    await tokens.get();
    assert.equal(tokens.renewInMs(), null);
    const now = Date.now();
    clock.measure(now, now, now - 24 * HOUR_MS);
    assert.ok(Math.abs(tokens.renewInMs() - 210000) < 2000);
});

test("the expiry is read from the token when the provider does not tell it", async () => {
    const clock = new ServerClock();
    clock.measure(Date.now(), Date.now(), Date.now());
    const claims = Buffer.from(JSON.stringify({ exp: Math.floor(Date.now() / 1000) + 60 })).toString("base64url");
    const tokens = new Tokens(async () => `h.${claims}.s`, clock);
    await tokens.get();
    assert.ok(Math.abs(tokens.renewInMs() - 40000) < 2000);
    const opaque = new Tokens(async () => "opaque", clock);
    await opaque.get();
    assert.equal(opaque.renewInMs(), null);
});

test("a clock that was set is noticed with the next measurement, whichever clock it was and however it was set", () => {
    for (const stepMs of [HOUR_MS, -HOUR_MS]) {
        let now = 1e9;
        const clock = new ServerClock(() => now);
        clock.measure(now - 10, now, now);
        now += stepMs;
        clock.measure(now - 80, now, now - stepMs);
        assert.ok(Math.abs(clock.serverNow() - (now - stepMs)) <= 40, "ours");
        clock.measure(now - 80, now, now + 7 * HOUR_MS);
        assert.ok(Math.abs(clock.serverNow() - (now + 7 * HOUR_MS)) <= 40, "the server's");
    }
});

test("a measurement during which our clock was set back counts for nothing", () => {
    const clock = new ServerClock(() => 1e9);
    clock.measure(1e9 - 10, 1e9, 1e9);
    clock.measure(1e9 + HOUR_MS, 1e9, 1e9);
    assert.equal(clock.tripMs, 10);
    assert.ok(Math.abs(clock.serverNow() - 1e9) <= 5);
});

test("of several measurements the one with the shortest trip is believed", () => {
    const clock = new ServerClock(() => 10000);
    clock.measure(9000, 9800, 5000);
    clock.measure(9900, 9910, 1009905);
    assert.equal(clock.serverNow(), 1010000);
    assert.equal(clock.tripMs, 10);
});
