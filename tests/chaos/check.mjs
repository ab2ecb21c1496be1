// SPDX-License-Identifier: Apache-2.0
// The judge: from what players did and were told (the journal of meridian-load, journal.h) and what is stored in the end, decides whether a
// promise was broken. It shares no line with the product or with the players' own judge.
//
//   lost       an acknowledged move is not in the stored game        doubled    a move took effect twice, or was answered in two ways
//   vanished   somebody was shown what the stored game does not have differ     two players were shown different things
//   hole       versions told with a gap that no snapshot closed      owners     two owners under one fence, or one epoch taken twice
//   stray      a game that is neither over nor with a living owner   ticket     a ticket that never ended
//   untold     a player was never told the end of a game that ended
//
// Moves without an answer may have happened or not, but not twice. Messages of a version that a player also has from a snapshot, or during
// which his connection broke, may be incomplete for him: then what he has must be in what the other one has.
export const kinds = ["lost", "doubled", "vanished", "differ", "hole", "owners", "stray", "ticket", "untold"];
const pauses = /^game_(paused|resumed)/;
const flip = /^card_flipped seat (\d+) cards (\d+),/;
const takeover = /^(seat_taken_over|seat_handed_back) seat (\d+)/;

// Is every item of `part` in `whole`, in this order?
function within(part, whole) {
    let at = 0;
    for (const item of part) {
        at = whole.indexOf(item, at) + 1;
        if (at === 0) return false;
    }
    return true;
}

class Game {
    constructor(id) {
        this.id = id;
        this.seats = new Map(); // seat -> player
        this.moves = new Map(); // moveId -> {seat, card, v}
        this.byVersion = new Map(); // acknowledged: version -> moveId
        this.told = new Map(); // version -> Map(seat -> [what])
        this.partial = new Set(); // "version seat"
        this.late = []; // told behind a snapshot: {v, what, seat}
        this.tables = new Map(); // version -> {what, seat}
        this.views = new Map(); // seat -> {last, fresh, gap, over}
        this.shown = 0;
        this.shownTo = null;
        this.ended = null; // the seat that heard by its inbox that it is over
    }
    view(seat) {
        if (!this.views.has(seat)) this.views.set(seat, { last: 0, fresh: true, gap: false, over: false });
        return this.views.get(seat);
    }
}

