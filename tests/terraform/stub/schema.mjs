// SPDX-License-Identifier: Apache-2.0
// Reads the AWS provider's argument schema out of an npm package that was generated from it (one compiled class a resource type), without
// running any of it.
//
// What a class tells, and where:
//   // NAME - computed: C, optional: O, required: R     a comment above every getter: how the argument may be used
//   NAME: { value: ..., isBlock: ..., type: "list", storageClassType: "stringList" }     in its toHcl function: type, block or not
//   getListAttribute('NAME')     the getter: the type of what only AWS decides and no toHcl function mentions
// What it does not tell: defaults, ranges, enumerations, what conflicts, what forces a replacement (rules.mjs knows a few).
import fs from 'node:fs';
import path from 'node:path';

const SCALARS = { string: 'string', number: 'number', boolean: 'bool', any: 'dynamic' };
const capital = (word) => word[0].toUpperCase() + word.slice(1);

/* One file: its classes and the arguments of its toHcl functions, by the class's name. */
function parse(file) {
    const text = fs.readFileSync(file, 'utf8').replace(/^\/\/# sourceMappingURL.*$/m, '');
    const classes = {};
    const structs = {};
    for (const [, name, base, body] of text.matchAll(/^class (\w+) extends cdkt[fn]\.(\w+) \{\n([\s\S]*?)^\}/gm)) classes[name] = { base, body };
    for (const [, name, body] of text.matchAll(/^function (\w+)ToHclTerraform\(struct\) \{\n([\s\S]*?)^\}/gm)) structs[capital(name)] = args(body);
    return { text, classes, structs };
}

function args(body) {
    const row = /^\s+"?(\w+)"?: \{\n\s+value: (.*),\n\s+isBlock: (true|false),\n\s+type: "(\w+)",\n\s+storageClassType: "(\w+)",/gm;
    return [...body.matchAll(row)].map(([, name, value, isBlock, kind, storage]) => ({ name, value, isBlock: isBlock === 'true', kind, storage }));
}

function usage(body) {
    const found = {};
    for (const [, name, computed, optional, required] of body.matchAll(/\/\/ (\w+) - computed: (\w+), optional: (\w+), required: (\w+)/g))
        found[name] = { computed: computed === 'true', optional: optional === 'true', required: required === 'true' };
    return found;
}

/* stringList -> string, numberMap -> ["map","number"], ... */
function element(storage) {
    const [, inner, wrap] = /^(\w*?)(List|Map)$/.exec(storage) ?? [];
    return wrap ? [wrap.toLowerCase(), element(inner)] : (SCALARS[storage] ?? 'string');
}

function argumentType({ kind, storage }) {
    if (kind === 'simple') return SCALARS[storage] ?? 'string';
    if (kind === 'map') return ['map', element(storage.replace(/Map$/, ''))];
    return [kind === 'set' ? 'set' : 'list', element(storage.replace(/List$/, ''))];
}

const GETTERS = {
    String: 'string',
    Number: 'number',
    Boolean: 'bool',
    List: ['list', 'string'],
    NumberList: ['list', 'number'],
    StringMap: ['map', 'string'],
    NumberMap: ['map', 'number'],
    BooleanMap: ['map', 'bool'],
};

/* The type of an attribute that only AWS sets. */
function computedType(file, body, name) {
    const getter = new RegExp(`(tolist\\()?this\\.get(\\w+)Attribute\\('${name}'\\)`).exec(body);
    if (getter) {
        const type = GETTERS[getter[2]] ?? 'dynamic';
        return getter[1] && Array.isArray(type) ? ['set', type[1]] : type;
    }
    const maker = new RegExp(`new ([\\w.]+)\\(this, "${name}"(?:, (true|false))?\\)`).exec(body);
    if (!maker) return 'string';
    if (/^cdkt[fn]\./.test(maker[1])) return maker[1].endsWith('MapList') ? ['list', ['map', 'string']] : (GETTERS[maker[1].split('.')[1]] ?? 'dynamic');
    return [maker[2] === 'true' ? 'set' : 'list', objectType(file, maker[1].replace(/(List|OutputReference)$/, ''))];
}

function objectType(file, name) {
    const body = file.classes[`${name}OutputReference`]?.body ?? '';
    const known = new Map((file.structs[name] ?? []).map((a) => [a.name, a]));
    const fields = {};
    for (const field of new Set([...Object.keys(usage(body)), ...known.keys()])) {
        const a = known.get(field);
        fields[field] = !a ? computedType(file, body, field) : a.isBlock ? ['list', objectType(file, struct(a))] : argumentType(a);
    }
    return ['object', fields];
}

const struct = (arg) => capital((/(\w+)ToHclTerraform/.exec(arg.value) ?? [, ''])[1]);

function nestedBlock(file, arg, how) {
    const name = struct(arg);
    const mode = arg.kind === 'struct' ? 'single' : arg.kind;
    const block = blockOf(file, file.structs[name] ?? [], file.classes[`${name}OutputReference`]?.body ?? '');
    const many = arg.value.includes('listMapper');
    return { mode, block, min: how.required ? 1 : 0, max: many || mode === 'single' ? 0 : 1 };
}

function blockOf(file, list, body) {
    const block = { attributes: {}, blocks: {} };
    const uses = usage(body);
    const told = new Set(list.map((a) => a.name));
    for (const [name, use] of Object.entries(uses)) if (!told.has(name)) block.attributes[name] = { type: computedType(file, body, name), ...use };
    for (const arg of list) {
        const use = uses[arg.name] ?? { computed: false, optional: true, required: false };
        if (arg.isBlock) block.blocks[arg.name] = nestedBlock(file, arg, use);
        else block.attributes[arg.name] = { type: argumentType(arg), ...use };
    }
    return block;
}

/* The file of the package that describes a type: "aws_lb", "data.aws_ami", or "provider". */
export function fileOf(type) {
    const folder = type.startsWith('data.') ? type.replace('.', '_') : type.replace(/^aws_/, '');
    return `package/lib/${folder.replace(/_/g, '-')}/index.js`;
}

/* root: where the package was unpacked. A type without a file is left out: Terraform itself then says that the provider has none such. */
export function readSchema(root, types) {
    const schema = { provider: null, resources: {}, data: {}, version: null };
    for (const type of ['provider', ...types]) {
        const at = path.join(root, fileOf(type));
        if (!fs.existsSync(at)) continue;
        const file = parse(at);
        const main = Object.values(file.classes).find((c) => /^Terraform(Resource|DataSource|Provider)$/.test(c.base));
        const body = /synthesizeHclAttributes\(\) \{\n([\s\S]*?)\n    \}/.exec(main.body)[1];
        const block = blockOf(file, args(body), main.body);
        schema.version ??= (/providerVersion: '([\d.]+)'/.exec(main.body) ?? [])[1];
        if (type === 'provider') {
            delete block.attributes.alias; // Terraform's own
            for (const a of Object.values(block.attributes)) a.computed = false;
            schema.provider = block;
        } else if (type.startsWith('data.')) schema.data[type.slice(5)] = withId(block);
        else schema.resources[type] = withId(block);
    }
    return schema;
}

function withId(block) {
    block.attributes.id ??= { type: 'string', computed: true, optional: false, required: false };
    return block;
}
