// SPDX-License-Identifier: Apache-2.0
// cross.test.mjs - two people in two regions, 155 ms from each other, who find nobody at home: they are matched across the wide area, told why they
// wait, and play to one result (R31). On two regions in network namespaces with the emulator between them.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { World, cannot } from "../integration/regions/world.mjs";
import { assertAccessible, edgeOf, gameBegins, launch, play, readBoard, readResult, shoot, takenAtLeast, visit } from "./browser.mjs";
import { friends } from "./friends.mjs";
import { wall } from "./wall.mjs";

const REST_MS = 700; /* until cards have come to rest, for the picture */
const port = Number(process.env.MERIDIAN_SPARE_PORT ?? 21350) + 300;
const skip = cannot();

let browser;
let world;
before(async () => {
    if (skip) return;
    world = new World(port);
    world.up("us-east,asia", "--edges", "1", "--routers", "1", "--replicas", "0");
    browser = await launch();
}, { timeout: 180000 });
after(async () => {
    await browser?.close();
    world?.clean();
});

test("two people in us-east and asia find each other and play to the same result", { skip, timeout: 240000 }, async () => {
    const pages = await Promise.all(["us-east", "asia"].map((name) => visit(browser, world.region(name).play.url, { watched: true })));
    const [ann, bea] = pages;
    for (const [page, name] of [[ann, "Ann"], [bea, "Bea"]]) {
        await page.fill("#name", name);
        await page.check('#board-choice input[value="2x3"]', { force: true });
        await page.uncheck('input[name="fill"]'); /* only each other will do */
        await page.click("#find");
    }
    await ann.waitForSelector("#waiting-reason:not(:empty)");
    await Promise.all(pages.map((page) => gameBegins(page)));
    assert.match(await edgeOf(ann), /^us-east-/);
    assert.match(await edgeOf(bea), /^asia-/);
    await Promise.all(pages.map((page) => play(page, { enough: takenAtLeast(2) })));
    await bea.waitForTimeout(REST_MS);
    await shoot(ann, "9-across-us-east");
    await shoot(bea, "9-across-asia");
    await assertAccessible(bea);
    assert.equal((await readBoard(ann)).length, 6);

    await Promise.all(pages.map((page) => play(page)));
    const [seenByAnn, seenByBea] = [await readResult(ann), await readResult(bea)];
    assert.deepEqual(seenByAnn, seenByBea);
    assert.equal(seenByAnn.reduce((sum, { pairs }) => sum + pairs, 0), 3, "every pair counts once");
    for (const page of pages) {
        /* It asks the other region how far it is; nothing else may go wrong, or come from elsewhere. */
        assert.deepEqual(page.complaints.filter((text) => !/^loads http:\/\/10\.\d+\.0\.1:\d+\/v1\/ping/.test(text)), []);
        await page.context().close();
    }
});

friends(() => ({ browser, world }), { skip });
wall(() => ({ browser, world }), { skip });
