// SPDX-License-Identifier: Apache-2.0
// What AWS would answer: which values are not known before an apply, and made-up ones afterwards, derived from the arguments so that the same
// plan always gets the same answers.
import crypto from 'node:crypto';

import { UNKNOWN } from './msgpack.mjs';

export const ACCOUNT = '123456789012';
const hash = (text) => crypto.createHash('sha256').update(text).digest('hex');
const isObject = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);

/* Every attribute that AWS decides and nobody gave becomes unknown, at every depth. */
export function planned(block, value) {
    if (!isObject(value)) return value;
    const out = { ...value };
    for (const [name, a] of Object.entries(block.attributes)) if (a.computed && (out[name] === null || out[name] === undefined)) out[name] = UNKNOWN;
    return nested(block, out, planned);
}

function nested(block, out, what, ...more) {
    for (const [name, b] of Object.entries(block.blocks)) {
        const v = out[name];
        if (Array.isArray(v)) out[name] = v.map((item, i) => what(b.block, item, ...more.map((m) => `${m}/${name}${i}`)));
        else if (isObject(v)) out[name] = what(b.block, v, ...more);
    }
    return out;
}

/* Unknown becomes made up. */
export function applied(block, value, seed, context) {
    if (!isObject(value)) return value;
    const out = { ...value };
    for (const [name, a] of Object.entries(block.attributes)) out[name] = settle(a.type, out[name], { ...context, name, seed: hash(`${seed}/${name}`) });
    return nested(block, out, (b, v, s) => applied(b, v, s, context), seed);
}

function settle(type, value, about) {
    if (value === UNKNOWN) return invent(type, about);
    if (Array.isArray(value)) return value.map((item, i) => settle(type[1] ?? 'string', item, { ...about, seed: hash(about.seed + i) }));
    if (isObject(value)) {
        const of = (key) => (type[0] === 'object' ? type[1][key] : type[1]);
        return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, settle(of(k), v, { ...about, name: k, seed: hash(about.seed + k) })]));
    }
    return value;
}

function invent(type, about) {
    if (type === 'string') return inventText(about);
    if (type === 'number') return /version$/.test(about.name) ? 1 : 0;
    if (type === 'bool') return false;
    if (!Array.isArray(type)) return null;
    if (type[0] === 'map') return {};
    if (type[0] !== 'object') return [];
    return Object.fromEntries(Object.entries(type[1]).map(([key, t]) => [key, invent(t, { ...about, name: key, seed: hash(about.seed + key) })]));
}

function inventText({ name, seed, type, region }) {
    const word = type.replace(/^aws_/, '');
    const short = seed.slice(0, 12);
    if (/arn$/.test(name)) return `arn:aws:${word.split('_')[0]}:${region}:${ACCOUNT}:${word}/${short}`;
    if (name === 'id') return `${word.replace(/_/g, '-')}-${short}`;
    if (/ipv6_cidr_block$/.test(name)) return `2001:db8:${seed.slice(0, 4)}:${seed.slice(4, 6)}00::/56`;
    if (/(^|_)ip(_address)?$/.test(name)) return `192.0.2.${parseInt(seed.slice(0, 2), 16)}`;
    if (/dns_name|fqdn|endpoint|address|domain_name/.test(name)) return `${name.replace(/_/g, '-')}-${short}.${region}.aws.test`;
    if (/zone_id$/.test(name)) return `Z${short.toUpperCase()}`;
    if (name === 'key_name') return ''; // computed, and nothing when nobody gave one
    return `${name}-${short}`;
}

/* Data sources whose answers our modules compute with. */
export function dataAnswer(type, config, value, region) {
    if (type === 'aws_availability_zones') return { ...value, names: ['a', 'b', 'c'].map((z) => region + z), zone_ids: ['1', '2', '3'].map((z) => `${region}-az${z}`) };
    if (type === 'aws_caller_identity') return { ...value, account_id: ACCOUNT, arn: `arn:aws:iam::${ACCOUNT}:user/test`, user_id: 'test' };
    if (type === 'aws_partition') return { ...value, partition: 'aws', dns_suffix: 'amazonaws.com', reverse_dns_prefix: 'com.amazonaws' };
    if (type === 'aws_region') return { ...value, region, name: region };
    if (type === 'aws_ssm_parameter') return { ...value, value: `ami-${hash(`${config.name}${region}`).slice(0, 17)}` };
    if (type === 'aws_iam_policy_document') return { ...value, json: policyJson(config) };
    return value;
}

const oneOrMany = (list) => (list?.length === 1 ? list[0] : [...(list ?? [])].sort());

function policyJson(config) {
    const statement = (config.statement ?? []).map((s) => {
        const out = { Effect: s.effect ?? 'Allow', Action: oneOrMany(s.actions), Resource: oneOrMany(s.resources) };
        if (s.sid) out.Sid = s.sid;
        if (!s.resources?.length) delete out.Resource;
        if (s.principals?.length) out.Principal = Object.fromEntries(s.principals.map((p) => [p.type, oneOrMany(p.identifiers)]));
        for (const c of s.condition ?? []) ((out.Condition ??= {})[c.test] ??= {})[c.variable] = oneOrMany(c.values);
        return out;
    });
    return JSON.stringify({ Version: '2012-10-17', Statement: statement });
}
