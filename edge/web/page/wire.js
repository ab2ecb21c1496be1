// SPDX-License-Identifier: Apache-2.0
// wire.js - what the page says about its connection: the dot in the corner, the bar on top, the log behind the dot.
//
// A player should know three things: that something is wrong, that nothing is lost, and what happens next. A short
// interruption is not worth a word; a longer one gets the bar with the time to the next attempt; the end of one that was
// told is told, too. Whoever wants to know more opens the log.

import { announce, banner, note } from "./notices.js";

const QUIET_MS = 700; /* shorter interruptions are not worth a bar */
const GOOD_MS = 3500; /* the good news stays so long */
const NOW_MS = 1500; /* from this wait on there is a button to skip it */
const LOG_MAX = 12;

const LINE = {
    closed: "not connected", idle: "resting", connecting: "connecting", waiting: "reconnecting", gave_up: "disconnected",
};

/* What a close code that ends everything means to a player, and what he can do. */
const ENDS = {
    3501: ["You were signed out.", "Sign in again"],
    3502: ["You play in another tab or window now.", "Play here instead"],
    3508: ["This page is too old for the server.", "Reload"],
};

/* Why it is another region now; % is the one before. */
const MOVES = { failover: "% does not answer", sent: "% sent you there", found: "it is the nearest that answers" };

const RESTART = 1012;
const OVERLOAD = 1013;

const byId = (id) => document.getElementById(id);

export class Wire {
    #client;
    #lost = null; /* {code, told, first, busy, good} while an interruption lasts; first: there was no connection before */
    #timer = null;
    #pending = null; /* what is told when the timer fires */
    #goodTimer = null;
    #countdown = null;

