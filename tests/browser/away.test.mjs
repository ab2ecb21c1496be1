// SPDX-License-Identifier: Apache-2.0
// away.test.mjs - a player vanishes, and what the page of the one who stays shows: grace, pause with its clock, the bot that plays on, the
// return; or, where the operator chose so, the end with the points as they stand (R20, R21). On servers of its own, with short times.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Footprint } from "../integration/faults/own.mjs";
import { assertAccessible, gameBegins, launch, play, readBoard, readResult, shoot, takenAtLeast, until, visit } from "./browser.mjs";

const GRACE_MS = 4000;
const PAUSE_MS = 15000;
const SLACK_MS = 30000; /* a stored change, a bus message, a machine that is busy */
const REST_MS = 500;
const base = Number(process.env.MERIDIAN_SPARE_PORT ?? 21350);

let browser;
before(async () => {
    browser = await launch();
});
after(() => browser?.close());

/* Servers for one describe(); `table` sits two people at a game on them. */
function servers(offset, ...more) {
    const print = new Footprint(base + offset);
    before(() => print.up("--replicas", "0", "--edge-set", `seat_grace_ms=${GRACE_MS}`, "--edge-set", `seat_pause_ms=${PAUSE_MS}`, ...more), { timeout: 240000 });
    after(() => print.down());
    return {
        url: (edge) => print.region.edges[edge].url,
        async table(board, looks = [{}, {}]) {
            const pages = await Promise.all(looks.map((look, i) => visit(browser, this.url(i), { ...look, watched: true })));
            for (const [i, page] of pages.entries()) {
                await page.fill("#name", ["Ann", "Bea"][i]);
                await page.check(`#board-choice input[value="${board}"]`, { force: true });
                await page.uncheck('input[name="fill"]');
                await page.click("#find");
            }
            await Promise.all(pages.map((page) => gameBegins(page)));
            return pages;
        },
    };
}

const chipOf = (page, name) => page.locator(".player", { has: page.locator(`.name:text-is("${name}")`) });
const heardFrom = (page, first) => page.evaluate((from) => window.said.slice(from).join("\n"), first);
const heardCount = (page) => page.evaluate(() => window.said.length);
/* Toasts are gone after some seconds; what was said aloud (from the `first` sentence on) stays to be asked for. */
const told = (page, pattern, first = 0) => until(`${pattern} is told`, async () => pattern.test(await heardFrom(page, first)), GRACE_MS + PAUSE_MS + SLACK_MS);
const pauseClock = async (page) => {
    const [, minutes, seconds] = /^(\d+):(\d\d)$/.exec(await page.textContent("#pause-time")) ?? [];
    return Number(minutes) * 60 + Number(seconds);
};

/* The same person in a new tab: the guest is kept in the browser (by the page's address), the game is found again. */
async function comeBack(context, url) {
    const page = await context.newPage();
    page.complaints = [];
    page.on("pageerror", (error) => page.complaints.push(String(error)));
    await page.goto(url);
    await page.waitForSelector("#game:not([hidden]) .card", { timeout: 30000 });
    return page;
}

