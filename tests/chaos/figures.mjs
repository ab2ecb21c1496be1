// SPDX-License-Identifier: Apache-2.0
// What the faults cost, per kind: moves answered within a second (R42), how long players were away, how long until they could move again.
//
// A move belongs to a fault when it was due between its beginning and 5 s after its end; a move of several kinds at once counts for each of
// them, one of none is "calm", and "all" has every move once. A lost connection belongs to the last fault of edges or routers before it (20 s at most).
// In a dense run faults overlap nearly always; the second table counts only what met one kind alone: what that kind costs by itself.
const ANSWERED_MS = 1000;
const TAIL_MS = 5000;
const DROP_MS = 20_000;

export function quantile(sorted, q) {
    return sorted.length ? sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] : null;
}
function summary(values) {
    const sorted = values.sort((a, b) => a - b);
    const round = (v) => (v === null ? null : Math.round(v));
    return { count: sorted.length, p50: round(quantile(sorted, 0.5)), p99: round(quantile(sorted, 0.99)), max: round(sorted.at(-1) ?? null) };
}

export class Figures {
    constructor() {
        this.moves = new Map(); // id -> {due, ok, player}
        this.players = new Map(); // number -> {game, flying, away: {t, moveDue, up}}
        this.aways = []; // {t, back, up}: lost -> connected and knows his table
        this.firsts = []; // {t, took}: lost on his turn -> move_ok
    }
    #player(number) {
        if (!this.players.has(number)) this.players.set(number, { game: null, flying: null, away: null });
        return this.players.get(number);
    }
    line(o) {
        const p = this.#player(o.p);
        switch (o.k) {
        case "sit": p.game = o.g; break;
        case "leave": p.game = null; break;
        case "move":
            this.moves.set(o.id, { due: o.due, ok: null });
            Object.assign(p, { flying: o.id, lostAt: p.lostAt !== undefined && o.due <= p.lostAt ? p.lostAt : undefined });
            break;
        case "ok": {
            const move = this.moves.get(o.id);
            if (move && move.ok === null) move.ok = o.t;
            if (p.flying === o.id && p.lostAt !== undefined) this.firsts.push({ t: p.lostAt, took: o.t - p.lostAt });
            if (p.flying === o.id) Object.assign(p, { flying: null, lostAt: undefined });
            break;
        }
        case "no": case "open": this.moves.delete(o.id), Object.assign(p, { flying: null, lostAt: undefined }); break;
        case "down": p.away = { t: o.t, up: null }, (p.lostAt = o.t); break;
        case "up": if (p.away) this.#up(p, o); break;
        case "state": case "told": if (p.away?.up) this.#back(p, o.t); break;
        default: break;
        }
    }
    #up(p, o) {
        p.away.up = o.t;
        if (o.resume === "replayed" || !p.game) this.#back(p, o.t);
    }
    #back(p, t) {
        this.aways.push({ t: p.away.t, back: t - p.away.t, up: p.away.up - p.away.t });
        p.away = null;
    }

    // faults: [{kind, t0, t1}] -> [{kind, faults, moves, within, later, never, share, back, first}]; alone: only what met one kind of fault.
    table(faults, endMs, { alone = false } = {}) {
        const kinds = [...new Set(faults.map((fault) => fault.kind))].sort();
        const rows = new Map(["calm", ...kinds, "all"].map((kind) => [kind, { kind, faults: faults.filter((fault) => fault.kind === kind).length, within: 0, later: 0, never: 0, back: [], first: [] }]));
        const during = (t) => new Set(faults.filter((fault) => t >= fault.t0 && t < (fault.t1 ?? endMs) + TAIL_MS).map((fault) => fault.kind));
        for (const move of this.moves.values()) {
            const result = move.ok === null ? "never" : move.ok - move.due <= ANSWERED_MS ? "within" : "later";
            const at = during(move.due);
            if (alone && at.size > 1) continue;
            for (const kind of at.size ? at : ["calm"]) rows.get(kind)[result]++;
            rows.get("all")[result]++;
        }
        const cause = (t) => faults.filter((fault) => !fault.kind.startsWith("redis") && fault.t0 <= t && t - fault.t0 < DROP_MS + ((fault.t1 ?? t) - fault.t0)).at(-1)?.kind ?? "calm";
        const clear = (t, kind) => [...during(t)].every((other) => other === kind);
        for (const [name, list, took] of [["back", this.aways, "back"], ["first", this.firsts, "took"]]) {
            for (const one of list) {
                const kind = cause(one.t);
                if (alone && !clear(one.t, kind)) continue;
                for (const row of [kind, "all"]) rows.get(row)[name].push(one[took]);
            }
        }
        return [...rows.values()].map((row) => {
            const moves = row.within + row.later + row.never;
            return { ...row, moves, share: moves ? row.within / moves : null, back: summary(row.back), first: summary(row.first) };
        });
    }
}

export function tableText(rows) {
    const percent = (share) => (share === null ? "" : `${(share * 100).toFixed(2)} %`);
    const times = (s) => (s.count ? `${s.count}: ${s.p50} / ${s.p99} / ${s.max}` : "");
    const lines = [["fault", "count", "moves", "in 1 s", "later", "never", "share", "back ms (n: p50/p99/max)", "first move_ok ms (n: p50/p99/max)"]];
    for (const row of rows) lines.push([row.kind, row.kind === "all" ? "" : row.faults || "", row.moves, row.within, row.later, row.never, percent(row.share), times(row.back), times(row.first)].map(String));
    const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
    return lines.map((line) => line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  ").trimEnd()).join("\n");
}
