// SPDX-License-Identifier: Apache-2.0
// play.test.mjs - people play through the page, in Chromium, against running edges.
//
// MERIDIAN_ENDPOINTS names the endpoints.json of the footprint (default: build/local/endpoints.json). Screenshots go
// to build/screenshots. Each test plays as guests of its own, so none depends on another.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
    assertAccessible, gameBegins, launch, play, readEndpoints, readResult, shoot, takenAtLeast, until, visit,
} from "./browser.mjs";

const QUICK = '#board-choice input[value="2x3"]';
const PHONE = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const TURNED_MS = 600; /* until a turned card has come to rest, for the picture */

let browser;
let edges;

before(async () => {
    edges = readEndpoints().regions[0].edges;
    browser = await launch();
});

after(() => browser?.close());

async function enter(page, name) {
    await page.fill("#name", name);
    await page.check(QUICK, { force: true });
}

test("two people on two edges find each other and play to the same result", { timeout: 180000 }, async () => {
    assert.ok(edges.length >= 2, "this needs two edges");
    const ann = await visit(browser, edges[0].url, { colorScheme: "dark" });
    const bea = await visit(browser, edges[1].url);
    await enter(ann, "Ann");
    await shoot(ann, "1-lobby");
    await assertAccessible(ann);
    for (const [page, name] of [[ann, "Ann"], [bea, "Bea"]]) {
        await enter(page, name);
        await page.uncheck('input[name="fill"]'); /* only each other will do */
    }
    await ann.click("#find");
    await ann.waitForSelector("#waiting-reason:not(:empty)");
    await shoot(ann, "1-waiting");
    await assertAccessible(ann);
    await bea.click("#find");
    await Promise.all([gameBegins(ann), gameBegins(bea)]);
    assert.notEqual(await ann.getAttribute("#line", "title"), await bea.getAttribute("#line", "title"));

    await Promise.all([play(ann, { enough: takenAtLeast(2) }), play(bea, { enough: takenAtLeast(2) })]);
    await ann.waitForTimeout(TURNED_MS);
    await shoot(ann, "2-game-ann");
    await shoot(bea, "2-game-bea");
    await assertAccessible(ann);

    await Promise.all([play(ann), play(bea)]);
    const [seenByAnn, seenByBea] = [await readResult(ann), await readResult(bea)];
    await ann.waitForTimeout(TURNED_MS);
    await shoot(ann, "3-result-ann");
    await shoot(bea, "3-result-bea");
    assert.deepEqual(seenByAnn, seenByBea);
    assert.deepEqual(seenByAnn.map((line) => line.name), ["Ann", "Bea"]);
    assert.equal(seenByAnn.reduce((sum, line) => sum + line.pairs, 0), 3);
    const best = Math.max(...seenByAnn.map((line) => line.pairs));
    for (const line of seenByAnn) assert.equal(line.winner, line.pairs === best);
    assert.deepEqual([...ann.complaints, ...bea.complaints], []);
    for (const page of [ann, bea]) await page.context().close();
});

/* Goes to a card with the arrow keys from wherever the focus is on the board, and turns it. */
async function turnByKeys(page, target) {
    const [from, cols] = await page.evaluate(() => [
        Number(document.activeElement.dataset.card),
        Number(document.getElementById("board").getAttribute("aria-colcount")),
    ]);
    assert.ok(Number.isInteger(from), "the focus left the board");
    const down = Math.floor(target / cols) - Math.floor(from / cols);
    const right = (target % cols) - (from % cols);
    for (let i = 0; i < Math.abs(down); i++) await page.keyboard.press(down > 0 ? "ArrowDown" : "ArrowUp");
    for (let i = 0; i < Math.abs(right); i++) await page.keyboard.press(right > 0 ? "ArrowRight" : "ArrowLeft");
    await page.keyboard.press(target % 2 ? "Enter" : "Space");
}

