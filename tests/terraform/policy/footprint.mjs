// SPDX-License-Identifier: Apache-2.0
// What must be true of all regions together, of what they share, and of the files themselves.
import fs from 'node:fs';
import path from 'node:path';

import { rootsIn } from '../lib/environment.mjs';
import { filesOf } from '../lib/hosts.mjs';

const unless = (ok, complaint) => (ok ? [] : [complaint]);
const pairs = (names) => names.flatMap((a, i) => names.slice(i + 1).map((b) => [a, b]));

/* `t`: tree (folder), footprint. */
export const treeChecks = {
    'every-region-has-a-root': (t) => {
        const live = path.join(t.tree, 'terraform', 'live');
        return fs.readdirSync(live).flatMap((env) => {
            const roots = rootsIn(t.tree).filter((r) => r.includes(`/live/${env}/`)).map((r) => path.basename(r)).filter((r) => r !== 'global');
            const regions = t.footprint.regions.map((r) => r.name);
            return [...regions.filter((r) => !roots.includes(r)).map((r) => `${env}: no root for ${r}`), ...roots.filter((r) => !regions.includes(r)).map((r) => `${env}/${r}: no such region in the footprint`)];
        });
    },
    'shares-sum-to-100': (t) => {
        const sum = t.footprint.regions.reduce((all, r) => all + r.share_percent, 0);
        return unless(sum === 100, `the shares sum to ${sum}`);
    },
    'networks-are-apart': (t) => unless(new Set(t.footprint.regions.map((r) => r.network_ipv4)).size === t.footprint.regions.length, 'two regions have one network'),
    'path-is-state-key': (t) =>
        rootsIn(t.tree).flatMap((root) => {
            const key = /key\s*=\s*"([^"]*)"/.exec(fs.readFileSync(path.join(t.tree, root, 'versions.tf'), 'utf8'))?.[1];
            return unless(key === `${root.replace(/^terraform\//, '')}/terraform.tfstate`, `${root}: state key ${key}`);
        }),
    'account-is-guarded': (t) => rootsIn(t.tree).flatMap((root) => unless(/allowed_account_ids\s*=\s*\[local\./.test(fs.readFileSync(path.join(t.tree, root, 'versions.tf'), 'utf8')), `${root}: any account would do`)),
    'region-roots-are-one-file': (t) => {
        const texts = rootsIn(t.tree).filter((r) => r.includes('/live/') && !r.endsWith('/global')).map((r) => fs.readFileSync(path.join(t.tree, r, 'main.tf'), 'utf8'));
        return unless(new Set(texts).size <= 1, 'main.tf differs between regions');
    },
    'no-region-is-written-down-twice': (t) => {
        const words = t.footprint.regions.flatMap((r) => [r.cloud_region, r.network_ipv4]);
        const files = fs.readdirSync(path.join(t.tree, 'terraform'), { recursive: true }).filter((f) => /\.tf$/.test(f) && !f.includes('.terraform/'));
        return files.flatMap((f) => {
            const text = fs.readFileSync(path.join(t.tree, 'terraform', f), 'utf8').replace(/description\s*=.*|#.*/g, '');
            return words.filter((w) => text.includes(w)).map((w) => `terraform/${f} says ${w}`);
        });
    },
};

/* `g`: the global root's resources (of), footprint, addresses by region (what the regions' roots answered). */
export const globalChecks = {
    'full-mesh': (g) => {
        const names = g.footprint.regions.map((r) => r.name);
        const have = new Set(g.of('aws_vpc_peering_connection').map((p) => p.index.split('--').sort().join('--')));
        const missing = pairs(names).map((p) => [...p].sort().join('--')).filter((p) => !have.has(p));
        return [
            ...missing.map((p) => `no peering ${p}`),
            ...unless(g.of('aws_vpc_peering_connection_accepter').length === have.size, 'a peering that nobody accepts'),
        ];
    },
    'mesh-is-for-routers-only': (g) => {
        const networks = g.footprint.regions.map((r) => r.network_ipv4.replace(/\.0\.0\/16$/, '.136.0/22'));
        const routes = g.of('aws_route').filter((r) => r.values.destination_cidr_block);
        return [
            ...routes.flatMap((r) => unless(networks.includes(r.values.destination_cidr_block), `${r.address} leads to ${r.values.destination_cidr_block}`)),
            ...unless(routes.length === g.footprint.regions.length * (g.footprint.regions.length - 1) * 3, `${routes.length} routes`),
        ];
    },
    'one-source-of-names': (g) => {
        const own = g.of('aws_eip').length;
        const managed = g.of('aws_route53_record').filter((r) => ['A', 'AAAA'].includes(r.values.type) && r.values.alias?.length).length;
        return unless(!(own && managed) && (own || managed), `${own} name servers of ours and ${managed} records`);
    },
    'names-are-the-footprint-s': (g) => {
        const want = [g.footprint.zone, ...g.footprint.regions.map((r) => `${r.name}.${g.footprint.zone}`)].sort();
        const records = [...new Set(g.of('aws_route53_record').filter((r) => r.values.alias?.length).map((r) => r.values.name))].sort();
        return records.length ? unless(records.join() === want.join(), `records are ${records}`) : [];
    },
    'every-region-has-a-name-server': (g) => {
        const servers = g.of('aws_instance').filter((i) => i.values.tags.role === 'geo').map((i) => i.index).sort();
        return servers.length ? unless(servers.join() === g.footprint.regions.map((r) => r.name).sort().join(), `name servers in ${servers}`) : [];
    },
    'name-servers-know-the-real-addresses': (g) =>
        g.of('aws_instance').filter((i) => i.values.tags.role === 'geo').flatMap((i) => {
            const text = filesOf(i.values)['/etc/meridian/footprint.yaml'];
            return Object.entries(g.addresses).flatMap(([name, list]) => list.filter((a) => !text.includes(`"${a}"`)).map((a) => `${i.address}: ${a} of ${name} is missing`));
        }),
    'name-servers-ship-all-or-none': (g) => {
        const servers = g.of('aws_instance').filter((i) => i.values.tags.role === 'geo');
        const shipping = servers.filter((i) => /^ELASTICSEARCH=https:/m.test(filesOf(i.values)['/etc/meridian-ship/address']));
        const readers = g.of('aws_iam_role_policy').filter((p) => /secretsmanager:GetSecretValue/.test(p.values.policy));
        return unless([0, servers.length].includes(shipping.length) && readers.length === shipping.length, `${shipping.length} of ${servers.length} ship, ${readers.length} may read the password`);
    },
    'images-cannot-be-replaced': (g) => g.of('aws_ecr_repository').flatMap((r) => unless(r.values.image_tag_mutability === 'IMMUTABLE', `${r.address}: a tag can be moved`)),
    'metadata-v2-only': (g) => g.of('aws_instance').flatMap((i) => unless(i.values.metadata_options?.[0]?.http_tokens === 'required', `${i.address}: http_tokens is not required`)),
};
