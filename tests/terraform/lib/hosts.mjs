// SPDX-License-Identifier: Apache-2.0
// What a host is told at birth, read back out of a plan: the files of its cloud-init document, and configurations as the boot script fills them.
import zlib from 'node:zlib';

export const EXAMPLE = { HOST: 'i-0123456789abcdef0', ADDRESS: '10.20.64.17' };

/* Files of a resource's user data: path -> content. */
export function filesOf(values) {
    const data = values.user_data_base64 ?? values.user_data;
    if (!data) throw new Error('user data is not known from the plan');
    const [first, ...rest] = zlib.gunzipSync(Buffer.from(data, 'base64')).toString().split('\n');
    if (first !== '#cloud-config') throw new Error(`user data begins with ${first}`);
    const document = JSON.parse(rest.join('\n'));
    return Object.fromEntries(document.write_files.map((f) => [f.path, f.content]));
}

export const documentSize = (values) => Buffer.from(values.user_data_base64 ?? values.user_data, 'base64').length;

/* host.env as a map. */
export function environmentOf(files) {
    return Object.fromEntries([...files['/etc/meridian/host.env'].matchAll(/^export (\w+)='(.*)'$/gm)].map(([, k, v]) => [k, v]));
}

/* What the boot script makes of an X.in for process n. */
export function filled(text, files, n) {
    const env = environmentOf(files);
    const values = { ...EXAMPLE, N: String(n), ADMIN_PORT: String(+env.ADMIN_PORT + n), BUS_PORT: String(+env.BUS_PORT + n) };
    return text.replace(/@(HOST|ADDRESS|N|ADMIN_PORT|BUS_PORT)@/g, (_, name) => values[name]);
}

/* A flat mapping as yamlencode writes it. */
export function flat(text) {
    const out = {};
    let list = null;
    for (const line of text.split('\n')) {
        const item = /^ *- (.*)$/.exec(line);
        if (item) {
            list.push(JSON.parse(item[1]));
            continue;
        }
        const pair = /^"?(\w+)"?:(?: (.*))?$/.exec(line);
        if (!pair) continue;
        out[pair[1]] = pair[2] === undefined ? (list = []) : JSON.parse(pair[2]);
    }
    return out;
}
