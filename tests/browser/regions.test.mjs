// SPDX-License-Identifier: Apache-2.0
// regions.test.mjs - the region of a player is killed as a whole: what his page shows, where he plays next, and how he comes home (R32).
//
// It starts two regions of its own, because nothing is left of one of them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { endRegions, twoRegions } from "../integration/failover/two_regions.mjs";
import { assertAccessible, edgeOf, gameBegins, launch, play, readResult, shoot, until, visit } from "./browser.mjs";

const REST_MS = 900; /* until cards have come to rest, for the picture */
const NEXT_LOOK = "00:31"; /* beyond the longest pause between two looks at home */

let browser;
let us;
let eu;

before(async () => {
    [us, eu] = await twoRegions();
    browser = await launch();
});
after(async () => {
    await browser?.close();
    await endRegions();
});

/* Chance is always the same, so that the way home begins soon: 30 of the 300 seconds after home was seen. */
async function prepare(page) {
    await page.clock.install();
    await page.addInitScript(() => (Math.random = () => 0.1));
}

const lineIs = (page, text) => until(`the line says ${text}`, async () => (await page.textContent("#line-text")) === text);
const knowsBoth = (page) =>
    until("both regions are known", () => page.evaluate(() => Object.keys(JSON.parse(localStorage.getItem("meridian.regions"))?.trips ?? {}).length === 2));

test("its region is killed: the page says so, plays on in the next one, and goes home when it is back", { timeout: 180000 }, async () => {
    const page = await visit(browser, `${us.url}/`, { watched: true, prepare, colorScheme: "dark" });
    await page.fill("#name", "Ann");
    await page.check('#board-choice input[value="2x3"]', { force: true });
    await page.click("#bot");
    await gameBegins(page);
    await lineIs(page, "us-east");
    await knowsBoth(page);

    us.signal("SIGKILL");
    await lineIs(page, "eu, not us-east");
    await gameBegins(page);
    await page.waitForTimeout(REST_MS);
    await shoot(page, "8-another-region");
    assert.match(await edgeOf(page), /^eu-/);
    assert.match(await page.textContent("#toasts"), /This game was lost with us-east\. Looking for a new one\./);
    const bars = (await page.evaluate(() => window.banners)).join("\n");
    assert.match(bars, /You play in eu now: us-east does not answer\./);
    assert.doesNotMatch(bars, /Your game is safe[^]*You play in eu/, "it is not called safe and then lost");
    await assertAccessible(page);

    await play(page);
    assert.equal((await readResult(page)).reduce((sum, { pairs }) => sum + pairs, 0), 3);
    await page.click("#home");
    await us.down();
    await us.up();
    let looks = 0; /* nine of them are no rest yet */
    await until("it is home again", async () => {
        if (++looks < 9) await page.clock.fastForward(NEXT_LOOK);
        await page.waitForTimeout(500); /* for the answer */
        return (await page.textContent("#line-text")) === "us-east";
    }, 60000);
    assert.match((await page.evaluate(() => window.said)).join("\n"), /us-east is back: you play there again\./);
    await page.click("#bot");
    await gameBegins(page);
    assert.match(await edgeOf(page), /^us-east-/);
    const elsewhere = page.complaints.filter((one) => !/ERR_CONNECTION_REFUSED|ERR_SOCKET|WebSocket connection|Failed to load resource/.test(one) && !one.startsWith(`loads ${eu.url.slice(0, -1)}`));
    assert.deepEqual(elsewhere, []);
    await page.context().close();
});

test("the page is opened anew while its region is gone: what it remembers leads it to the next one", { timeout: 120000 }, async () => {
    const page = await visit(browser, `${us.url}/`, { colorScheme: "light" });
    await page.fill("#name", "Bo");
    await page.click("#bot");
    await gameBegins(page);
    await knowsBoth(page);
    await page.route(`${us.url}/**`, (route) => (/\/v1\//.test(route.request().url()) ? route.abort() : route.continue()));
    await page.routeWebSocket(new RegExp(us.address), (route) => route.close({ code: 1011 }));
    await page.reload();
    await lineIs(page, "eu");
    await page.context().close();
});
