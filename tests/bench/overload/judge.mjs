// SPDX-License-Identifier: Apache-2.0
// What the seconds of a run say: capacity, work, latency. Pure.
const FINE_MS = 100, SPAN = 5;

const middle = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;
const sum = (list) => list.reduce((a, b) => a + b, 0);

// The most moves a second over some seconds in which p99 stayed under 100 ms (the middle one of the seconds' p99).
export function peak(seconds) {
    let best = { movesPerSecond: 0, playing: 0, p50: 0, p99: 0 };
    for (let at = 0; at + SPAN <= seconds.length; at++) {
        const span = seconds.slice(at, at + SPAN), p99 = middle(span.map((s) => s.p99)), moves = sum(span.map((s) => s.movesOk)) / SPAN;
        if (p99 < FINE_MS && moves > best.movesPerSecond) {
            best = { movesPerSecond: moves, playing: span.at(-1).playing, p50: middle(span.map((s) => s.p50)), p99 };
        }
    }
    return best;
}

// What several runs together did between two times.
export function window(results, fromMs, toMs) {
    const of = results.map((result) => result.eachSecond.filter((s) => s.atMs > fromMs && s.atMs <= toMs));
    const all = of.flat();
    return {
        seconds: (toMs - fromMs) / 1000,
        movesPerSecond: sum(all.map((s) => s.movesOk)) / ((toMs - fromMs) / 1000),
        playing: sum(of.map((list) => middle(list.map((s) => s.playing)))),
        p50: middle(all.map((s) => s.p50)), p99: middle(all.map((s) => s.p99)), worst: Math.max(0, ...all.map((s) => s.p99)),
    };
}

const count = (results, name) => sum(results.map((result) => result.counts[name]));

const percent = (grown) => `${(grown.process_cpu_seconds_total * 100).toFixed(1)} %`;

export function judge(best, seen, times) {
    const share = seen.during.movesPerSecond / seen.peak.movesPerSecond, slower = seen.inPlay.p99 / best.p99, slowerNow = seen.inPlay.p99 / seen.peak.p99;
    const silent = count(seen.results, "silent"), repeated = count(seen.results, "repeated"), cut = count(seen.results, "cut");
    const refused = sum(seen.results.map((result) => sum(Object.values(result.statuses)))), overloaded = sum(seen.results.map((r) => r.errors.overloaded ?? 0));
    const broken = sum(seen.results.map((result) => result.faults.total - result.faults.kinds.unfinished));
    const good = share >= 0.9 && slower <= 2 && silent === 0 && repeated === 0 && broken === 0;
    const row = (name, w) => `${name.padEnd(44)} ${w.movesPerSecond.toFixed(0).padStart(5)} moves/s ${String(w.playing).padStart(5)} playing  p50 ${w.p50.toFixed(1)} p99 ${w.p99.toFixed(1)} ms\n`;
    const text =
        row("capacity: the most with p99 < 100 ms", best) +
        row("an edge with just so many, before", seen.peakBefore) + row("  and at the same time as the crowd", seen.peak) +
        row("the other: four fifths of them, before", seen.before) + row(`  all it accepts of ${times} times as many`, seen.during) +
        row("  of these, who played before", seen.inPlay) +
        `accepted work ${share.toFixed(2)} of the peak; games in play: p99 ${slower.toFixed(2)} times the capacity's, ${slowerNow.toFixed(2)} times the other edge's now, worst second ${seen.inPlay.worst.toFixed(0)} ms\n` +
        `refused: ${refused} connections with a status, ${overloaded} requests with overloaded, ${cut} cut; without an answer: ${silent}; moves said twice: ${repeated}; broken: ${broken}\n` +
        `it used ${percent(seen.calm)} of a core before, ${percent(seen.crowded)} with the crowd; a second it had\n` +
        Object.entries(seen.crowded).filter(([name]) => /refused_total|load_levels|opened_total/.test(name)).map(([name, by]) => `  ${name} ${by.toFixed(1)}\n`).join("");
    return { good, share, slower, slowerNow, silent, repeated, cut, refused, overloaded, broken, text };
}
