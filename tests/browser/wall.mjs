// SPDX-License-Identifier: Apache-2.0
// wall.mjs - the wall of a router's admin port, in front of real regions: who is there, a region that is drained, a line that is cut, and that nothing can
// be changed from it. Run by cross.test.mjs, on its regions. With MERIDIAN_LONG its router is killed and started again, too: by hand.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import path from "node:path";
import { test } from "node:test";
import { assertAccessible, shoot, until, visit } from "./browser.mjs";

const build = process.env.MERIDIAN_BUILD ?? path.resolve(import.meta.dirname, "../../build/release");
const long = Boolean(process.env.MERIDIAN_LONG);
const PATIENCE_MS = 60_000; /* of a busy machine; a second or a few are usual */

/** A way to the server at `url` that can be cut, as an ssh tunnel is. */
async function tunnel(url) {
    const { hostname, port } = new URL(url);
    const ends = new Set();
    const server = net.createServer((near) => {
        const far = net.connect(Number(port), hostname);
        for (const [one, another] of [[near, far], [far, near]]) {
            ends.add(one.on("error", () => {}).on("close", () => another.destroy()));
            one.pipe(another);
        }
    });
    const listen = async (at) => {
        await once(server.listen(at, "127.0.0.1"), "listening");
        return server.address().port;
    };
    const cut = () => {
        server.close();
        for (const one of ends) one.destroy();
        ends.clear();
    };
    const own = await listen(0);
    return { url: `http://127.0.0.1:${own}`, cut, mend: () => listen(own) };
}

/** @param {() => {browser: import("playwright-core").Browser, world: import("../integration/regions/world.mjs").World}} where */
export function wall(where, { skip }) {
    const admin = () => where().world.region("us-east").routers[0].admin;
    const shows = (page, selector) => page.waitForSelector(selector, { timeout: PATIENCE_MS });
    const link = (mode) => `#links tr[data-link="us-east asia"][data-mode="${mode}"]`;
    const asia = (mode) => `#regions [data-region="asia"][data-mode="${mode}"]`;

    function order(...words) {
        const control = `unix:${where().world.state}/regions/asia/run/asia-r1.ctl`;
        const done = spawnSync(path.join(build, "region-router/meridianctl"), ["--reason", "new racks", ...words, "--yes"], {
            env: { ...process.env, MERIDIANCTL_ROUTERS: control }, encoding: "utf8", timeout: PATIENCE_MS,
        });
        assert.equal(done.status, 0, done.stderr);
    }

    test("the wall shows regions, their line, a drain and a cut, and changes nothing", { skip, timeout: 300000 }, async () => {
        const { browser, world } = where();
        const way = await tunnel(admin());
        const [page, other] = await Promise.all([admin(), way.url].map((url) => visit(browser, `${url}/wall/`, { viewport: { width: 1280, height: 720 } })));
        for (const name of ["us-east", "asia"]) {
            await shows(page, `#regions [data-region="${name}"][data-mode="active"]`);
            await shows(page, `#map [data-region="${name}"][data-mode="active"]`);
        }
        await shows(page, `${link("up")} td:has-text("ms")`);
        const delay = Number.parseInt(await page.textContent(`${link("up")} td`), 10);
        assert.ok(delay >= 155, `nearer than light allows: ${delay} ms`);
        await page.waitForSelector('[data-line="live"]');
        await assertAccessible(page);
        assert.equal(await page.evaluate(() => document.querySelectorAll("button, input, form, a[href]").length), 0, "there is nothing to press");
        assert.ok(await page.evaluate(() => document.documentElement.scrollHeight <= innerHeight), "one screen");

        order("drain", "region", "asia");
        await shows(page, asia("draining"));
        await shows(page, '#now li:has-text("asia drains"):has-text("new racks")');

        world.tell("cut", "both", "us-east", "asia");
        await shows(other, '[data-line="live"]');
        way.cut();
        await Promise.all([
            shows(page, link("down")).then(() => shows(page, '#now li:has-text("us-east – asia is cut")')),
            shows(other, '[data-line="stale"] #line-state:has-text("stale since")'),
        ]);
        await shoot(page, "11-wall-cut");
        await way.mend();
        world.tell("heal");
        order("undrain", "region", "asia");
        await Promise.all([shows(page, link("up")).then(() => shows(page, asia("active"))), shows(other, '[data-line="live"]')]);
        await shoot(page, "11-wall");

        const answers = await page.evaluate(async () => {
            const asked = [["/drain", "POST"], ["/claims", "POST"], ["events", "POST"], ["wall.js", "PUT"], [".", "DELETE"]];
            return Promise.all(asked.map(async ([where, method]) => (await fetch(where, { method })).status));
        });
        assert.deepEqual(answers, [403, 403, 403, 403, 403], "a page only reads");
        assert.equal((await fetch(`${admin()}/readyz`)).status, 200, "and nothing came of it");
        assert.deepEqual(page.complaints.filter((text) => !/status of 403/.test(text)), []);
        for (const one of [page, other]) await one.context().close();
        way.cut();
    });

    test("a router that ends and comes back finds its wall again", { skip: skip || (long ? false : "MERIDIAN_LONG is not set"), timeout: 300000 }, async () => {
        const { browser, world } = where();
        const page = await visit(browser, `${admin()}/wall/`);
        await shows(page, '[data-line="live"]');
        const before = await page.textContent("#line-from");
        process.kill(world.region("us-east").routers[0].pid, "SIGKILL");
        await shows(page, '[data-line="stale"] #line-state:has-text("stale since")');
        await shoot(page, "11-wall-stale");
        assert.equal(world.local("up", "--detach").code, 0);
        await shows(page, '[data-line="live"]');
        await until("another incarnation speaks", async () => (await page.textContent("#line-from")) !== before, PATIENCE_MS);
        await shows(page, link("up"));
        await page.context().close();
    });
}
