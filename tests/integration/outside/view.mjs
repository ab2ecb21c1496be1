// SPDX-License-Identifier: Apache-2.0
// A game as one player sees it, made of nothing but the messages he got; and everything a player may expect of them: versions grow by one,
// a card's face never changes, nobody is told the face of a card that was not turned, scores follow from pairs.

const reveals = new Set(["card_flipped"]);

export class View {
    constructor(gameId) {
        this.gameId = gameId;
        this.version = null; // of the last message; null: no game_state yet
        this.cards = [];
        this.faces = new Map(); // card -> face, of all that was ever seen
        this.byVersion = new Map(); // version -> [event]: what everybody at the table saw
        this.cuts = new Set(); // versions that were current when a connection was lost: their events may be incomplete
        this.pauses = []; // reasons
        this.pausedAt = []; // version that was shown when each came
        this.states = 0;
        this.gaps = 0;
        this.problems = [];
    }

    get over() {
        return this.result !== undefined;
    }
    get mine() {
        return !this.over && !this.paused && !this.revealing && this.turn === this.seat && this.version !== null;
    }
    get pairs() {
        return (this.rows * this.cols) / 2;
    }

    cut() {
        this.cuts.add(this.version);
    }
    wrong(text) {
        this.problems.push(`game ${this.gameId} v${this.version}: ${text}`);
    }

    see(card, face) {
        if (this.faces.has(card) && this.faces.get(card) !== face) this.wrong(`card ${card} was ${this.faces.get(card)} and is ${face}`);
        this.faces.set(card, face);
        if ([...this.faces.values()].filter((f) => f === face).length > 2) this.wrong(`three cards show ${face}`);
    }

    apply(message) {
        if (message.type === "matched") {
            this.seat = message.seat;
            this.players = message.players;
            return;
        }
        if (message.type === "game_state") {
            this.state(message);
            return;
        }
        if ("face" in message && !reveals.has(message.type)) this.wrong(`${message.type} tells a face`);
        if (this.version === null) {
            this.wrong(`${message.type} before game_state`);
            return;
        }
        if (message.version === this.version + 1) this.version = message.version;
        else if (message.version > this.version) {
            this.gaps++;
            this.version = message.version;
        } else if (message.version < this.version) this.wrong(`${message.type} of the past, v${message.version}`);
        this[message.type]?.(message);
        if (!["game_paused", "game_resumed"].includes(message.type)) {
            const { offset: _, ...event } = message;
            const events = this.byVersion.get(message.version) ?? [];
            this.byVersion.set(message.version, [...events, event]);
        }
    }

    state(m) {
        this.states++;
        this.lastState = m;
        this.version = m.version;
        Object.assign(this, { rows: m.rows, cols: m.cols, scores: m.scores, seats: m.seats, turn: m.turn, result: m.result });
        this.deadlineAtMs = m.deadlineAtMs;
        this.paused = m.status === "paused";
        this.cards = m.cards.map((card) => card.state);
        m.cards.forEach((card, index) => card.state !== "down" && this.see(index, card.face));
        const up = this.cards.filter((state) => state === "up").length;
        if (up > 2) this.wrong(`${up} cards are up`);
        this.revealing = up === 2;
        for (const face of new Set(m.cards.filter((card) => card.state === "taken").map((card) => card.face))) {
            if (m.cards.filter((card) => card.face === face && card.state === "taken").length !== 2) this.wrong(`half a pair of ${face}`);
        }
    }

    card_flipped({ card, face, seat }) {
        if (this.cards[card] !== "down") this.wrong(`card ${card} was turned while ${this.cards[card]}`);
        if (seat !== this.turn) this.wrong(`seat ${seat} turned a card in the turn of ${this.turn}`);
        this.cards[card] = "up";
        this.see(card, face);
    }
    pair_found({ cards, scores, seat }) {
        if (this.faces.get(cards[0]) !== this.faces.get(cards[1])) this.wrong("a pair of two faces");
        for (const card of cards) this.cards[card] = "taken";
        const expected = this.scores.map((score, index) => score + (index === seat ? 1 : 0));
        if (`${expected}` !== `${scores}`) this.wrong(`scores ${scores} instead of ${expected}`);
        this.scores = scores;
    }
    pair_missed({ cards, scores }) {
        if (this.faces.get(cards[0]) === this.faces.get(cards[1])) this.wrong("a pair that was called missed");
        if (`${this.scores}` !== `${scores}`) this.wrong(`scores changed to ${scores}`);
        this.revealing = true;
    }
    turn_changed({ seat, deadlineAtMs }) {
        this.turn = seat;
        this.deadlineAtMs = deadlineAtMs;
        this.revealing = false;
        this.cards = this.cards.map((state) => (state === "up" ? "down" : state));
    }
    game_paused(message) {
        this.paused = true;
        this.pauses.push(message.reason);
        this.pausedAt.push(this.version);
    }
    game_resumed({ deadlineAtMs }) {
        this.paused = false;
        this.deadlineAtMs = deadlineAtMs;
    }
    game_over({ scores, winners, reason }) {
        this.result = { scores, winners, reason };
        const best = Math.max(...scores);
        if (reason === "finished" && scores.reduce((sum, n) => sum + n, 0) !== this.pairs) this.wrong(`${scores} of ${this.pairs} pairs`);
        if (reason === "finished" && `${winners}` !== `${scores.flatMap((n, i) => (n === best ? [i] : []))}`) this.wrong(`winners ${winners}`);
    }

    // A card worth turning for somebody who forgets nothing; `known` may be shared by players who play together.
    choose(known = this.faces) {
        const down = this.cards.flatMap((state, card) => (state === "down" ? [card] : []));
        const open = this.cards.findIndex((state) => state === "up");
        const twin = (card) => down.find((other) => other !== card && known.has(other) && known.get(other) === known.get(card));
        if (open >= 0) {
            const match = twin(open);
            if (match !== undefined) return match;
        } else {
            const card = down.find((one) => known.has(one) && twin(one) !== undefined);
            if (card !== undefined) return card;
        }
        const fresh = down.filter((card) => !known.has(card));
        const pool = fresh.length > 0 ? fresh : down;
        return pool[Math.floor(Math.random() * pool.length)];
    }

    // A second card that does not match, so that the turn passes; undefined when none is known.
    chooseMiss() {
        const open = this.cards.findIndex((state) => state === "up");
        return this.cards.findIndex((state, card) => state === "down" && this.faces.get(card) !== this.faces.get(open));
    }
}

// Where both saw the events of a version, they saw the same. Returns how many versions that were.
export function sameOrder(a, b, assert) {
    let common = 0;
    for (const [version, events] of a.byVersion) {
        if (!b.byVersion.has(version) || a.cuts.has(version) || b.cuts.has(version)) continue;
        assert.deepEqual(b.byVersion.get(version), events, `version ${version} of ${a.gameId}`);
        common++;
    }
    for (const [card, face] of a.faces) assert.ok(!b.faces.has(card) || b.faces.get(card) === face, `card ${card} of ${a.gameId}`);
    return common;
}
