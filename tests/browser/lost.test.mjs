// SPDX-License-Identifier: Apache-2.0
// lost.test.mjs - the edge of one of two players dies, or leaves: what his page shows, what the other's shows, and that the game goes on to
// its result on the same board (R22, R24).
//
// Each test breaks an edge of the footprint and starts it again, so that the next one finds it whole.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
    assertAccessible, edgeOf, gameBegins, launch, play, readBoard, readEndpoints, readResult, restart, shoot, takenAtLeast, until, visit,
} from "./browser.mjs";

const SLOW_MS = 8000; /* the way to the other edge may take so long; a client gives up a handshake after ten seconds */
const SPARES_MS = 9000; /* by then a client has looked up the other edges: 5 s with jitter, and some room */
const UNNOTICED_S = 0.6; /* only on a machine that is very busy does a planned move take longer */
const REST_MS = 700; /* until cards and toasts have come to rest, for the picture */

let browser;
let edges;

before(async () => {
    browser = await launch();
});
after(() => browser?.close());

/* Two people on two edges in the middle of a game: some pairs are found, and both know the other edges. */
async function table(board, { slow } = {}) {
    edges = readEndpoints().regions[0].edges;
    assert.ok(edges.length >= 2, "this needs two edges");
    const looks = [{ colorScheme: "dark", prepare: slow ? ((page) => slowTo(page, edges[1], slow)) : undefined }, { colorScheme: "light" }];
    const pages = await Promise.all(looks.map((look, i) => visit(browser, edges[i].url, { ...look, watched: true })));
    const [ann, bea] = pages;
    for (const [page, name] of [[ann, "Ann"], [bea, "Bea"]]) {
        await page.fill("#name", name);
        await page.check(`#board-choice input[value="${board}"]`, { force: true });
        await page.uncheck('input[name="fill"]');
        await page.click("#find");
    }
    const began = Date.now();
    await Promise.all(pages.map((page) => gameBegins(page)));
    assert.deepEqual([await edgeOf(ann), await edgeOf(bea)], [edges[0].id, edges[1].id]);
    await Promise.all(pages.map((page) => play(page, { enough: takenAtLeast(2) })));
    await ann.waitForTimeout(Math.max(0, SPARES_MS - (Date.now() - began)));
    return { ann, bea, pages };
}

/* New connections to that edge wait for `seen`: until a page without any was looked at. Whoever comes back says so behind a question mark. */
async function slowTo(page, edge, seen) {
    await page.routeWebSocket((url) => url.href.startsWith(edge.ws), async (route) => {
        await Promise.race([seen, new Promise((resolve) => setTimeout(resolve, SLOW_MS))]);
        route.connectToServer();
    });
}

async function toTheEnd({ ann, bea, pages }, pairs) {
    await Promise.all(pages.map((page) => play(page)));
    const [seenByAnn, seenByBea] = [await readResult(ann), await readResult(bea)];
    assert.deepEqual(seenByAnn, seenByBea);
    assert.equal(seenByAnn.reduce((sum, line) => sum + line.pairs, 0), pairs, "every pair counts once");
}

/* What breaks is told in the console by the browser itself; anything else is a fault of the page. */
const others = (page) => page.complaints.filter((text) => !/WebSocket connection to|ERR_CONNECTION_REFUSED/.test(text));

test("an edge is killed in the middle of a game: the page says so, comes back elsewhere, the game goes on to its result", { timeout: 240000 }, async (t) => {
    let wasSeen;
    const place = await table("4x4", { slow: new Promise((resolve) => (wasSeen = resolve)) });
    const { ann, bea, pages } = place;
    await shoot(ann, "4-killed-before");
    const before = await readBoard(ann);
    process.kill(edges[0].pid, "SIGKILL");
    try {
        await ann.waitForSelector("#banner:not([hidden])", { timeout: 30000 });
        assert.match(await ann.textContent("#banner"), /Connection lost. Your game is safe.\s+Reconnecting…/);
        assert.match(await ann.textContent("#line-text"), /connecting$/);
        assert.ok(same(await readBoard(ann), before), "the board stays on the screen");
        await ann.waitForTimeout(REST_MS);
        await shoot(ann, "4-killed-lost");
        await assertAccessible(ann);
        await shoot(bea, "4-killed-lost-seen-by-the-other");
        wasSeen();

        await ann.waitForSelector('#banner[data-kind="good"]:not([hidden])', { timeout: 30000 });
        assert.equal(await edgeOf(ann), edges[1].id, "it is connected to the other edge now");
        await until("both see the same board", async () => same(await readBoard(ann), await readBoard(bea)));
        const taken = (cards) => cards.flatMap((card, index) => (card.state === "taken" ? [`${index} ${card.picture}`] : []));
        const kept = taken(await readBoard(ann));
        for (const card of taken(before)) assert.ok(kept.includes(card), `${card} is no longer taken`);
        await ann.click("#line summary");
        await shoot(ann, "4-killed-after");
        const log = await ann.$$eval("#wire-log li", (lines) => lines.map((line) => line.textContent).reverse());
        t.diagnostic(log.join(" / "));
        assert.match(log.join("\n"), new RegExp(`Connected to ${edges[0].id}[^]*Connection to ${edges[0].id} lost[^]*Back at ${edges[1].id} after`));
        await ann.keyboard.press("Escape");

        await toTheEnd(place, 8);
        await ann.waitForTimeout(REST_MS);
        await shoot(ann, "4-killed-result");
        const said = (await ann.evaluate(() => window.said)).join("\n");
        assert.match(said, /Connection lost\. Your game is safe\.[^]*Connected again\./, "screen readers heard it");
        assert.deepEqual(pages.flatMap(others), []);
    } finally {
        restart();
    }
    for (const page of pages) await page.context().close();
});