export class Judge {
    constructor() {
        this.games = new Map();
        this.players = new Map(); // number -> {up, game, seat, ticket, left: Set of games}
        this.violations = [];
        this.counts = { lines: 0, moves: 0, acknowledged: 0, told: 0, snapshots: 0, games: 0, byVersionAlone: 0 };
    }
    wrong(kind, game, text) {
        this.violations.push({ kind, game, text });
    }
    #game(id) {
        if (!this.games.has(id)) this.games.set(id, new Game(id));
        return this.games.get(id);
    }
    #player(number) {
        if (!this.players.has(number)) this.players.set(number, { up: false, game: null, seat: 0, ticket: null, left: new Set() });
        return this.players.get(number);
    }

    // ---- one line of the journal ----

    line(o) {
        const player = this.#player(o.p);
        this.counts.lines++;
        switch (o.k) {
        case "up": this.#up(player, o); break;
        case "down": this.#down(player); break;
        case "seek": player.sought = true; break;
        case "ticket": player.ticket = o.state === "waiting" ? o.id : null; break;
        case "sit": this.#sit(player, o); break;
        case "move": this.#move(player, o); break;
        case "ok": this.#ok(player, o); break;
        case "told": this.#told(o); break;
        case "state": this.#state(o); break;
        case "result": this.#game(o.g).ended = o.s; break;
        case "no": this.#game(o.g).moves.get(o.id).refused = true; break;
        case "gone": this.wrong("stray", o.g, "a player sits in it and is told that there is no such game"); break;
        case "leave": player.left.add(o.g), (player.game = null); break;
        default: break;
        }
    }
    // A ticket ends with the edge that had it; one that still waits is told again, unless everything missed is.
    #up(player, o) {
        player.up = true;
        if (o.resume !== "replayed") player.ticket = null;
    }
    #down(player) {
        player.up = false;
        if (player.game) this.#cut(this.#game(player.game), player.seat);
    }
    #cut(game, seat) {
        game.partial.add(`${game.view(seat).last} ${seat}`);
    }
    #sit(player, o) {
        const game = this.#game(o.g);
        Object.assign(player, { game: o.g, seat: o.s, ticket: null });
        if (game.seats.has(o.s) && game.seats.get(o.s) !== o.p) this.wrong("differ", o.g, `seat ${o.s} was given to players ${game.seats.get(o.s)} and ${o.p}`);
        game.seats.set(o.s, o.p);
    }
    #move(player, o) {
        this.counts.moves++;
        this.#game(o.g).moves.set(o.id, { seat: o.s, card: o.card, v: null, refused: false });
    }
    #ok(player, o) {
        const game = this.#game(o.g);
        const move = game.moves.get(o.id);
        if (!move) return this.wrong("doubled", o.g, `an answer to move ${o.id}, which nobody made`);
        if (move.v !== null && move.v !== o.v) return this.wrong("doubled", o.g, `move ${o.id} was acknowledged with versions ${move.v} and ${o.v}`);
        if (move.v === null) this.counts.acknowledged++;
        move.v = o.v;
        const other = game.byVersion.get(o.v);
        if (other && other !== o.id) this.wrong("doubled", o.g, `moves ${other} and ${o.id} were both acknowledged with version ${o.v}`);
        game.byVersion.set(o.v, o.id);
        return undefined;
    }
    #shown(game, seat, v) {
        if (v > game.shown) [game.shown, game.shownTo] = [v, seat];
    }
    #told(o) {
        const game = this.#game(o.g);
        const view = game.view(o.s);
        this.counts.told++;
        this.#shown(game, o.s, o.v);
        if (pauses.test(o.what)) {
            if (o.v > view.last + 1) view.gap = true;
            else if (o.v > view.last && !view.gap) view.last = o.v, this.#cut(game, o.s);
            return;
        }
        if (view.gap || (view.fresh && o.v <= view.last)) return void game.late.push({ v: o.v, what: o.what, seat: o.s });
        if (o.v > view.last + 1) {
            view.gap = true;
            this.#cut(game, o.s);
            return void game.late.push({ v: o.v, what: o.what, seat: o.s });
        }
        if (o.v < view.last) return void this.wrong("doubled", o.g, `seat ${o.s} was told version ${o.v} after ${view.last}`);
        Object.assign(view, { last: o.v, fresh: false, over: view.over || o.what.startsWith("game_over") });
        if (!game.told.has(o.v)) game.told.set(o.v, new Map());
        const seats = game.told.get(o.v);
        if (!seats.has(o.s)) seats.set(o.s, []);
        seats.get(o.s).push(o.what);
        return undefined;
    }
    #state(o) {
        const game = this.#game(o.g);
        const view = game.view(o.s);
        this.counts.snapshots++;
        this.#shown(game, o.s, o.v);
        if (o.v < view.last && !view.fresh) this.wrong("vanished", o.g, `seat ${o.s} had version ${view.last} and was set back to ${o.v}`);
        const table = game.tables.get(o.v);
        if (table && table.what !== o.what) this.wrong("differ", o.g, `version ${o.v} is "${table.what}" for seat ${table.seat} and "${o.what}" for seat ${o.s}`);
        game.tables.set(o.v, { what: o.what, seat: o.s });
        this.#cut(game, o.s);
        Object.assign(view, { last: o.v, fresh: true, gap: false, over: o.over === 1 });
        this.#cut(game, o.s);
    }

    // ---- the end ----

    // stored: Map gid -> {v, over, o (owner), record}; living: Set of incarnations; fences: [{gid, g, e, n, o}] seen on the way;
    // adoptions: [{game, epoch, edge}] as edges wrote it in their logs.
    verdict({ stored, living, fences = [], adoptions = [] }) {
        this.counts.games = this.games.size;
        for (const game of this.games.values()) this.#judge(game, stored.get(game.id));
        for (const [id, game] of stored) {
            if (!game.over && !living.has(game.o)) this.wrong("stray", id, `not over, and its owner ${game.o} does not live`);
        }
        this.#owners(fences, adoptions);
        for (const [number, player] of this.players) {
            if (player.ticket && player.up) this.wrong("ticket", null, `player ${number} waits with ticket ${player.ticket}`);
        }
        return { fine: this.violations.length === 0, violations: this.violations, counts: this.counts };
    }
    #judge(game, stored) {
        if (!stored) return this.wrong("lost", game.id, "it is not in the store");
        if (game.shown > stored.v) this.wrong("vanished", game.id, `seat ${game.shownTo} was shown version ${game.shown}, ${stored.v} is stored`);
        if (game.ended !== null && !stored.over) this.wrong("vanished", game.id, `seat ${game.ended} was told that it is over, and it is not`);
        const lists = this.#lists(game);
        this.#acknowledged(game, stored, lists);
        this.#unexplained(game, lists);
        for (const { v, what, seat } of game.late) {
            if (v > 0 && lists.has(v) && !lists.get(v).includes(what) && !game.partial.has(`${v} ${[...game.told.get(v).keys()][0]}`))
                this.wrong("differ", game.id, `version ${v}: only seat ${seat} was told "${what}"`);
        }
        for (const [seat, view] of game.views) {
            const player = this.players.get(game.seats.get(seat));
            if (view.gap && player?.up) this.wrong("hole", game.id, `seat ${seat} never got what lies after version ${view.last}`);
            if (stored.over && !view.over && player?.up && player.game === game.id) this.wrong("untold", game.id, `seat ${seat} was not told that it is over`);
        }
        return undefined;
    }
    // version -> the longest list told; the others must be the same, or a part where they may be.
    #lists(game) {
        const lists = new Map();
        for (const [v, seats] of game.told) {
            const longest = [...seats.values()].reduce((a, b) => (b.length > a.length ? b : a));
            lists.set(v, longest);
            for (const [seat, list] of seats) {
                const fine = game.partial.has(`${v} ${seat}`) ? within(list, longest) : list.join("\n") === longest.join("\n");
                if (!fine) this.wrong("differ", game.id, `version ${v}: seat ${seat} was told [${list.join("; ")}], another [${longest.join("; ")}]`);
            }
        }
        return lists;
    }
    #acknowledged(game, stored, lists) {
        for (const [id, move] of game.moves) {
            if (move.v === null) continue;
            if (move.v > stored.v) {
                this.wrong("lost", game.id, `move ${id} was acknowledged with version ${move.v}, ${stored.v} is stored`);
                continue;
            }
            const seats = game.told.get(move.v);
            const seen = lists.get(move.v)?.some((what) => flip.exec(what)?.[1] === String(move.seat) && flip.exec(what)[2] === String(move.card));
            const whole = seats && [...seats.keys()].some((seat) => !game.partial.has(`${move.v} ${seat}`));
            if (!seen && whole) this.wrong("lost", game.id, `version ${move.v} is not the acknowledged move ${id}: ${lists.get(move.v).join("; ")}`);
            if (!seen && !whole) this.counts.byVersionAlone++;
        }
        stored.record?.seats.forEach((seat, number) => this.#answered(game, seat, number));
    }
    // The record keeps the last 16 answered moves of a seat.
    #answered(game, seat, number) {
        const kept = new Map();
        for (const { id, v } of seat.answered) {
            if (kept.has(id)) this.wrong("doubled", game.id, `the record holds move ${id} twice`);
            kept.set(id, v);
        }
        const oldest = seat.answered.length < 16 ? 0 : Math.min(...kept.values());
        for (const [id, move] of game.moves) {
            if (move.seat !== number || move.v === null) continue;
            if (kept.has(id) && kept.get(id) !== move.v) this.wrong("doubled", game.id, `move ${id} was acknowledged with version ${move.v}, the record says ${kept.get(id)}`);
            if (!kept.has(id) && move.v >= oldest) this.wrong("lost", game.id, `move ${id} (version ${move.v}) is not among the record's answered moves`);
        }
        for (const id of kept.keys()) if (game.moves.get(id)?.refused) this.wrong("doubled", game.id, `move ${id} was refused, and the record holds it`);
    }
    // Cards that were turned without an acknowledged move must be moves whose answer was lost: one each.
    #unexplained(game, lists) {
        const open = [...game.moves.values()].filter((move) => move.v === null && !move.refused);
        const bots = new Set();
        for (const v of [...lists.keys()].sort((a, b) => a - b)) {
            for (const what of lists.get(v)) {
                const over = takeover.exec(what);
                if (over) bots[over[1] === "seat_taken_over" ? "add" : "delete"](over[2]);
                const turned = flip.exec(what);
                if (!turned || game.byVersion.has(v) || bots.has(turned[1]) || !game.seats.has(Number(turned[1]))) continue;
                const at = open.findIndex((move) => String(move.seat) === turned[1] && String(move.card) === turned[2]);
                if (at < 0) this.wrong("doubled", game.id, `version ${v}: seat ${turned[1]} turned card ${turned[2]} without a move of his`);
                else open.splice(at, 1);
            }
        }
    }
    #owners(fences, adoptions) {
        const seen = new Map();
        for (const { gid, g, e, n, o } of fences) {
            const key = `${gid} ${g} ${e} ${n}`;
            if (o && seen.has(key) && seen.get(key) !== o) this.wrong("owners", gid, `${seen.get(key)} and ${o} both own it with fence ${g}.${e}.${n}`);
            if (o) seen.set(key, o);
        }
        const adopted = new Map();
        for (const { game, epoch, edge } of adoptions) {
            const key = `${game} ${epoch}`;
            if (adopted.has(key) && adopted.get(key) !== edge) this.wrong("owners", game, `${adopted.get(key)} and ${edge} both took it over in epoch ${epoch}`);
            adopted.set(key, edge);
        }
    }
}
