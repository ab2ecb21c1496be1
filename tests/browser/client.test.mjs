// SPDX-License-Identifier: Apache-2.0
// client.test.mjs - the client library in a real browser: the rest of an idle player (R16), servers that are too busy (R25), and the library on
// a page that is not ours.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { edgeOf, gameBegins, launch, play, readEndpoints, readResult, shoot, visit } from "./browser.mjs";

const QUICK = '#board-choice input[value="2x3"]';

let browser;
let edges;
let region;
before(async () => {
    [region] = readEndpoints().regions;
    edges = region.edges;
    browser = await launch();
});
after(() => browser?.close());

const line = (page, state) => page.waitForSelector(`#line[data-state="${state}"]`, { timeout: 30000 });

test("a page where nothing happens for five minutes disconnects, and the next wish connects it again", { timeout: 120000 }, async () => {
    const page = await visit(browser, edges[0].url, { prepare: (made) => made.clock.install() });
    await page.fill("#name", "Ida");
    await page.check(QUICK, { force: true });
    await page.click("#bot");
    await gameBegins(page);
    await page.clock.runFor(1000);
    await page.click("#leave");
    await page.click("#confirm-leave");
    await page.waitForSelector("#lobby:not([hidden])");
    await line(page, "ready");
    await page.clock.fastForward("05:01");
    await line(page, "idle");
    assert.equal(await page.textContent("#line-text"), "resting");
    assert.ok(await page.isHidden("#banner"), "resting is no fault");
    await page.clock.fastForward("30:00");
    assert.equal(await page.getAttribute("#line", "data-state"), "idle");
    await page.click("#bot");
    await page.clock.runFor(1000);
    await gameBegins(page);
    await line(page, "ready");
    assert.deepEqual(page.complaints, []);
    await page.context().close();
});

test("the library alone, on a page of nobody: it rests after the time given and comes back with the next request", { timeout: 120000 }, async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${edges[0].url}/favicon.svg`);
    await page.goto(`${edges[0].url}/v1/regions`); /* any page of the origin will do: the library needs none of ours */
    const seen = await page.evaluate(async () => {
        const { guestTokens, MeridianClient } = await import("/meridian.js");
        const client = new MeridianClient({ urls: [location.origin], tokens: guestTokens({ url: location.origin }), times: { idle: 400 } });
        const states = [];
        const arrive = (wanted) => new Promise((resolve) => client.on("state", ({ state }) => state === wanted && resolve()));
        client.on("state", ({ state }) => states.push(state));
        client.connect();
        await arrive("ready");
        await arrive("idle");
        const ticket = await client.findMatch({ players: 4, rows: 10, cols: 10 });
        await new Promise((resolve) => setTimeout(resolve, 1000));
        const awake = client.state; /* a waiting ticket is no idleness */
        await client.cancelMatch(ticket.ticketId);
        await arrive("idle");
        client.close();
        return { states, ticket: ticket.state, awake };
    });
    assert.deepEqual(seen.states, ["connecting", "ready", "idle", "connecting", "ready", "idle", "closed"]);
    assert.deepEqual([seen.ticket, seen.awake], ["waiting", "ready"]);
    await context.close();
});

test("a server too busy for a new game is a wait with a clock, and the game comes", { timeout: 120000 }, async () => {
    const asked = [];
    const busy = async (page) => {
        await page.routeWebSocket(edges[0].ws, (route) => {
            const server = route.connectToServer();
            route.onMessage((text) => {
                const { type } = JSON.parse(text);
                if (type === "find_match") asked.push(Date.now());
                if (type !== "find_match" || asked.length > 2) server.send(text);
                else route.send(JSON.stringify({ type: "error", code: "overloaded", message: "too many new games", re: "find_match", retryAfterMs: 2500 }));
            });
        });
    };
    const page = await visit(browser, edges[0].url, { prepare: busy, colorScheme: "dark" });
    await page.fill("#name", "Bo");
    await page.check(QUICK, { force: true });
    await page.click("#bot");
    await page.waitForSelector('#waiting-reason:has-text("It is very busy right now. You need not do anything.")');
    assert.match(await page.textContent("#waiting-more"), /Asking again( in \d s)?…/);
    await shoot(page, "7-busy-waiting");
    await gameBegins(page);
    assert.equal(asked.length, 3);
    for (const [i, at] of asked.entries()) if (i > 0) assert.ok(at - asked[i - 1] >= 2400, `${at - asked[i - 1]} ms`);
    assert.equal(await page.locator(".toast").count(), 0, "no word of an error");
    await play(page);
    assert.equal((await readResult(page)).reduce((sum, { pairs }) => sum + pairs, 0), 3);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
});

test("guests refused with a time to wait are not a dead end", { timeout: 120000 }, async () => {
    const asked = [];
    const prepare = (page) =>
        page.route("**/v1/guest", (route) => {
            asked.push(Date.now());
            if (asked.length > 1) return route.continue();
            const error = { code: "overloaded", message: "too many guests at once", retryAfterMs: 2000 };
            return route.fulfill({ status: 503, headers: { "Retry-After": "2" }, json: { error } });
        });
    const page = await visit(browser, edges[0].url, { prepare, watched: true });
    await page.fill("#name", "Gus");
    await page.click("#bot");
    await gameBegins(page);
    assert.ok(asked[1] - asked[0] >= 2000, `${asked[1] - asked[0]} ms`);
    const bars = (await page.evaluate(() => window.banners)).join("\n");
    assert.match(bars, /The server is very busy\.\s+Next try in \d s\.[^]*Connected\./);
    assert.doesNotMatch(bars, /Try now/, "a time that the server asked for is not cut short");
    assert.deepEqual(page.complaints, []);
    await page.context().close();
});

/* Stands before an edge and refuses the first upgrades, as a server does that is full; `knocks` are their times. */
async function fullFor(refusals, edge) {
    const knocks = [];
    const gate = createServer();
    const sockets = new Set();
    gate.on("upgrade", (request, socket, head) => {
        sockets.add(socket.on("error", () => {}));
        knocks.push(performance.now());
        if (knocks.length <= refusals) return socket.end("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n");
        const { hostname, port } = new URL(edge.url);
        const inner = connect(port, hostname, () => {
            const lines = request.rawHeaders.map((text, i) => (i % 2 ? `${text}\r\n` : `${text}: `)).join("");
            inner.write(`GET ${request.url} HTTP/1.1\r\n${lines}\r\n`);
            inner.write(head);
            socket.pipe(inner).pipe(socket);
        });
        sockets.add(inner.on("error", () => {}));
    });
    await new Promise((resolve) => gate.listen(0, "127.0.0.1", resolve));
    const close = () => (sockets.forEach((socket) => socket.destroy()), gate.close());
    return { url: `http://127.0.0.1:${gate.address().port}`, knocks, close };
}