test("an edge that restarts in order moves its players with no more than a note", { timeout: 240000 }, async (t) => {
    const place = await table("2x3");
    const { ann, bea, pages } = place;
    const before = await readBoard(ann);
    process.kill(edges[0].pid, "SIGTERM");
    try {
        await ann.waitForSelector('.toast[data-key="move"]', { timeout: 30000 });
        await shoot(ann, "5-drain-note");
        await until("it is on the other edge", async () => (await edgeOf(ann)) === edges[1].id && (await ann.textContent("#line-text")) === "us-east", 60000);
        await until("both see the same board", async () => same(await readBoard(ann), await readBoard(bea)));
        assert.equal((await readBoard(ann)).length, before.length);
        const log = await ann.$$eval("#wire-log li", (lines) => lines.map((line) => line.textContent).reverse());
        t.diagnostic(log.join(" / "));
        const awayS = Number(new RegExp(`Back at ${edges[1].id} after ([0-9.]+) s`).exec(log.join("\n"))[1]);
        assert.ok(awayS < 5, `${awayS} s`);
        const [heardByAnn, heardByBea] = await Promise.all(pages.map((page) => page.evaluate(() => window.said.join("\n"))));
        assert.match(heardByAnn, /This server restarts\. You move to another one/);
        if (awayS < UNNOTICED_S) {
            assert.match(heardByAnn, /You are on another server now\. Nothing was lost\./);
            assert.deepEqual(await ann.evaluate(() => window.banners), [], "no bar: the interruption was too short to be worth one");
            assert.doesNotMatch(heardByBea, /lost the connection/, "for the other nobody was away");
        }
        await toTheEnd(place, 3);
        assert.deepEqual(pages.flatMap(others), []);
    } finally {
        restart();
    }
    for (const page of pages) await page.context().close();
});

test("with no server anywhere the page says when it tries again, and the button does it at once", { timeout: 240000 }, async () => {
    edges = readEndpoints().regions[0].edges;
    const page = await visit(browser, edges[0].url, { colorScheme: "dark" });
    await page.route("**/v1/regions", (route) => route.abort()); /* it knows this edge alone */
    await page.fill("#name", "Una");
    await page.click("#bot");
    await gameBegins(page);
    const cards = await readBoard(page);
    process.kill(edges[0].pid, "SIGKILL");
    try {
        await page.waitForSelector("#banner-action:not([hidden])", { timeout: 30000 });
        assert.match(await page.textContent("#banner"), /Next try in \d+ s/);
        assert.equal(await page.textContent("#banner-action"), "Try now");
        await shoot(page, "4-killed-alone");
        await page.setViewportSize({ width: 360, height: 740 });
        await page.waitForTimeout(100);
        await shoot(page, "4-killed-alone-phone");
        await assertAccessible(page);
    } finally {
        restart();
    }
    await page.waitForTimeout(100);
    if (await page.isVisible("#banner-action")) await page.click("#banner-action", { timeout: 2000 }).catch(() => {}); /* it may have come back by itself */
    await page.waitForSelector('#line[data-state="ready"]', { timeout: 30000 });
    assert.equal((await readBoard(page)).length, cards.length);
    await play(page);
    assert.equal((await readResult(page)).reduce((sum, line) => sum + line.pairs, 0), 8);
    await page.context().close();
});

function same(one, other) {
    return JSON.stringify(one.map(({ state, picture }) => [state, picture])) === JSON.stringify(other.map(({ state, picture }) => [state, picture]));
}
