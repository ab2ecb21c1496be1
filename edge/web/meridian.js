// SPDX-License-Identifier: Apache-2.0
// meridian.js - the client library: one player's connection to Meridian, kept alive (R15, R16).
//
//   const client = new MeridianClient({ urls: ["https://play.example"], tokens: guestTokens({ url }) });
//   client.on("game", ({ game }) => draw(game));
//   client.connect();
//   await client.findMatch({ players: 2, rows: 4, cols: 4 });
//   await client.move(gameId, card);
//
// It works in browsers and in Node (hand in a WebSocket class there). The parts: requests.js is what can be asked for, connection.js one
// socket, plan.js decides about coming back, sequence.js orders the stream, outbox.js keeps what is unanswered, inbox.js orders what other
// players write, table.js and game.js keep the games, doubts.js asks for what may be no more, tokens.js and guest.js keep the token, clock.js
// the server's time, route.js says where the next attempt goes: addresses.js within a region, region_list.js and roam.js to another and back.
//
// Events: every server message under its type (once, in order; what comes into the inbox, `message`, `message_undelivered` and
// `game_result`, also once and in order over devices' and connections' ends, and acknowledged by itself), and
//   state    {state, delayMs?, hinted?, attempt?, code?, reason?}   see MeridianClient.state; hinted: the server
//                                                 asked for that wait
//   game     {game, message}                      a game changed by that message
//   game_lost {game}                              the server no longer knows it
//   resumed  {outcome, reason?, afterMs}          replayed, snapshot or gone, so long after the loss
//   region   {from, to, why}                      another region took the player in: `failover`, `home` (the way back), `sent` (by the
//                                                 server) or `found` (by DNS). Games stay behind: game_lost follows
//   retry    {code, re?, retryAfterMs?}           refused for now (`overloaded`, `try_again`); it is sent again
//   gap      {expected}                           a message is missing; what follows is held
//   gaveup   {code, reason}                       it does not come back by itself; connect() starts anew
// `error` is heard only for errors that belong to no request: the others reject the request's promise.

import { CLIENT_CODES, Connection } from "./client/connection.js";
import { Doubts } from "./client/doubts.js";
import { MeridianError } from "./client/error.js";
import { Inbox } from "./client/inbox.js";
import { Outbox } from "./client/outbox.js";
import { Plan } from "./client/plan.js";
import { Requests } from "./client/requests.js";
import { Route } from "./client/route.js";
import { Sequence } from "./client/sequence.js";
import { ServerClock } from "./client/clock.js";
import { Table } from "./client/table.js";
import { Timers } from "./client/timers.js";
import { TIMES_MS } from "./client/times.js";
import { Tokens } from "./client/tokens.js";
import { uuid } from "./client/uuid.js";

export { guestTokens } from "./client/guest.js";
export { RegionList } from "./client/region_list.js";
export { regionUrls } from "./client/regions.js";
export { rematchOf } from "./client/requests.js";
export { MeridianError, TIMES_MS };

const MOVED = 3007; /* the one close code that says where the player belongs from now on */
const ACK_EVERY = 16; /* messages; lets the server forget what we have */
const STUBBORN_ATTEMPTS = 4; /* in a region that answers and lets nobody in; then another one will do */
const GAPS_MAX = 2; /* as many resumes that brought no progress, then a fresh session */

/** One player's connection. Nothing happens before connect(), so handlers can be attached first. */
export class MeridianClient extends Requests {
    /** @type {"closed"|"connecting"|"ready"|"waiting"|"idle"|"gave_up"} */
    state = "closed";
    /** The last `connected` message, or null. */
    connected = null;

    #options;
    #times;
    #clock;
    #tokens;
    #plan;
    #outbox;
    #sequence = new Sequence();
    #table = new Table();
    #inbox;
    #doubts;
    #connection = null;
    #dials = 0;
    #route;
    #lostAt = null;
    #open = false; /* requests may go out */
    #flushAt = 0; /* ... once the replay has come this far */
    #acked = 0;
    #gaps = 0;
    #hinted = false;
    #waitUntil = 0;
    #renewing = null; /* the connection for which a newer token is asked for */
    #timers = new Timers();
    #wake = () => this.#wakeUp();

