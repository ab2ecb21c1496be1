// SPDX-License-Identifier: Apache-2.0
// in_turn.js - several who may know, asked so that few are asked in vain. Pure but for the timer.

/**
 * Asks one after the other: the next one `apartMs` later, or as soon as the last one said no.
 * @param {Array<T>} items
 * @param {number} apartMs
 * @param {(item: T) => Promise<boolean>} ask never rejects
 * @returns {Promise<T|null>} the first that said yes; null: all said no
 * @template T
 */
export async function inTurn(items, apartMs, ask) {
    const asked = [];
    for (const item of items) {
        const answer = ask(item);
        asked.push([item, answer]);
        if (await Promise.race([answer, ...asked.map(([, one]) => one.then((yes) => yes || answer)), after(apartMs)])) break;
    }
    return Promise.any(asked.map(([item, answer]) => answer.then((yes) => (yes ? item : Promise.reject(item))))).catch(() => null);
}

const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
