// SPDX-License-Identifier: Apache-2.0
// browser.mjs - what the browser tests share: endpoints, Chromium, a player who remembers cards, accessibility checks.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const root = fileURLToPath(new URL("../../", import.meta.url));
const CHROMIUM = process.env.MERIDIAN_CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
];
const LOOK_MS = 60; /* between two looks at the board */
const BUSY = /\b503\b/; /* a server on a busy machine may ask to wait; the browser itself reports it, the page bears it */

const endpoints = () => process.env.MERIDIAN_ENDPOINTS ?? `${root}build/local/endpoints.json`;

/** What the running footprint says of itself; see the end of the protocol page for the format. */
export function readEndpoints() {
    assert.ok(existsSync(endpoints()), `${endpoints()} is missing: start the footprint with infra/local/up --detach`);
    return JSON.parse(readFileSync(endpoints(), "utf8"));
}

/** Starts what a test ended of the footprint, and waits until it is ready. */
export function restart() {
    const env = { ...process.env, MERIDIAN_LOCAL: process.env.MERIDIAN_STATE ?? path.dirname(endpoints()) };
    const done = spawnSync(`${root}infra/local/up`, ["--detach", "--regions", "us-east"], { env, encoding: "utf8", timeout: 120000 });
    assert.equal(done.status, 0, done.stdout + done.stderr);
}

/** Starts Chromium; the caller closes it. */
export function launch() {
    return chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
}

/**
 * Opens a page as a visitor of its own. What goes wrong in it is collected in `page.complaints`.
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {object} [options] context options such as viewport; watched: it keeps what screen readers heard in
 *        `window.said` and the texts of the bar in `window.banners`; prepare(page): before anything is loaded
 */
export async function visit(browser, url, { watched = false, prepare, ...options } = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const page = await context.newPage();
    if (watched) await page.addInitScript(watch);
    await prepare?.(page);
    page.complaints = [];
    page.on("pageerror", (error) => page.complaints.push(String(error)));
    page.on("console", (message) => message.type() === "error" && !BUSY.test(message.text()) && page.complaints.push(message.text()));
    page.on("request", (request) => {
        if (new URL(request.url()).hostname !== new URL(url).hostname) page.complaints.push(`loads ${request.url()}`);
    });
    await page.goto(url);
    return page;
}

function watch() {
    window.said = [];
    window.banners = [];
    addEventListener("DOMContentLoaded", () => {
        const added = (id) =>
            new MutationObserver((changes) => {
                for (const { addedNodes } of changes) for (const node of addedNodes) window.said.push(node.textContent);
            }).observe(document.getElementById(id), { childList: true });
        added("announcer");
        added("alarm");
        const bar = document.getElementById("banner");
        new MutationObserver(() => {
            if (!bar.hidden) window.banners.push(bar.textContent.trim());
        }).observe(bar, { attributes: true, childList: true, subtree: true });
    });
}

/** The edge a page is connected to, as it says itself. */
export async function edgeOf(page) {
    return (await page.getAttribute("#line", "title")).replace("edge ", "");
}