    /**
     * @param {object} options
     * @param {string[]} options.urls edges to try in turn: ws(s) or http(s); /v1/ws is added to a bare origin
     * @param {import("./client/tokens.js").TokenProvider} options.tokens
     * @param {string} [options.device] keep it over restarts to keep the session; made up when absent
     * @param {Function} [options.WebSocket]
     * @param {(to: {region?: string, edge?: string}) => Promise<string[]>} [options.locate] finds addresses, see
     *        regionUrls(): of the place a close reason named (they replace `urls`), and spare ones for the day the
     *        connected edge is gone
     * @param {import("./client/region_list.js").RegionList} [options.regions] lets it leave a region that is gone, and come back
     * @param {number} [options.outboxMax] unanswered requests kept
     * @param {number} [options.maxAttempts] in a row before it gives up; without limit when absent
     * @param {number[]} [options.steps] reconnect steps in milliseconds
     * @param {Partial<typeof TIMES_MS>} [options.times]
     * @param {() => number} [options.random]
     */
    constructor(options) {
        super((message) => this.#request(message), () => options.regions?.latencyMs ?? {});
        this.#options = { WebSocket: globalThis.WebSocket, device: uuid(), ...options };
        this.#times = { ...TIMES_MS, ...options.times };
        this.#route = new Route({ ...options, times: this.#times });
        this.#clock = new ServerClock();
        this.#tokens = new Tokens(options.tokens, this.#clock);
        this.#plan = new Plan(options);
        this.#outbox = new Outbox((message) => this.#open && this.#connection.send(message), {
            max: options.outboxMax,
        });
        this.#inbox = new Inbox((message) => this.#open && this.#connection.send(message), this.#times.inbox);
        this.#doubts = new Doubts({
            table: this.#table,
            outbox: this.#outbox,
            timers: this.#timers,
            times: this.#times,
            random: this.#plan.random,
            ready: () => this.state === "ready",
            deliver: (message) => this.#deliver(message),
            lost: (game) => this.emit("game_lost", { game }),
        });
    }

    /** Games by id: those that go on and the last ones that ended. */
    get games() {
        return this.#table.games;
    }

    /** Where it may connect, the present address first. */
    get urls() {
        return this.#route.all;
    }

    /** The same as HTTP origins, for guestTokens() and whatever else asks an edge. */
    get origins() {
        return [...new Set(this.urls.map((url) => new URL(url.replace(/^ws/, "http")).origin))];
    }

    /** The player's home region; null before the first connection. */
    get home() {
        return this.#route.roam.home;
    }

    /** The waiting ticket, or null. */
    get ticket() {
        return this.#table.ticket;
    }

    /** Requests without an answer. */
    get unanswered() {
        return this.#outbox.size;
    }

    /** The session as it would be resumed, or null. */
    get session() {
        const { session, epoch, offset } = this.#sequence;
        return session === null ? null : { session, epoch, offset };
    }

    /** The shortest round trip measured lately in milliseconds, or null. */
    get tripMs() {
        return this.#clock.tripMs;
    }

    /** The server's time, for deadlines. */
    serverNow() {
        return this.#clock.serverNow();
    }

    /** Starts, or starts again after closing, idling or giving up. Does nothing while it runs. */
    connect() {
        if (!["closed", "idle", "gave_up"].includes(this.state)) return;
        this.#plan.settled();
        this.#lostAt = null;
        this.#options.regions?.load();
        globalThis.addEventListener?.("online", this.#wake);
        globalThis.document?.addEventListener("visibilitychange", this.#wake);
        this.#dial();
    }

    /** Ends the connection for good; requests without an answer are rejected with `closed`. */
    close() {
        this.#halt("closed", { code: 1000 });
        this.#outbox.fail(new MeridianError("closed", "the connection was closed"));
    }

    /** Skips the wait for the next attempt. */
    retryNow() {
        if (this.state === "waiting") this.#dial();
    }

    /** Asks the provider for a newer token now, e.g. because the player changed their name. */
    async renew(reason = "expiring") {
        if (!this.#connection?.live) this.#tokens.need(reason); /* the next connection asks for it */
        if (!this.#connection?.live || this.#renewing === this.#connection) return;
        const connection = (this.#renewing = this.#connection);
        this.#timers.clear("renew");
        try {
            const token = await this.#tokens.renew(reason);
            if (this.#connection?.renew(token)) this.#scheduleRenewal(this.#times.renewRetry); /* a provider may repeat itself */
        } catch {
            if (this.#connection?.live) this.#timers.set("renew", this.#times.renewRetry, () => this.renew());
        } finally {
            if (this.#renewing === connection) this.#renewing = null;
        }
    }

    #request(message) {
        if (this.state === "gave_up") {
            return Promise.reject(new MeridianError("gave_up", "there is no connection"));
        }
        const answer = this.#outbox.add(message);
        if (this.state === "idle") this.connect();
        this.#touch();
        return answer;
    }

    async #dial() {
        const dial = ++this.#dials;
        this.#timers.clear("wait");
        this.#timers.set("look", this.#times.dial, () => this.state === "connecting" && this.#lookAround());
        this.#become("connecting", { attempt: this.#plan.attempt });
        if (dial !== this.#dials) return; /* a handler closed it */
        this.#timers.set("token", this.#times.token, () => {
            this.#dials += 1;
            this.#lost({ code: CLIENT_CODES.NETWORK, reason: "no_token" });
        });
        try {
            const token = await this.#tokens.get();
            if (dial !== this.#dials) return; /* closed, or dialled again, meanwhile */
            this.#timers.clear("token");
            this.#connection = new Connection(
                {
                    WebSocket: this.#options.WebSocket,
                    url: this.#route.current,
                    token,
                    device: this.#options.device,
                    resume: this.session,
                    limits: this.#times,
                    eager: () => this.#route.roams && (this.#table.busy || this.#outbox.size > 0),
                    waitingMs: () => this.#outbox.waitingMs,
                    clock: this.#clock,
                },
                {
                    established: (outcome) => this.#established(outcome),
                    message: (message) => this.#arrived(message),
                    renewed: (message) => this.#renewed(message),
                    pong: () => this.#timers.has("renew") || this.#scheduleRenewal(),
                    suspected: () => this.#suspected(),
                    ended: (close) => this.#lost(close),
                },
            );
        } catch (error) {
            if (dial !== this.#dials) return;
            if (error.fatal) this.#giveUp({ code: 3500, reason: error.code });
            else this.#lost({ code: CLIENT_CODES.NETWORK, reason: retryReason(error) });
        }
    }

    #established({ connected, first, early }) {
        this.#timers.clear("look");
        this.#plan.accepted();
        this.#timers.set("settled", this.#times.settled, () => {
            this.#plan.settled();
            this.#gaps = 0;
        });
        const from = this.connected?.region ?? connected.region;
        const why = this.#route.arrived(connected.region);
        const moved = from !== connected.region;
        const another = this.connected && this.connected.user !== connected.user;
        if (another) this.#table.clear();
        if (another || moved) this.#inbox.clear(); /* each region has an inbox of its own for him */
        this.connected = connected;
        const outcome = connected.resume ?? (moved ? "gone" : null);
        if (outcome === "replayed") {
            this.#sequence.rewind();
            this.#flushAt = connected.offset;
        } else {
            const base = outcome === "snapshot" || first.session !== connected.session ? connected : first;
            this.#startNumbering(base);
        }
        const afterMs = this.#lostAt === null ? 0 : Math.round(performance.now() - this.#lostAt);
        this.#lostAt = null;
        this.emit("connected", connected);
        if (outcome) this.emit("resumed", { outcome, reason: connected.reason, afterMs });
        if (moved) this.emit("region", { from, to: connected.region, why });
        if (moved && outcome === "gone") this.#leaveBehind();
        if (this.#connection === null) return; /* a handler closed it */
        this.#become("ready", {});
        if (this.state !== "ready") return;
        if (outcome === "gone") for (const message of early) this.#arrived(message);
        this.#timers.set("replay", this.#times.replay, () => this.#release(true));
        this.#release(false);
        this.#touch();
        this.#timers.set("spares", this.#times.spares * (0.5 + this.#plan.random()), () =>
            this.#route.findSpares(connected.region, this.#times.sparesKept),
        );
        this.#repeat();
        this.#doubts.watchTicket();
        if (this.#route.roams) this.#roam();
    }

    #repeat() {
        this.#timers.set("repeat", this.#times.repeat, () => {
            this.#outbox.repeat(this.#times.repeat);
            this.#repeat();
        });
    }

    #startNumbering({ session, epoch, offset }) {
        this.#sequence.start(session, epoch, offset);
        this.#acked = offset;
        this.#flushAt = offset;
        this.#doubts.begin();
    }

    /* The answer to a newer token; an unasked one with another numbering means the server started over. */
    #renewed(connected) {
        this.connected = { ...connected, resume: this.connected.resume };
        const same = connected.session === this.#sequence.session && connected.epoch === this.#sequence.epoch;
        if (!same) {
            this.#startNumbering(connected);
            this.emit("resumed", { outcome: "snapshot", reason: connected.reason, afterMs: 0 });
        }
        this.emit("connected", connected);
    }

    #release(anyway) {
        if (this.#open || (!anyway && this.#sequence.offset < this.#flushAt)) return;
        this.#timers.clear("replay");
        this.#open = true;
        this.#outbox.flush();
    }

    #arrived(message) {
        for (const ready of this.#sequence.accept(message)) this.#deliver(ready);
        this.#watchGap();
        if (!this.#open && this.#connection?.live && this.state === "ready") this.#release(false);
        if (this.#sequence.offset - this.#acked >= ACK_EVERY && this.#open) {
            this.#acked = this.#sequence.offset;
            this.#connection.send({ type: "ack", offset: this.#acked });
        }
    }

    #watchGap() {
        if (!this.#sequence.gap) {
            this.#timers.clear("gap");
        } else if (!this.#timers.has("gap")) {
            this.emit("gap", { expected: this.#sequence.offset + 1 });
            this.#timers.set("gap", this.#times.gap, () => {
                if (++this.#gaps > GAPS_MAX) this.#sequence.forget();
                this.#connection?.end(CLIENT_CODES.GAP, "gap");
            });
        }
    }

    #deliver(message) {
        const { game, ask } = this.#table.receive(message);
        if (ask) this.#doubts.ask(ask);
        if (message.type === "ticket" || message.type === "matched") this.#doubts.watchTicket();
        if (message.type === "error" && message.code === "token_expiring") this.renew();
        const waiting = this.#outbox.size;
        const about = this.#outbox.gameOf(message.re);
        const settled = this.#outbox.receive(message);
        if (message.code === "no_such_ticket") this.#doubts.doubtTicket(message.re);
        const lost = message.code === "no_such_game" && this.#doubts.lose(about); /* told also to who asked for nothing, when a game is given up */
        if (message.type === "game_over") this.#goHome(); /* before anybody asks for the next game */
        if (message.settledSeq !== undefined) for (const one of this.#inbox.accept(message)) this.emit(one.type, one);
        else if (!settled && !lost) this.emit(message.type, message);
        else if (this.#outbox.size === waiting) this.emit("retry", message);
        if (game) this.emit("game", { game, message });
        if (message.type !== "error") this.#touch();
    }

    #lost({ code, reason }) {
        const wasReady = this.state === "ready";
        this.#timers.clearAll();
        this.#connection = null;
        this.#open = false;
        this.#outbox.hold();
        this.#inbox.stop();
        const next = this.#plan.next({ code, reason });
        if (next.stop) return this.#giveUp({ code, reason });
        if (next.token !== "keep") this.#tokens.need(next.token);
        if (wasReady) this.#lostAt = performance.now();
        if (!wasReady || next.elsewhere) this.#route.next();
        this.#hinted = next.hinted;
        this.#wait(next.delayMs, { code, reason });
        /* The wait goes on meanwhile: addresses that come later serve the attempt after. */
        const here = this.connected?.region;
        const { region = here, edge } = next;
        if (next.region || edge) this.#route.sent({ region, edge }, code === MOVED && region !== here);
        else if (!wasReady || code === CLIENT_CODES.SILENCE) this.#lookAround();
    }

    #wait(ms, why) {
        this.#waitUntil = performance.now() + ms;
        this.#timers.set("wait", ms, () => this.#dial());
        this.#become("waiting", { delayMs: Math.round(ms), hinted: this.#hinted, attempt: this.#plan.attempt, ...why });
    }

    /* An attempt failed, or hangs: perhaps it is the whole region. A dial that hangs there is given up. */
    async #lookAround() {
        const to = await this.#route.survey(this.#plan.attempt > STUBBORN_ATTEMPTS);
        if (to === null || (this.state !== "waiting" && this.state !== "connecting")) return;
        this.#leaveFor(to, "failover");
        if (this.state === "waiting" && this.#hinted) return;
        const ms = this.#plan.random() * this.#times.failover;
        if (this.state === "waiting" && this.#waitUntil - performance.now() <= ms) return;
        this.#dials += 1;
        this.#connection?.abandon(1000, "failover");
        this.#connection = null;
        this.#wait(ms, { code: CLIENT_CODES.NETWORK, reason: "" });
    }

    /* A pong is late. Its five seconds are only waited for when nobody else answers either. */
    async #suspected() {
        if (this.#route.heardMsAgo < this.#times.calm) return;
        const connection = this.#connection;
        const to = await this.#route.survey(false);
        if (to === null || this.#connection !== connection || !connection.suspect) return;
        this.#leaveFor(to, "failover");
        connection.end(CLIENT_CODES.SILENCE, "no pong");
    }

    /* A session is of its region: it is not offered to another one. */
    #leaveFor(region, why) {
        this.#route.goTo(region, why);
        this.#sequence.forget();
    }

    #leaveBehind() {
        const { games, ticketId } = this.#table.leave();
        for (const game of games) this.emit("game_lost", { game });
        if (ticketId !== null) this.#deliver({ type: "ticket", ticketId, state: "expired", reason: "no_such_ticket" });
    }

    /* What is done beside playing as long as the connection stands: knowing the regions, and looking homeward. */
    #roam() {
        const { regions } = this.#options;
        const known = regions.isFresh(this.serverNow());
        this.#timers.set("list", known ? this.#times.list * (0.5 + this.#plan.random()) : this.#times.listFirst * this.#plan.random(), async () => {
            await regions.refresh(this.origins, this.serverNow());
            await regions.measure();
            if (this.state === "ready") this.#timers.has("list") || this.#roam();
        });
        this.#timers.has("home") || this.#homeward(this.#times.home * (0.5 + this.#plan.random()));
    }

    #homeward(ms) {
        const { roam } = this.#route;
        if (roam.state === "home") return;
        this.#timers.set("home", ms, async () => {
            await this.#route.lookHome();
            if (this.state !== "ready") return;
            const wait = this.#times.home * (0.5 + this.#plan.random());
            const leftMs = roam.state === "due" ? roam.dueAtMs - performance.now() : wait;
            this.#homeward(leftMs > 0 ? Math.min(wait, leftMs) : wait);
            this.#goHome();
        });
    }

    /* When it is time, and nothing is played or asked for. */
    #goHome() {
        const { roam } = this.#route;
        const busy = this.state !== "ready" || this.#table.busy || this.#outbox.size > 0;
        if (busy || !roam.isDue(performance.now())) return;
        const connection = this.#connection;
        this.#leaveFor(roam.home, "home");
        this.#timers.clearAll();
        this.#connection = null;
        this.#open = false;
        this.#plan.settled();
        connection.abandon(1000, "home");
        this.#dial();
    }

    #giveUp({ code, reason }) {
        this.#halt("gave_up", { code, reason });
        this.#outbox.fail(new MeridianError("gave_up", `connection ended: ${code} ${reason}`));
        if (code === 3500 || code === 3501) this.#tokens.need("rejected");
        this.emit("gaveup", { code, reason });
    }

    /* Everything stops in `state`; the session is kept, so that connect() can resume it. */
    #halt(state, detail) {
        this.#dials += 1;
        this.#timers.clearAll();
        globalThis.removeEventListener?.("online", this.#wake);
        globalThis.document?.removeEventListener("visibilitychange", this.#wake);
        const connection = this.#connection;
        this.#connection = null;
        this.#open = false;
        this.#outbox.hold();
        this.#inbox.stop();
        this.#become(state, detail);
        connection?.abandon(1000, state);
    }

    /* Back from sleep or from a tunnel: what looks connected may be dead, what waits may go at once. */
    #wakeUp() {
        if (globalThis.document?.visibilityState === "hidden") return;
        if (this.state === "ready") this.#connection.ping();
        else if (!this.#hinted) this.retryNow();
    }

    #touch() {
        if (this.#times.idle > 0 && this.state === "ready") this.#timers.set("idle", this.#times.idle, () => this.#rest());
    }

    #rest() {
        if (this.state !== "ready") return;
        if (this.#table.busy || this.#outbox.size > 0) this.#touch();
        else this.#halt("idle", {});
    }

    #scheduleRenewal(leastMs = 0) {
        const inMs = this.#tokens.renewInMs();
        if (inMs !== null) this.#timers.set("renew", Math.max(inMs, leastMs), () => this.renew());
    }

    #become(state, detail) {
        this.state = state;
        this.emit("state", { state, ...detail });
    }
}

function retryReason(error) {
    return error.retryAfterMs === undefined ? String(error.code ?? "") : `${error.code};retry=${error.retryAfterMs}`;
}
