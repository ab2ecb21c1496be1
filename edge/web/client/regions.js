// SPDX-License-Identifier: Apache-2.0
// regions.js - other addresses of the game, asked for at GET /v1/regions.
//
// Behind one address there are usually many edges, and then nothing of this is needed. Where edges have addresses of
// their own, a client that knows only its own would be lost with it; and a player who is sent to another region needs
// addresses there. The order within a region is chance, so that the players of a dead edge spread over the others.

/**
 * Makes a `locate` for MeridianClient.
 * @param {object} options
 * @param {string} options.url an HTTP origin that serves /v1/regions
 * @param {typeof fetch} [options.fetch]
 * @param {() => number} [options.random]
 * @returns {(to: {region?: string, edge?: string}) => Promise<string[]>} sockets' addresses: of that region, else of
 *          the nearest; the named edge first
 */
export function regionUrls({ url, fetch = globalThis.fetch.bind(globalThis), random = Math.random }) {
    return async ({ region, edge } = {}) => {
        const response = await fetch(new URL("/v1/regions", url));
        if (!response.ok) throw new Error(`HTTP ${response.status}`);
        const { regions } = await response.json();
        const place = regions.find((one) => one.name === region) ?? (region ? undefined : regions[0]);
        const edges = shuffled(place?.edges ?? [], random).filter((one) => one.ws);
        const first = edges.filter((one) => one.id === edge);
        return [...first, ...edges.filter((one) => one.id !== edge)].map((one) => one.ws);
    };
}

function shuffled(list, random) {
    return list
        .map((item) => ({ item, key: random() }))
        .sort((a, b) => a.key - b.key)
        .map(({ item }) => item);
}
