// SPDX-License-Identifier: Apache-2.0
const defaults = {
    seed: null, edges: 4, games: 300, port: 12000, build: null, out: null, "rate": null,
    "kills-edge": 200, "pauses-edge": 10, "kills-router": 50, "pauses-router": 5, "redis-faults": 30, "redis-kinds": null,
    "edge-set": [], "router-set": [], short: false, apart: false, cuts: true, keep: false, quiet: false,
};
const short = { edges: 3, games: 60, rate: 50, "kills-edge": 2, "pauses-edge": 0, "kills-router": 1, "pauses-router": 0, "redis-faults": 1, "redis-kinds": "redis-kill", cuts: false };

export const help = `usage: tests/chaos/run.mjs [option value]...
A region of its own, players from meridian-load, faults at points that a seed decides, and a judge (check.mjs). Exit code 0: nothing broken.

  --seed N           of all choices (by the clock; printed)      --edges N            edge processes (4)
  --games N          games at a time (300)                       --rate N             moves a second (a third of the games)
  --kills-edge N     kill -9 of edges (200)                      --pauses-edge N      edges stopped for 10-15 s (10)
  --kills-router N   kill -9 of routers (50)                     --pauses-router N    routers stopped for 10-15 s (5)
  --redis-faults N   Redis nodes killed, stopped, cut off (30)   --redis-kinds A,B    only these (all)
  --apart            one fault at a time, the next when the last is over in every respect: what each kind costs by itself
  --no-cuts          none that need nftables                     --short              about a minute: 60 games, 3 edges, 4 faults
  --build DIR        programs of this build folder (infra/local/up builds them)
  --port BASE        of the footprint (12000); with a network namespace of its own (root) nothing else is in the way
  --edge-set K=V     of every edge; --router-set K=V of every router; both may be given several times
  --out DIR          journal, faults and result stay there (a folder under TMPDIR, removed unless something broke)
  --keep             keep it anyway                              --quiet              no line a fault
`;

export function parse(args) {
    const given = {};
    for (let i = 0; i < args.length; i++) {
        const name = args[i].replace(/^--/, "");
        if (name === "no-cuts") given.cuts = false;
        else if (!args[i].startsWith("--") || !(name in defaults)) throw new Error(`unknown option ${args[i]} (--help tells them)`);
        else if (typeof defaults[name] === "boolean") given[name] = true;
        else if (i + 1 === args.length) throw new Error(`${args[i]} needs a value`);
        else if (Array.isArray(defaults[name])) given[name] = [...(given[name] ?? []), args[++i]];
        else given[name] = args[++i];
    }
    const o = { ...defaults, ...(given.short ? short : {}), ...given };
    for (const name of ["seed", "edges", "games", "port", "rate", "kills-edge", "pauses-edge", "kills-router", "pauses-router", "redis-faults"]) {
        if (o[name] === null) continue;
        o[name] = Number(o[name]);
        if (!Number.isSafeInteger(o[name]) || o[name] < 0) throw new Error(`--${name} takes a number`);
    }
    o.seed ??= Date.now() % 2 ** 31;
    o.rate ??= Math.max(10, Math.ceil(o.games / 3));
    return o;
}
