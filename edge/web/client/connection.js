// SPDX-License-Identifier: Apache-2.0
// connection.js - one WebSocket from dialling to its end: authentication, resume, liveness.
//
//   dialling --open, auth--> authenticating --connected--> live            (nothing to resume)
//                                           --connected, resume--> resuming --connected--> live
//   any of them --close, silence, timeout--> ended
//
// It is used once and thrown away; whoever owns it decides whether to make another. The token travels in the
// `auth` message and not in the address, because addresses end up in logs.
//
// Callbacks (never before the constructor returned): established() once at most; message(), pong(), renewed() and suspected() (a pong is
// late, at each look) only after it; ended() exactly once and last, whoever ended it. After abandon() none comes.

/** Limits in milliseconds; tests shorten them. */
export const CONNECTION_MS = {
    handshake: 10000 /* from dialling to the last `connected` */,
    pong: 5000 /* protocol: no pong for that long, reconnect */,
    unanswered: 5000 /* a request without an answer makes us ask whether the server is alive */,
    watch: 250 /* how often silence is looked at */,
    quiet: 3000 /* silence that matters while a game or a ticket is open and there is another region to go to */,
    asked: 500 /* ... and silence since a request was sent, if that is more than TRIPS_LATE round trips */,
    suspect: 500 /* a pong that is so late, and more than TRIPS_LATE round trips, makes us look around */,
};

/** Codes the client itself ends a connection with; the 4000s are free for applications. */
export const CLIENT_CODES = { HANDSHAKE: 4000, GAP: 4001, SILENCE: 4002, BAD_MESSAGE: 4003, NETWORK: 4004 };

const ABNORMAL = 1006; /* what a browser says of every connection that ended without a close frame */

const TRIPS_LATE = 4; /* two and a retransmission are nothing unusual */
const LATE_MAX_MS = 1000; /* ... but far away is no reason to wait for ever */
const CLOCK_PINGS = 3; /* one at each look after the start: the first round trip is often a slow one */
const SUBPROTOCOL = "meridian.v1.json";

/* Who comes back says so at once: an edge under load lets him in before newcomers (protocol, 1.4). The id alone opens nothing. */
function addressOf({ url, resume }) {
    return resume ? `${url}${url.includes("?") ? "&" : "?"}session=${encodeURIComponent(resume.session)}` : url;
}

export class Connection {
    #socket;
    #options;
    #on;
    #phase = "dialling";
    #opened = false;
    #first = null;
    #early = [];
    #pings = [];
    #pongs = 0;
    #pingedAt = null;
    #heardAt = 0;
    #heartbeatMs = 30000;
    #handshakeTimer;
    #watchTimer = null;

