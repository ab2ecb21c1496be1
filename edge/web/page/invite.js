// SPDX-License-Identifier: Apache-2.0
// invite.js - playing with friends: the code that a waiting table shows, and the link by which a friend comes.
//
// The link is this page with ?code=. It is used once: whoever reloads later is not to be sent to a table that is long
// over. A page that is not on a secure origin may not touch the clipboard; then the link is there to be copied by hand.

import { announce, note } from "./notices.js";

const COPIED_MS = 2500;

const byId = (id) => document.getElementById(id);

/** The code in the page's address, or "". */
export function codeInLink() {
    return new URLSearchParams(location.search).get("code")?.trim() ?? "";
}

/** The address loses its code; ?edge= and the like stay. */
export function forgetLink() {
    const url = new URL(location.href);
    url.searchParams.delete("code");
    history.replaceState(null, "", url);
}

/** What a friend opens. */
export function linkOf(code) {
    const url = new URL("/", location.origin);
    url.searchParams.set("code", code);
    return url.href;
}

/* The region on a line of its own: the ten letters are what has to be told. */
function written(code) {
    const at = code.lastIndexOf("-", code.length - 7);
    return [code.slice(0, at + 1), code.slice(at + 1)].map((text) => {
        const part = document.createElement("span");
        part.textContent = text;
        return part;
    });
}

/** The part of the waiting view that shows a code. */
export class InvitePanel {
    #code = "";
    #expiresAtMs = 0;

    /** @param {() => number} serverNow */
    constructor(serverNow) {
        this.serverNow = serverNow;
        byId("invite-copy").addEventListener("click", () => this.#copy());
        byId("invite-share").addEventListener("click", () => this.#share());
        byId("invite-share").hidden = typeof navigator.share !== "function";
        byId("invite-link").addEventListener("focus", (event) => event.target.select());
    }

    /** @param {{code?: string, expiresAtMs?: number}|null} ticket null or without a code: nothing is shown */
    show(ticket) {
        const { code = "", expiresAtMs = 0 } = ticket ?? {};
        this.#expiresAtMs = expiresAtMs;
        byId("invite").hidden = code === "";
        if (code === this.#code) return;
        this.#code = code;
        byId("invite-code").replaceChildren(...written(code));
        byId("invite-link").value = code && linkOf(code);
        byId("invite-left").textContent = "";
        if (code) announce(`The code is ${[...code].join(" ")}.`);
    }

    /** Once a second. */
    tick() {
        if (!this.#code || !this.#expiresAtMs) return;
        const left = Math.max(0, Math.ceil((this.#expiresAtMs - this.serverNow()) / 1000));
        byId("invite-left").textContent = `Open for ${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    }

    async #copy() {
        const link = byId("invite-link");
        try {
            await navigator.clipboard.writeText(link.value);
        } catch {
            link.focus();
            link.select();
            if (!document.execCommand("copy")) return note("Copy the link from its field.", { key: "copy" });
        }
        announce("The link is copied.");
        const button = byId("invite-copy");
        button.textContent = "Copied";
        setTimeout(() => (button.textContent = "Copy the link"), COPIED_MS);
    }

    #share() {
        navigator.share({ title: "Meridian", text: `Play memory with me: ${this.#code}`, url: linkOf(this.#code) }).catch(() => {
            /* thought better of it */
        });
    }
}