test("refused upgrades are answered by longer and longer pauses, and what was asked meanwhile is done in the end", { timeout: 120000 }, async () => {
    const gate = await fullFor(3, edges[0]);
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${edges[0].url}/v1/regions`);
    const seen = await page.evaluate(async (url) => {
        const { guestTokens, MeridianClient } = await import("/meridian.js");
        const client = new MeridianClient({ urls: [url], tokens: guestTokens({ url: location.origin }) });
        const waits = [];
        client.on("state", ({ state, delayMs }) => state === "waiting" && waits.push(delayMs));
        client.connect();
        const answer = await client.findMatch({ bots: "now" });
        client.close();
        return { type: answer.type, waits };
    }, gate.url);
    assert.ok(["ticket", "matched"].includes(seen.type));
    assert.equal(gate.knocks.length, 4);
    for (const [i, [low, high]] of [[500, 1000], [1000, 2000], [2500, 5000]].entries()) {
        assert.ok(seen.waits[i] >= low && seen.waits[i] <= high, `pause ${i}: ${seen.waits[i]} ms`);
        assert.ok(gate.knocks[i + 1] - gate.knocks[i] >= low, "it kept to it");
    }
    await context.close();
    gate.close();
});

test("an edge wished for in the address is tried first, and one that is not there is passed over", { timeout: 120000 }, async () => {
    const page = await visit(browser, `${region.play.url}/?edge=${edges[1].url}`);
    await page.fill("#name", "Eda");
    await page.click("#bot");
    await gameBegins(page);
    assert.equal(await edgeOf(page), edges[1].id);
    await page.goto(`${region.play.url}/?edge=http://127.0.0.1:9`);
    await page.waitForSelector("#game:not([hidden]) .card", { timeout: 30000 });
    await line(page, "ready");
    await page.context().close();
});

test("the sample of edge/web/README.md is a game that can be played to its end", { timeout: 120000 }, async () => {
    const text = readFileSync(new URL("../../edge/web/README.md", import.meta.url), "utf8");
    const [html, js] = ["html", "js"].map((kind) => new RegExp("```" + kind + "\n([^]*?)```").exec(text)[1]);
    const context = await browser.newContext();
    const page = await context.newPage();
    const problems = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("dialog", (dialog) => (problems.push(dialog.message()), dialog.dismiss()));
    await page.route("**/my-login/game-token", async (route) => {
        const answer = await fetch(`${edges[0].url}/v1/guest`, { method: "POST", body: "{}" });
        await route.fulfill({ json: { token: (await answer.json()).token } });
    });
    await page.goto(`${edges[0].url}/v1/regions`); /* an empty page of that origin */
    await page.setContent(html.replace(/<script.*<\/script>/, ""));
    const content = js.replace("https://play.example", edges[0].url).replace("./meridian.js", "/meridian.js").replace('"fill"', '"now"').replace("rows: 4", "rows: 2");
    await page.addScriptTag({ type: "module", content });
    const deadline = Date.now() + 90000;
    while (!(await page.textContent("#line")).startsWith("points:")) {
        assert.ok(Date.now() < deadline, `${await page.textContent("#line")}: ${problems}`);
        const free = page.locator("#board button:enabled");
        const count = await free.count();
        if (count) await free.nth(Math.floor(Math.random() * count)).click({ timeout: 500 }).catch(() => {}); /* the board changes meanwhile */
        await page.waitForTimeout(200);
    }
    assert.match(await page.textContent("#line"), /^points: \d : \d$/);
    assert.deepEqual(problems.filter((one) => !/cannot be turned|not.*turn|already|up/i.test(one)), [], "a card may be clicked twice, nothing else goes wrong");
    await context.close();
});
