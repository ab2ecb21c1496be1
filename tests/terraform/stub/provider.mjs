// SPDX-License-Identifier: Apache-2.0
// A stand-in for Terraform's AWS provider: the real argument schema, made-up answers, no cloud. Terraform starts it as it starts any plugin
// (protocol 5 over gRPC on a unix socket, mutual TLS with certificates made for this one process) and cannot tell.
//
// STUB_SCHEMA: the schema as schema.mjs writes it. STUB_STAYS: started by us and not by Terraform, to serve many commands one after the other.
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

import { decode, encode, UNKNOWN } from './msgpack.mjs';
import { broken } from './rules.mjs';
import { applied, dataAnswer, planned } from './values.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const schema = JSON.parse(fs.readFileSync(process.env.STUB_SCHEMA, 'utf8'));
const provider = { region: 'us-east-1', tags: {} };

const pack = (value) => ({ msgpack: encode(value) });
const unpack = (value) => (value?.msgpack?.length ? decode(value.msgpack) : value?.json?.length ? JSON.parse(value.json) : null);
const known = (v) => v !== null && v !== undefined && v !== UNKNOWN;

// ---- schema, as the protocol wants it

const NESTING = { single: 'SINGLE', list: 'LIST', set: 'SET' };
const SECRET = /^(auth_token|secret_string|secret_binary|password|passwords)$/;

function wireBlock(block) {
    return {
        version: 0,
        attributes: Object.entries(block.attributes).map(([name, a]) => ({
            name,
            type: Buffer.from(JSON.stringify(a.type)),
            required: a.required,
            optional: a.optional,
            computed: a.computed,
            sensitive: SECRET.test(name),
        })),
        block_types: Object.entries(block.blocks).map(([type_name, b]) => ({
            type_name,
            block: wireBlock(b.block),
            nesting: NESTING[b.mode],
            min_items: b.min,
            max_items: b.max,
        })),
    };
}
const wire = (block) => ({ version: 0, block: wireBlock(block) });
const wireAll = (blocks) => Object.fromEntries(Object.entries(blocks).map(([name, block]) => [name, wire(block)]));

// ---- what every resource has

function tagged(block, value) {
    if (block.attributes.tags_all) value.tags_all = value.tags === UNKNOWN ? UNKNOWN : { ...provider.tags, ...(value.tags ?? {}) };
    if (block.attributes.region && !known(value.region)) value.region = provider.region;
    return value;
}

function plan(type, prior, proposed) {
    if (proposed === null) return null;
    const block = schema.resources[type];
    return tagged(block, prior === null ? planned(block, proposed) : { ...proposed });
}

function apply(type, value) {
    if (value === null) return null;
    const seed = type + JSON.stringify(value, (key, v) => (v === UNKNOWN ? '?' : v));
    return applied(schema.resources[type], value, seed, { type, region: known(value.region) ? value.region : provider.region });
}

function readData(type, config) {
    const block = schema.data[type];
    const region = known(config.region) ? config.region : provider.region;
    const value = applied(block, tagged(block, planned(block, config)), type + JSON.stringify(config), { type, region });
    return dataAnswer(type, config, value, region);
}

const methods = {
    GetSchema: () => ({ provider: wire(schema.provider), resource_schemas: wireAll(schema.resources), data_source_schemas: wireAll(schema.data), provider_meta: { version: 0, block: {} } }),
    PrepareProviderConfig: (r) => ({ prepared_config: r.config }),
    Configure: (r) => {
        const config = unpack(r.config);
        provider.region = known(config?.region) ? config.region : 'us-east-1';
        provider.tags = config?.default_tags?.[0]?.tags ?? {};
        return {};
    },
    ValidateResourceTypeConfig: (r) => ({ diagnostics: broken(r.type_name, schema.resources[r.type_name], unpack(r.config)) }),
    ValidateDataSourceConfig: () => ({}),
    UpgradeResourceState: (r) => ({ upgraded_state: pack(JSON.parse(r.raw_state.json)) }),
    ReadResource: (r) => ({ new_state: r.current_state, private: r.private }),
    PlanResourceChange: (r) => ({ planned_state: pack(plan(r.type_name, unpack(r.prior_state), unpack(r.proposed_new_state))) }),
    ApplyResourceChange: (r) => ({ new_state: pack(apply(r.type_name, unpack(r.planned_state))) }),
    ReadDataSource: (r) => ({ state: pack(readData(r.type_name, unpack(r.config))) }),
    Stop: () => ({}),
};

// ---- the process

function answering(method) {
    return (call, done) => {
        try {
            done(null, method(call.request));
        } catch (error) {
            done({ code: grpc.status.INTERNAL, message: error.stack });
        }
    };
}

function service() {
    const files = ['protocol', 'plugin', 'health'].map((name) => path.join(here, `${name}.proto`));
    const api = grpc.loadPackageDefinition(loader.loadSync(files, { keepCase: true, longs: Number, enums: String, defaults: false, oneofs: true }));
    const server = new grpc.Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
    server.addService(api.tfplugin5.Provider.service, Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, answering(method)])));
    server.addService(api.grpc.health.v1.Health.service, { Check: answering(() => ({ status: 'SERVING' })) });
    server.addService(api.plugin.GRPCStdio.service, { StreamStdio: () => {} });
    server.addService(api.plugin.GRPCBroker.service, { StartStream: (call) => call.on('data', () => {}).on('end', () => call.end()) });
    server.addService(api.plugin.GRPCController.service, {
        Shutdown: (call, done) => {
            done(null, {});
            if (!stays) setTimeout(() => process.exit(0), 5); // after the answer is out: Terraform waits for both
        },
    });
    return server;
}

/* Terraform gave its own certificate in the environment and takes ours from the first line we print. */
function credentials() {
    if (!process.env.PLUGIN_CLIENT_CERT) return { mine: grpc.ServerCredentials.createInsecure(), certificate: '' };
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'stub-'));
    const [key, cert] = [path.join(dir, 'key'), path.join(dir, 'cert')];
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=critical,CA:TRUE'];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, '-days', '2', ...names], { stdio: 'ignore' });
    const pair = { private_key: fs.readFileSync(key), cert_chain: fs.readFileSync(cert) };
    fs.rmSync(dir, { recursive: true });
    return {
        mine: grpc.ServerCredentials.createSsl(Buffer.from(process.env.PLUGIN_CLIENT_CERT), [pair], true),
        certificate: new crypto.X509Certificate(pair.cert_chain).raw.toString('base64').replace(/=+$/, ''),
    };
}

const stays = Boolean(process.env.STUB_STAYS);
if (!process.env.TF_PLUGIN_MAGIC_COOKIE && !stays) {
    console.error('This is a plugin of Terraform; terraform starts it.');
    process.exit(1);
}
process.on('SIGTERM', () => process.exit(0));
if (!stays) process.on('SIGINT', () => {}); // Ctrl-C goes to the whole group; Terraform asks us itself
const { mine, certificate } = credentials();
const socket = path.join(os.tmpdir(), `stub-${process.pid}.sock`);
process.on('exit', () => fs.rmSync(socket, { force: true }));
service().bindAsync(`unix:${socket}`, mine, (error) => {
    if (error) throw error;
    process.stdout.write(`1|5|unix|${socket}|grpc|${certificate}\n`);
});
