// SPDX-License-Identifier: Apache-2.0
// times.js - how long the client waits for what, in milliseconds; the reconnect steps are plan.js's.

import { CONNECTION_MS } from "./connection.js";
import { INBOX_MS } from "./inbox.js";
import { ROAM_MS } from "./roam.js";

/** Every waiting time of the client besides the reconnect steps; tests shorten them. */
export const TIMES_MS = {
    ...CONNECTION_MS,
    ...ROAM_MS,
    inbox: INBOX_MS,
    gap: 1000 /* a gap not filled by then is filled by a resume */,
    settled: 5000 /* a connection that stood so long counts as a success */,
    replay: 2000 /* longest wait for an announced replay before requests go out */,
    confirm: 1500 /* after a snapshot: games not named by then are asked for. A ticket that nobody knows may become one until then */,
    repeat: 10000 /* a request that has had no answer for so long is sent again; the server answers within 8 s, if only with `try_again` */,
    ticket: 30000 /* a ticket of which nothing was heard for so long, or twice as long, is asked about */,
    idle: 300000 /* R16 */,
    token: 60000 /* a provider that has not answered by then is asked again */,
    renewRetry: 10000 /* a token that could not be renewed, or was about to end again, is asked for again */,
    spares: 5000 /* other addresses are looked up about so long after connecting */,
    sparesKept: 600000 /* ... and again at a connection so much later */,
    list: 300000 /* the list of regions is looked after about so often */,
    listFirst: 1000 /* ... and for the first time so soon, or when it has run out */,
    dial: 2500 /* a connection that takes so long makes us look around */,
    calm: 3000 /* after a look around that found our region there, late pongs are not worth another one */,
    failover: 1000 /* a crowd arrives in its next region spread over that */,
    home: 20000 /* who is away looks about so often whether home is back */,
};
