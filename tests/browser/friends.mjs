// SPDX-License-Identifier: Apache-2.0
// friends.mjs - playing with a friend: one page shows a code and a link, the other opens the link, in another region 155 ms away, and both are in one
// game (R31). Run by cross.test.mjs, on its regions. With MERIDIAN_LONG they also play to the result and have a rematch, and what goes wrong with codes is
// tried: by hand, half a minute more.

import assert from "node:assert/strict";
import { test } from "node:test";
import { assertAccessible, edgeOf, gameBegins, play, readBoard, readResult, shoot, until, visit } from "./browser.mjs";

const long = Boolean(process.env.MERIDIAN_LONG);
const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

/** @param {() => {browser: import("playwright-core").Browser, world: import("../integration/regions/world.mjs").World}} where */
export function friends(where, { skip }) {
    const home = () => where().world.region("us-east").play.url;
    const linkIn = (name, code) => `${where().world.region(name).play.url}/?code=${encodeURIComponent(code)}`;

    async function invites(options = {}) {
        const page = await visit(where().browser, home(), { watched: true, ...options });
        await page.fill("#name", "Ann");
        await page.check('#board-choice input[value="2x3"]', { force: true });
        await page.click("#friends");
        await page.waitForSelector("#invite-code:not(:empty)");
        return { page, code: await page.textContent("#invite-code") };
    }

    test("a friend in another region opens the link and is in the game", { skip, timeout: 240000 }, async () => {
        const { page: ann, code } = await invites();
        assert.match(code, /^us-east-[0-9A-Z]{5}-[0-9A-Z]{5}$/);
        assert.equal(await ann.inputValue("#invite-link"), `${home().replace(/\/$/, "")}/?code=${code}`);
        await until("the time left is told", async () => /^Open for (10:00|9:\d\d)$/.test(await ann.textContent("#invite-left")));
        await ann.waitForSelector("#waiting-reason:has-text('Waiting for 1 more')");
        await shoot(ann, "10-invite");
        await assertAccessible(ann);

        const bea = await visit(where().browser, linkIn("asia", code), { watched: true, ...phone });
        assert.equal(await bea.isVisible("#find"), false, "only her name is asked for");
        await shoot(bea, "10-invited-phone");
        await assertAccessible(bea);
        await bea.fill("#name", "Bea");
        await bea.click("#accept");
        const pages = [ann, bea];
        await Promise.all(pages.map((page) => gameBegins(page)));
        assert.match(await edgeOf(ann), /^us-east-/);
        assert.match(await edgeOf(bea), /^asia-/);
        assert.equal(new URL(bea.url()).search, "", "a reload does not ask for the old table");
        assert.equal((await readBoard(bea)).length, 6);
        if (!long) {
            for (const page of pages) await page.context().close();
            return;
        }
        await Promise.all(pages.map((page) => play(page)));
        const results = await Promise.all(pages.map((page) => readResult(page)));
        assert.deepEqual(results[0], results[1]);

        await Promise.all(pages.map((page) => page.click("#rematch")));
        await ann.waitForSelector("#result", { state: "hidden" });
        await Promise.all(pages.map((page) => gameBegins(page)));
        assert.equal((await readBoard(ann)).length, 6);
        for (const page of pages) {
            assert.deepEqual(page.complaints.filter((text) => !/^loads http:\/\/10\.\d+\.0\.1:\d+\/v1\/ping/.test(text)), []);
            await page.context().close();
        }
    });

    test("a reload keeps the table open; a wrong code, and one that is over, say so", { skip: skip || (long ? false : "MERIDIAN_LONG is not set"), timeout: 120000 }, async () => {
        const { page: ann, code } = await invites(phone);
        await shoot(ann, "10-invite-phone");
        await ann.reload();
        await until("the same code is there again", async () => (await ann.textContent("#invite-code")) === code);
        await ann.click("#cancel");
        await ann.waitForSelector("#lobby:not([hidden])");

        const bob = await visit(where().browser, home(), { watched: true });
        await bob.fill("#name", "Bob");
        await bob.fill("#code", `${code.slice(0, -1)}${code.endsWith("0") ? "1" : "0"}`);
        await bob.press("#code", "Enter");
        await bob.waitForSelector(".toast:has-text('code is not right')");
        await bob.waitForSelector("#lobby:not([hidden])");
        await bob.fill("#code", code.toLowerCase());
        await bob.click("#join");
        await bob.waitForSelector(".toast:has-text('Nobody waits with this code')", { timeout: 15000 });
        await bob.waitForSelector("#lobby:not([hidden])");
        await shoot(bob, "10-lobby");
        for (const page of [ann, bob]) await page.context().close();
    });
}