async function tabTo(page, selector) {
    for (let i = 0; i < 30; i++) {
        if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
        await page.keyboard.press("Tab");
    }
    assert.fail(`${selector} cannot be reached with the Tab key`);
}

test("a bot is played from name to result with nothing but the keyboard", { timeout: 180000 }, async () => {
    const page = await visit(browser, edges[0].url, { reducedMotion: "reduce" });
    await tabTo(page, "#name");
    await page.keyboard.type("K".repeat(24)); /* as long as a name may be */
    await tabTo(page, '#board-choice input[name="board"]:checked');
    await page.keyboard.press("ArrowLeft");
    assert.ok(await page.isChecked(QUICK));
    await tabTo(page, "#bot");
    await page.keyboard.press("Enter");
    await gameBegins(page);
    assert.match(await page.getAttribute(".card", "aria-label"), /^row 1 column 1, face down$/);
    await play(page, { turn: (index) => turnByKeys(page, index) });
    const result = await readResult(page);
    assert.equal(result.reduce((sum, line) => sum + line.pairs, 0), 3);
    assert.notEqual(await page.textContent("#announcer"), "");
    await shoot(page, "3-result-keyboard");
    await page.setViewportSize(PHONE.viewport);
    await assertAccessible(page);
    await shoot(page, "3-result-phone");
    await tabTo(page, "#home");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#lobby:not([hidden])");
    assert.deepEqual(page.complaints, []);
    await page.context().close();
});

test("on a phone everything fits, taps turn cards, and leaving leads back", { timeout: 120000 }, async () => {
    const page = await visit(browser, edges[0].url, { ...PHONE, colorScheme: "light" });
    await assertAccessible(page);
    await page.fill("#name", "Pia");
    await page.check('#board-choice input[value="6x6"]', { force: true });
    await page.check('#players-choice input[value="4"]', { force: true });
    await shoot(page, "1-lobby-phone");
    await page.tap("#bot");
    await gameBegins(page);
    await assertAccessible(page);
    const smallest = await page.$$eval(".card", (cards) => Math.min(...cards.map((card) => card.getBoundingClientRect().width)));
    assert.ok(smallest >= 40, `cards of ${smallest} px are hard to hit`);
    assert.equal(await page.locator(".player").count(), 4);
    const open = (cards) => cards.some((card) => card.state === "up");
    await play(page, { turn: (index) => page.locator(".card").nth(index).tap(), enough: open });
    await page.waitForTimeout(TURNED_MS);
    await shoot(page, "2-game-phone");
    await page.setViewportSize({ width: PHONE.viewport.height, height: PHONE.viewport.width });
    const lowest = () => page.$$eval(".card", (cards) => Math.max(...cards.map((card) => card.getBoundingClientRect().bottom)));
    await until("a turned phone shows the whole board", async () => (await lowest()) <= PHONE.viewport.width);
    await shoot(page, "2-game-phone-turned");
    await assertAccessible(page);
    await page.setViewportSize(PHONE.viewport);
    await page.tap("#leave");
    await page.tap("#confirm-leave");
    await page.waitForSelector("#lobby:not([hidden])");
    assert.deepEqual(page.complaints, []);
    await page.context().close();
});

test("a reload in the middle of a game comes back to the same board", { timeout: 120000 }, async () => {
    const page = await visit(browser, edges[0].url);
    await page.fill("#name", "Rio");
    await page.click("#bot");
    await gameBegins(page);
    await play(page, { enough: (cards) => cards.some((card) => card.state === "taken") });
    const taken = await page.locator('.card[data-state="taken"]').count();
    await page.reload();
    await page.waitForSelector("#game:not([hidden]) .card", { timeout: 30000 });
    assert.ok((await page.locator('.card[data-state="taken"]').count()) >= taken);
    assert.equal(await page.locator(".card").count(), 16);
    await page.click("#leave");
    await page.click("#confirm-leave");
    await page.waitForSelector("#lobby:not([hidden])");
    assert.deepEqual(page.complaints, []);
    await page.context().close();
});