/** Waits until `condition` holds. */
export async function until(what, condition, ms = 30000) {
    for (const deadline = Date.now() + ms; !(await condition()); ) {
        assert.ok(Date.now() < deadline, `not in time: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
}

/** Saves build/screenshots/NAME.png. */
export async function shoot(page, name) {
    mkdirSync(`${root}build/screenshots`, { recursive: true });
    await page.screenshot({ path: `${root}build/screenshots/${name}.png` });
}

/** Waits for the game view of a running game. */
export async function gameBegins(page) {
    await page.waitForSelector('#game:not([hidden]) .card[data-state="down"]', { timeout: 30000 });
}

/** The cards as a player sees or hears them: state, picture name, and whether they may be turned now. */
export function readBoard(page) {
    return page.$$eval(".card", (cards) =>
        cards.map((card) => ({
            state: card.dataset.state,
            picture: card.dataset.state === "down" ? null : card.getAttribute("aria-label").split(", ")[1],
            free: card.getAttribute("aria-disabled") === "false",
        })),
    );
}

/** For play(): so many cards are taken. */
export const takenAtLeast = (count) => (cards) => cards.filter((card) => card.state === "taken").length >= count;

const finished = (page) => page.locator("#result[open]").count();

/**
 * Plays on a page until the result, or until `enough(cards)`: looks at the board, remembers what was seen, turns a
 * card with `turn(index)` whenever the page allows it.
 */
export async function play(page, { turn = click(page), enough, limitMs = 120000 } = {}) {
    const seen = new Map();
    const deadline = Date.now() + limitMs;
    while (!(await finished(page))) {
        assert.ok(Date.now() < deadline, `no result after ${limitMs} ms`);
        const cards = await readBoard(page);
        cards.forEach((card, index) => card.picture && seen.set(index, card.picture));
        if (enough?.(cards)) return;
        const index = choose(cards, seen);
        if (index !== undefined) await turn(index);
        await page.waitForTimeout(LOOK_MS);
    }
}

/* The board may change between a look and a click (a pause, a turn that ends): then the next look decides anew. */
function click(page) {
    return (index) =>
        page.locator(".card").nth(index).click({ timeout: 2000 }).catch((error) => {
            if (!/Timeout/.test(error.message)) throw error;
        });
}

function choose(cards, seen) {
    const free = cards.map((card, index) => (card.free ? index : -1)).filter((index) => index >= 0);
    const up = cards.findIndex((card) => card.state === "up");
    const twin = (of) => free.find((index) => index !== of && seen.has(of) && seen.get(index) === seen.get(of));
    const known = up >= 0 ? twin(up) : free.find((index) => twin(index) !== undefined);
    return known ?? free.find((index) => !seen.has(index)) ?? free[0];
}

/** The result as the page tells it: who has how many pairs, and who won. */
export async function readResult(page) {
    await page.waitForSelector("#result[open]", { timeout: 30000 });
    const ranking = await page.$$eval("#ranking li", (lines) =>
        lines.map((line) => ({
            name: line.querySelector(".name").textContent.replace(" (you)", ""),
            pairs: Number(line.querySelector("b").textContent),
            winner: line.classList.contains("winner"),
        })),
    );
    return ranking.sort((a, b) => a.name.localeCompare(b.name));
}

/** Checks by hand what breaks a page for those who do not see it or have no mouse. */
export async function assertAccessible(page) {
    const problems = await page.evaluate(() => {
        const found = [];
        const shown = (element) => element.checkVisibility({ visibilityProperty: true });
        const nameOf = (element) =>
            element.getAttribute("aria-label") || element.labels?.[0]?.textContent.trim() || element.textContent.trim();
        for (const control of document.querySelectorAll("button, a[href], input, select, [role=button]")) {
            if (shown(control) && !nameOf(control)) found.push(`no name: ${control.outerHTML.slice(0, 90)}`);
        }
        for (const image of document.querySelectorAll("img:not([alt])")) found.push(`no alt: ${image.src}`);
        for (const svg of document.querySelectorAll("svg:not([aria-hidden])")) found.push(`loud svg: ${svg.outerHTML.slice(0, 60)}`);
        const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
        for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) found.push(`id twice: ${id}`);
        for (const one of document.querySelectorAll("[aria-labelledby]")) {
            if (!document.getElementById(one.getAttribute("aria-labelledby"))) found.push("label of nothing");
        }
        if (!document.documentElement.lang) found.push("no language");
        if (!document.querySelector("[aria-live=polite]")) found.push("nobody announces anything");
        if ([...document.querySelectorAll("h1")].filter(shown).length !== 1) found.push("not exactly one h1");
        const board = document.querySelectorAll(".card");
        const stops = document.querySelectorAll('.card[tabindex="0"]').length;
        if (board.length && stops !== 1) found.push(`${stops} tab stops on the board`);
        if (document.documentElement.scrollWidth > innerWidth) found.push("scrolls sideways");
        for (const dialog of document.querySelectorAll("dialog[open]")) if (dialog.scrollWidth > dialog.clientWidth) found.push("a dialog is cut off");
        return found;
    });
    assert.deepEqual(problems, []);
}