    /** @param {import("../meridian.js").MeridianClient} client */
    constructor(client) {
        this.#client = client;
        client.on("state", (now) => this.#state(now));
        client.on("resumed", (how) => this.#resumed(how));
        client.on("region", (move) => this.#moved(move));
        client.on("gaveup", (end) => this.#gaveUp(end));
        client.on("server_maintenance", (message) => this.#maintenance(message));
        client.on("gap", () => this.#log("A message is missing; it is asked for."));
        byId("line").addEventListener("toggle", () => this.#facts());
        document.addEventListener("click", (event) => {
            if (!byId("line").contains(event.target)) byId("line").open = false;
        });
        document.addEventListener("keydown", (event) => {
            if (event.key === "Escape") byId("line").open = false;
        });
    }

    #state(now) {
        const { connected } = this.#client;
        byId("line").dataset.state = now.state;
        document.body.dataset.line = now.state;
        byId("line-text").textContent = LINE[now.state] ?? this.#place();
        byId("line").title = connected ? `edge ${connected.edge}` : "";
        clearInterval(this.#countdown);
        if (now.state === "ready") this.#ready();
        if (now.state === "waiting") this.#waiting(now);
        if (now.state === "connecting" && this.#lost?.told) this.#tell("Reconnecting…");
        if (now.state === "connecting" && !connected) this.#later(() => banner("Connecting…"));
        if (now.state === "idle") this.#log("Resting: nothing happened for five minutes.");
        this.#facts();
    }

    /* The region, and where one belongs when that is elsewhere. */
    #place() {
        const { connected, home } = this.#client;
        return connected.region === home ? home : `${connected.region}, not ${home}`;
    }

    #ready() {
        clearTimeout(this.#timer);
        this.#timer = null;
        const { edge } = this.#client.connected;
        if (!this.#lost || this.#lost.first) this.#log(`Connected to ${edge}.`);
        if (this.#lost?.told) this.#good(this.#lost.good ?? (this.#lost.first ? "Connected." : "Connected again."));
        if (!this.#lost?.told) banner(null);
        this.#lost = null;
    }

    #waiting({ code, reason, delayMs, hinted, attempt }) {
        const edge = this.#client.connected?.edge;
        if (this.#lost) this.#log(`No answer. Attempt ${attempt} in ${seconds(delayMs)}.`);
        else if (edge) this.#log(code === RESTART ? `${edge} restarts.` : `Connection to ${edge} lost.`);
        clearTimeout(this.#goodTimer);
        if (!this.#lost) banner(null); /* what good it may still say is over */
        this.#lost ??= { code, told: false, first: edge === undefined };
        this.#lost.busy = code === OVERLOAD || reason.startsWith("overloaded");
        const until = performance.now() + delayMs;
        const show = () => {
            this.#lost.told = true;
            this.#wait(until, delayMs, hinted);
        };
        if (this.#lost.told) show();
        else this.#later(show);
    }

    #wait(until, delayMs, hinted) {
        const long = delayMs >= NOW_MS;
        /* A time that the server asked for is not to be cut short. */
        this.#tell("Reconnecting…", long && !hinted ? { label: "Try now", run: () => this.#client.retryNow() } : null);
        if (!long) return;
        const tick = () => {
            const left = Math.max(0, Math.ceil((until - performance.now()) / 1000));
            byId("banner-more").textContent = `Next try in ${left} s.`;
        };
        this.#countdown = setInterval(tick, 250);
        tick();
    }

    #tell(more, action = null) {
        banner(this.#trouble(), { more, action });
    }

    #trouble() {
        if (this.#lost.busy) return "The server is very busy.";
        if (!this.#client.connected) return "No answer. The server may be very busy.";
        const playing = [...this.#client.games.values()].some(({ status }) => status !== "over");
        return playing ? "Connection lost. Your game is safe." : "Connection lost.";
    }

    #good(text) {
        banner(text, { kind: "good" });
        this.#goodTimer = setTimeout(() => banner(null), GOOD_MS);
    }

    #later(run) {
        this.#pending = run;
        this.#timer ??= setTimeout(() => {
            this.#timer = null;
            if (this.#client.state !== "ready") this.#pending();
        }, QUIET_MS);
    }

    /* Comes just before the state becomes ready. */
    #resumed({ outcome, afterMs }) {
        if (!this.#lost) return; /* back from a rest: there was nothing to miss */
        const { edge } = this.#client.connected;
        const rest = outcome === "replayed" ? "Nothing was missed." : "The board is up to date.";
        this.#log(`Back at ${edge} after ${seconds(afterMs)}. ${rest}`);
        this.#lost.good = `Connected again. ${rest}`;
        if (this.#lost.code === RESTART && !this.#lost.told) {
            note("You are on another server now. Nothing was lost.", { key: "move" });
            announce("You are on another server now. Nothing was lost.");
        }
    }

    /* Comes after `resumed`, and knows better. */
    #moved({ from, to, why }) {
        const text = why === "home" ? `${to} is back: you play there again.` : `You play in ${to} now: ${MOVES[why]}.`.replace("%", from);
        this.#log(text);
        if (this.#lost) {
            this.#lost.good = text;
            this.#lost.told = true; /* this is worth a word, however short it was */
        } else {
            note(text, { key: "move" });
            announce(text);
        }
    }

    #maintenance({ reconnectDelayMs, edge }) {
        const text = "This server restarts. You move to another one in a moment; your game goes on.";
        this.#log(`${edge ?? "The server"} restarts in ${seconds(reconnectDelayMs)}.`);
        note(text, { key: "move" });
        announce(text);
    }

    #gaveUp({ code }) {
        clearTimeout(this.#timer);
        this.#timer = null;
        this.#lost = null;
        const [text, label] = ENDS[code] ?? ["The connection is closed.", "Connect again"];
        this.#log(text);
        banner(text, { action: { label, run: () => (code === 3508 ? location.reload() : this.#client.connect()) } });
    }

    #log(text) {
        const item = document.createElement("li");
        const time = document.createElement("time");
        time.textContent = new Date().toLocaleTimeString([], { hour12: false });
        item.append(time, ` ${text}`);
        byId("wire-log").prepend(item);
        while (byId("wire-log").children.length > LOG_MAX) byId("wire-log").lastElementChild.remove();
    }

    #facts() {
        const { connected, tripMs, state } = this.#client;
        const ready = state === "ready";
        byId("wire-edge").textContent = ready ? `${connected.region}, ${connected.edge}` : "none";
        byId("wire-trip").textContent = ready && tripMs !== null ? `${Math.max(1, Math.round(tripMs))} ms` : "–";
    }
}

function seconds(ms) {
    return `${(ms / 1000).toFixed(ms < 9950 ? 1 : 0)} s`;
}
