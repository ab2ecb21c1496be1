// SPDX-License-Identifier: Apache-2.0
// identity.js - who plays in this tab: name, guest token, device. Survives reloads where storage is allowed.
//
// The token is shared by the tabs of a browser, so that a player stays the same user; each tab is a device of its
// own. "New guest" gives one tab another user without taking the token from the others.

const memory = new Map();

/* Private windows may refuse storage; then everything lives as long as the page. */
function read(storage, key) {
    try {
        return window[storage].getItem(key) ?? memory.get(key) ?? null;
    } catch {
        return memory.get(key) ?? null;
    }
}

function write(storage, key, value) {
    memory.set(key, value);
    try {
        if (value === null) window[storage].removeItem(key);
        else window[storage].setItem(key, value);
    } catch {
        /* kept in memory */
    }
}

const NAME = "meridian.name";
const GUEST = "meridian.guest";
const OWN = "meridian.own"; /* this tab has a guest of its own */
const DEVICE = "meridian.device";
const REGIONS = "meridian.regions";

const area = () => (read("sessionStorage", OWN) ? "sessionStorage" : "localStorage");

function kept(storage, key) {
    return {
        load() {
            try {
                return JSON.parse(read(storage(), key));
            } catch {
                return null;
            }
        },
        save(value) {
            write(storage(), key, JSON.stringify(value));
        },
    };
}

export const identity = {
    get name() {
        return read(area(), NAME) ?? "";
    },
    set name(value) {
        write(area(), NAME, value);
    },

    /** For guestTokens(): where the token is kept. */
    store: kept(area, GUEST),

    /** For RegionList: the way to other regions, of all tabs. */
    regions: kept(() => "localStorage", REGIONS),

    /** A device id for this tab. */
    get device() {
        if (!read("sessionStorage", DEVICE)) {
            const bytes = crypto.getRandomValues(new Uint8Array(12));
            write("sessionStorage", DEVICE, [...bytes].map((byte) => byte.toString(36)).join(""));
        }
        return read("sessionStorage", DEVICE);
    },

    /** From now on this tab is somebody else. */
    startAnew() {
        write("sessionStorage", OWN, "1");
        write("sessionStorage", NAME, "");
        write("sessionStorage", GUEST, null);
        write("sessionStorage", DEVICE, null);
    },
};