describe("where a bot takes over", () => {
    const place = servers(0);

    test("who vanishes is waited for, then a bot plays, and who comes back has the seat again", { timeout: 240000 }, async () => {
        let [ann, bea] = await place.table("4x4", [{ colorScheme: "dark" }, {}]);
        const away = bea.context();
        await Promise.all([ann, bea].map((page) => play(page, { enough: takenAtLeast(2) })));

        await bea.close();
        await chipOf(ann, "Bea").and(ann.locator('[data-state="grace"]')).waitFor({ timeout: SLACK_MS });
        assert.equal(await chipOf(ann, "Bea").locator(".note").textContent(), "offline");
        await ann.waitForSelector('.toast:text-is("Bea lost the connection. The seat is kept.")');
        await ann.waitForTimeout(REST_MS);
        await shoot(ann, "6-away-grace");

        await ann.waitForSelector("#pause:not([hidden])", { timeout: GRACE_MS + SLACK_MS });
        assert.equal(await ann.textContent("#pause-title"), "Waiting for Bea");
        const first = await pauseClock(ann);
        assert.ok(first > 0 && first <= PAUSE_MS / 1000, `${first} s`);
        await ann.waitForTimeout(1500);
        const later = await pauseClock(ann);
        assert.ok(later < first && later > 0, `${first} s, then ${later} s`);
        assert.equal(await chipOf(ann, "Bea").locator(".note").textContent(), "away");
        assert.equal(await ann.locator('.card[aria-disabled="false"]').count(), 0, "nothing can be turned");
        await shoot(ann, "6-away-pause");
        await ann.setViewportSize({ width: 360, height: 740 });
        await shoot(ann, "6-away-pause-phone");
        await assertAccessible(ann);
        await ann.setViewportSize({ width: 1280, height: 800 });

        bea = await comeBack(away, `${place.url(1)}/?edge=${place.url(0)}`);
        await told(ann, /Bea is back\.|Bea is back and plays again\./); /* the latter on a machine so busy that the pause is over */
        await ann.waitForSelector("#pause", { state: "hidden" });
        const same = async () => JSON.stringify((await readBoard(ann)).map(({ picture }) => picture)) === JSON.stringify((await readBoard(bea)).map(({ picture }) => picture));
        await until("both see the same board", same);

        const count = await heardCount(ann);
        await bea.close();
        await told(ann, /A bot plays for Bea now\./, count);
        assert.equal(await chipOf(ann, "Bea").locator(".note").textContent(), "bot plays");
        await ann.waitForSelector("#pause", { state: "hidden" });
        await shoot(ann, "6-away-bot");
        const moved = async () => /A bot plays for Bea now\.[^]*Bea: row/.test(await heardFrom(ann, count));
        await Promise.race([play(ann, { enough: () => ann.hasMoved }), until("the bot has moved", moved, 60000).then(() => (ann.hasMoved = true))]);

        bea = await comeBack(away, place.url(1));
        await told(ann, /Bea is back and plays again\./, count);
        await shoot(ann, "6-away-returned");
        await Promise.all([ann, bea].map((page) => play(page)));
        const [one, other] = [await readResult(ann), await readResult(bea)];
        assert.deepEqual(one, other);
        assert.equal(one.reduce((sum, line) => sum + line.pairs, 0), 8);
        assert.match(await heardFrom(ann, 0), /Paused\. Waiting for Bea\./);
        assert.deepEqual([...ann.complaints, ...bea.complaints], []);
        for (const page of [ann, bea]) await page.context().close();
    });
});

describe("where a seat is given up", () => {
    const place = servers(300, "--edge-set", "drop_policy=abandon");

    test("the game ends with the points as they stand for the one who stayed", { timeout: 240000 }, async () => {
        const [ann, bea] = await place.table("4x4", [{ colorScheme: "light" }, {}]);
        const away = bea.context();
        await Promise.all([play(ann, { enough: takenAtLeast(4) }), play(bea, { enough: takenAtLeast(4) })]);
        const pairs = Number(await chipOf(ann, "Ann").locator(".score b").textContent());
        await bea.close();
        await ann.waitForSelector("#pause:not([hidden])", { timeout: GRACE_MS + SLACK_MS });
        const result = await readResult(ann);
        await ann.waitForTimeout(REST_MS);
        await shoot(ann, "6-away-abandoned");
        assert.equal(await ann.textContent("#result-title"), "You won!");
        assert.equal(await ann.textContent("#result-reason"), "The others did not come back. The points stand as they are.");
        assert.deepEqual(result.map(({ name, winner }) => [name, winner]), [["Ann", true], ["Bea", false]]);
        assert.equal(result[0].pairs, pairs);
        assert.ok(result[0].pairs + result[1].pairs >= 2);

        const late = await away.newPage();
        await late.goto(place.url(1));
        await late.waitForSelector('#line[data-state="ready"]', { timeout: 30000 });
        await late.waitForTimeout(REST_MS);
        assert.ok(await late.isVisible("#lobby"), "who is too late starts at the beginning");
        assert.deepEqual(ann.complaints, []);
        for (const context of [ann.context(), away]) await context.close();
    });
});