    /**
     * @param {object} options
     * @param {Function} options.WebSocket
     * @param {string} options.url
     * @param {string} options.token
     * @param {string} options.device
     * @param {{session: string, epoch: number, offset: number}|null} options.resume
     * @param {object} options.limits CONNECTION_MS
     * @param {() => boolean} [options.eager] true while a short silence matters already
     * @param {() => number} options.waitingMs how long the oldest request has had no answer
     * @param {import("./clock.js").ServerClock} options.clock fed by pongs
     * @param {{established: Function, message: Function, renewed: Function, pong: Function, suspected: Function, ended: Function}} on
     */
    constructor(options, on) {
        this.#options = options;
        this.#on = on;
        this.#socket = new options.WebSocket(addressOf(options), [SUBPROTOCOL]); /* throws on a bad address */
        this.#handshakeTimer = setTimeout(
            () => this.end(CLIENT_CODES.HANDSHAKE, "no answer"),
            options.limits.handshake,
        );
        this.#socket.onopen = () => this.#authenticate();
        this.#socket.onmessage = (event) => this.#arrived(event.data);
        this.#socket.onerror = () => {}; /* a close event follows and says all there is */
        this.#socket.onclose = (event) => this.#finish(event.code, event.reason);
    }

    get live() {
        return this.#phase === "live";
    }

    /** True while an answer is late enough to look around. */
    get suspect() {
        return this.#pingedAt !== null && this.#options.clock.now() - this.#pingedAt >= this.#late(this.#options.limits.suspect);
    }

    #late(ms) {
        return Math.max(ms, Math.min(TRIPS_LATE * (this.#options.clock.tripMs ?? 0), LATE_MAX_MS));
    }

    /** Sends a message. @returns {boolean} false when the connection cannot take it */
    send(message) {
        if (!this.live || this.#socket.readyState !== 1) return false;
        this.#write(message);
        return true;
    }

    /** Presents a newer token of the same user; renewed() follows. */
    renew(token) {
        return this.send({ type: "auth", token, device: this.#options.device });
    }

    /** Asks for the server's time, which also proves that it lives. Nothing while an answer is awaited. */
    ping() {
        const sentAt = this.#options.clock.now();
        if (this.#pingedAt !== null || !this.send({ type: "ping" })) return;
        this.#pings.push(sentAt);
        this.#pingedAt = sentAt;
    }

    /** Ends it at once: what still arrives is ignored. */
    end(code, reason) {
        if (this.#phase === "ended") return;
        this.#drop(code, reason);
        this.#finish(code, reason);
    }

    /** Ends it without a word to the owner, who wanted it so. */
    abandon(code, reason) {
        this.#on = { established() {}, message() {}, renewed() {}, pong() {}, suspected() {}, ended() {} };
        this.end(code, reason);
    }

    #drop(code, reason) {
        const socket = this.#socket;
        socket.onopen = socket.onmessage = socket.onclose = null;
        try {
            socket.close(code, reason);
        } catch {
            /* still dialling in some implementations; the object is dropped either way */
        }
    }

    #finish(code, reason) {
        if (this.#phase === "ended") return;
        this.#phase = "ended";
        clearTimeout(this.#handshakeTimer);
        clearInterval(this.#watchTimer);
        /* Never open: no server, or one that refused the upgrade (503); which of them, a browser does not tell. */
        const unreached = code === ABNORMAL && !this.#opened;
        this.#on.ended({ code: unreached ? CLIENT_CODES.NETWORK : code, reason: String(reason ?? "") });
    }

    #write(message) {
        this.#socket.send(JSON.stringify(message));
    }

    #authenticate() {
        this.#opened = true;
        this.#phase = "authenticating";
        this.#write({ type: "auth", token: this.#options.token, device: this.#options.device });
    }

    #arrived(data) {
        this.#heardAt = this.#options.clock.now();
        this.#pingedAt = null;
        let message;
        try {
            message = JSON.parse(data);
        } catch {
            this.end(CLIENT_CODES.BAD_MESSAGE, "not JSON");
            return;
        }
        this.#take(message);
    }

    #take(message) {
        if (this.#phase === "ended") return;
        if (message.type === "batch") {
            for (const member of message.messages) this.#take(member);
        } else if (message.type === "connected") {
            this.#connected(message);
        } else if (message.type === "pong") {
            this.#pong(message);
        } else if (this.#phase === "resuming") {
            this.#whileResuming(message);
        } else {
            this.#on.message(message);
        }
    }

    /* What arrives between the two `connected` belongs to the new session: it counts only if the old one is gone. */
    #whileResuming(message) {
        const refused = message.type === "error" && message.re === "resume";
        if (refused) this.#establish({ ...this.#first, resume: "gone", reason: message.code });
        else this.#early.push(message);
    }

    #connected(message) {
        this.#heartbeatMs = message.heartbeatMs || this.#heartbeatMs;
        if (this.#phase === "live") {
            this.#on.renewed(message);
        } else if (this.#phase === "authenticating" && this.#options.resume) {
            this.#phase = "resuming";
            this.#first = message;
            this.#write({ type: "resume", ...this.#options.resume });
        } else {
            this.#establish(message);
        }
    }

    #establish(connected) {
        clearTimeout(this.#handshakeTimer);
        this.#phase = "live";
        const early = this.#early;
        this.#early = [];
        this.#watchTimer = setInterval(() => this.#watch(), this.#options.limits.watch);
        this.#on.established({ connected, first: this.#first ?? connected, early });
        this.ping();
    }

    #pong({ atMs }) {
        const sentAt = this.#pings.shift();
        const now = this.#options.clock.now();
        this.#pongs += 1;
        if (sentAt !== undefined) this.#options.clock.measure(sentAt, now, atMs);
        this.#on.pong();
    }

    /* Silence for two heartbeats, or a request that nobody answers: ask; no sound after that: gone. */
    #watch() {
        const now = this.#options.clock.now();
        this.#heardAt = Math.min(this.#heardAt, now); /* the clock was set back: silence counts from there */
        if (this.#pingedAt !== null) {
            this.#pingedAt = Math.min(this.#pingedAt, now);
            if (now - this.#pingedAt >= this.#options.limits.pong) this.end(CLIENT_CODES.SILENCE, "no pong");
            else if (this.suspect) this.#on.suspected();
            return;
        }
        const { quiet, asked, unanswered } = this.#options.limits;
        const eager = this.#options.eager?.() ?? false;
        const silentMs = now - this.#heardAt;
        const waitingMs = this.#options.waitingMs();
        const silent = silentMs >= (eager ? quiet : 2 * this.#heartbeatMs);
        const forgotten = Math.min(silentMs, waitingMs) >= unanswered;
        const unheard = eager && waitingMs >= this.#late(asked) && silentMs >= waitingMs; /* once a request: a store may stall for seconds */
        if (silent || forgotten || unheard || this.#pongs < CLOCK_PINGS) this.ping();
    }
}
