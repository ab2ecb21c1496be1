// SPDX-License-Identifier: Apache-2.0
// What must be true of every region's plan, whatever else changes. Each check has a name; it answers with what is wrong, or with nothing.
// `r` is one region: name, footprint entry, its resources by type.
import fs from 'node:fs';
import path from 'node:path';

import { root } from '../lib/environment.mjs';
import { documentSize, environmentOf, filesOf, flat } from '../lib/hosts.mjs';

const only = (list) => list[0]?.values ?? {};
const edgeConfig = (r) => flat(filesOf(only(r.of('aws_launch_template')))['/etc/meridian/edge-@N@.yaml.in']);
const hosts = (r, role) => r.of('aws_instance').filter((i) => i.values.tags?.role === role);
const unless = (ok, complaint) => (ok ? [] : [complaint]);
const WORLD = ['0.0.0.0/0', '::/0'];

// R33, written down a second time on purpose: a figure changed in one place only is found.
const R33_OUT = { cpu: ['CPUUtilization', 70, 5], memory: ['MemoryPercent', 80, 3], connections: ['ConnectionsPercent', 80, 1], response: ['ResponseMs', 100, 1] };

export const regionChecks = {
    'open-ports': (r) =>
        r.of('aws_vpc_security_group_ingress_rule').filter((i) => WORLD.includes(i.values.cidr_ipv4) || WORLD.includes(i.values.cidr_ipv6)).flatMap((rule) => {
            const { from_port: from, to_port: to, ip_protocol: protocol } = rule.values;
            const player = from === 443 && to === 443 && protocol === 'tcp' && r.group(rule) === 'balancer';
            const names = from === 53 && to === 53 && r.group(rule) === 'geo';
            return unless(player || names, `${rule.address}: ${protocol} ${from}-${to} is open to the world`);
        }),
    'no-wide-ranges': (r) =>
        r.of('aws_vpc_security_group_ingress_rule').flatMap((rule) => {
            const { from_port: from, to_port: to, ip_protocol: protocol } = rule.values;
            return unless(protocol !== '-1' && to - from <= 256, `${rule.address}: ${protocol} ${from}-${to}`);
        }),
    'no-ssh': (r) => [
        ...r.of('aws_vpc_security_group_ingress_rule').filter((i) => i.values.from_port <= 22 && i.values.to_port >= 22).map((i) => `${i.address} opens port 22`),
        ...[...r.of('aws_instance'), ...r.of('aws_launch_template')].filter((i) => i.values.key_name).map((i) => `${i.address} has a key`),
    ],
    // Admin ports drain and override: on loopback everywhere, and what is there leaves the host by its agent alone.
    'admin-ports-stay-on-the-host': (r) => [
        ...[edgeConfig(r), ...hosts(r, 'router').map((h) => flat(filesOf(h.values)['/etc/meridian/router.yaml.in']))].flatMap((c) =>
            unless(/^127\.0\.0\.1:/.test(c.admin_listen) && /^(unix:|$)/.test(c.control_listen ?? ''), `${c.id}: ${c.admin_listen}, ${c.control_listen}`)),
        ...r.of('aws_vpc_security_group_ingress_rule').flatMap(({ address, values: v }) => unless(v.to_port < 7400 || v.from_port > 7500 || v.from_port === 7443, `${address} opens admin ports`)),
    ],
    'every-host-is-watched': (r) => {
        const [monitor] = hosts(r, 'monitor');
        const record = r.of('aws_route53_record').find((d) => d.address.includes('module.monitor'));
        if (!monitor || !record) return ['no monitor'];
        const writes = r.of('aws_vpc_security_group_ingress_rule').filter((rule) => r.group(rule) === 'monitor');
        return [
            ...[...r.of('aws_launch_template'), ...r.of('aws_instance')].filter((h) => h !== monitor).flatMap((h) => {
                const files = filesOf(h.values);
                const targets = Object.keys(files).filter((f) => f.startsWith('/etc/meridian-watch/targets/'));
                const there = files['/etc/meridian-watch/agent.yml']?.includes(`http://${record.values.name}:9090/api/v1/write`);
                return unless(there && targets.length && /\bprometheus\.service\b/.test(environmentOf(files).UNITS), `${h.address}: nobody sees it`);
            }),
            // Figures travel in the clear: from the hosts of four groups, to the one port, and no other way.
            ...unless(writes.map((w) => w.index).sort().join() === ['edge', 'geo', 'redis', 'router'].map((g) => `${g}-to-monitor`).join(), `ways to the monitor: ${writes.map((w) => w.index)}`),
            ...writes.flatMap(({ index, values: v }) => unless(v.from_port === 9090 && v.to_port === 9090 && !v.cidr_ipv4 && !v.cidr_ipv6 && !v.prefix_list_id, `${index}: ${v.from_port}-${v.to_port} ${v.cidr_ipv4 ?? ''}`)),
            ...unless(!/--web\.enable-(admin-api|lifecycle)/.test(filesOf(monitor.values)['/etc/systemd/system/prometheus.service']), 'whoever reaches the monitor can empty or stop it'),
            ...unless(!monitor.values.associate_public_ip_address && r.of('aws_cloudwatch_metric_alarm').some((a) => a.index === 'monitor'), 'the monitor is public, or nobody watches it'),
        ];
    },
    // At the figures of the rules for hosts of ours, read where those stand.
    'managed-redis-is-watched': (r) => {
        const rules = fs.readFileSync(path.join(root, 'infra/observability/rules/store.yml'), 'utf8');
        const limit = (alert) => +new RegExp(`alert: ${alert}\\n +expr: '.* > ([0-9.]+)'`).exec(rules)[1];
        const want = { EngineCPUUtilization: 80, DatabaseMemoryUsagePercentage: 100 * limit('RedisMemoryHigh'), Evictions: 0, CurrConnections: 65000 * limit('RedisConnectionsHigh'), ReplicationLag: 1, IsMaster: 0 };
        const alarms = r.of('aws_cloudwatch_metric_alarm').map(({ values: a }) => ({ ...a, ...a.metric_query?.find((q) => q.metric?.length)?.metric[0] })).filter((a) => a.namespace === 'AWS/ElastiCache');
        const nodes = r.of('aws_elasticache_replication_group').flatMap(({ values: g }) =>
            Array.from({ length: g.num_node_groups * (g.replicas_per_node_group + 1) }, (_, n) => `${g.replication_group_id}-${String((n / 3 | 0) + 1).padStart(4, '0')}-00${(n % 3) + 1}`));
        return [
            ...nodes.flatMap((node) => Object.entries(want).flatMap(([metric, threshold]) =>
                unless(alarms.some((a) => a.dimensions.CacheClusterId === node && a.metric_name === metric && a.threshold === threshold && a.alarm_actions?.length !== 0), `${node}: ${metric}`))),
            ...unless(alarms.length === nodes.length * Object.keys(want).length, `${alarms.length} alarms for ${nodes.length} nodes`),
        ];
    },
    // All hosts but the monitor, or none: Elasticsearch over TLS, its password a secret that the host's role may read, a way out.
    'lines-leave-over-tls': (r) => {
        const all = [...r.of('aws_launch_template'), ...r.of('aws_instance')].filter((h) => h.values.tags?.role !== 'monitor');
        const shipping = all.filter((h) => '/etc/meridian-ship/address' in filesOf(h.values));
        if (shipping.length === 0) return unless(!r.of('aws_secretsmanager_secret').some((s) => s.index === 'logs-password'), 'a password for nothing');
        const secret = r.of('aws_secretsmanager_secret').find((s) => s.index === 'logs-password')?.values;
        const readers = r.of('aws_iam_role_policy').filter((p) => secret?.arn && p.values.policy?.includes(secret.arn));
        const kinds = new Set(shipping.map((h) => h.values.tags?.role ?? 'edge'));
        return [
            ...all.filter((h) => !shipping.includes(h)).map((h) => `${h.address} keeps its lines to itself`),
            ...shipping.flatMap((h) => {
                const files = filesOf(h.values);
                const [, port] = /^ELASTICSEARCH=https:\/\/[^/:]+:(\d+)$/m.exec(files['/etc/meridian-ship/address']) ?? [];
                const group = h.values.tags?.role === 'single' ? 'edge' : (h.values.tags?.role ?? 'edge');
                const ways = ['ipv4', 'ipv6'].map((v) => `${group}-${v}-${port}`);
                return [
                    ...unless(port && /^ELASTICSEARCH_CA=\/./m.test(files['/etc/meridian-ship/address']), `${h.address}: its lines leave in the clear`),
                    ...unless(!/PASSWORD/.test(files['/etc/meridian-ship/address']) && files['/etc/meridian/secrets.list'].includes(`${secret?.name} logs-password\n`), `${h.address}: where is the password?`),
                    ...unless(/\bmeridian-ship\.service\b/.test(environmentOf(files).UNITS) && /\brsyslog-elasticsearch\b/.test(environmentOf(files).TOOLS), `${h.address}: nobody ships`),
                    ...ways.filter((way) => !r.of('aws_vpc_security_group_egress_rule').some((e) => e.index === way && e.values.to_port === +port)).map((way) => `${h.address}: no way out ${way}`),
                ];
            }),
            ...unless(!secret?.arn || readers.length === kinds.size, `${readers.length} roles may read the password, ${[...kinds]} need it`),
        ];
    },
    'routers-know-every-region': (r) =>
        hosts(r, 'router').flatMap((h) => {
            const c = flat(filesOf(h.values)['/etc/meridian/router.yaml.in']);
            const want = r.footprint.regions.filter((o) => o.name !== r.name).flatMap((o) => ['136', '137'].map((net) => `${o.name} ${o.network_ipv4.replace(/\.0\.0\/16$/, `.${net}.10:7301`)}`));
            return [
                ...unless([...(c.mesh_peers ?? [])].sort().join() === want.sort().join(), `${h.address}: ${c.mesh_peers}`),
                ...unless(/:7301$/.test(c.mesh_listen) && c.mesh_tls_ca && c.mesh_tls_cert && c.mesh_tls_key, `${h.address}: links to other regions without TLS`),
            ];
        }),
    'redis-may-fork-after-a-reboot': (r) => [...hosts(r, 'redis'), ...hosts(r, 'single')].flatMap((h) => {
        const files = filesOf(h.values);
        const [file, text] = Object.entries(files).find(([f]) => /^\/etc\/sysctl\.d\/.*redis/.test(f)) ?? [];
        return unless(/^vm\.overcommit_memory = 1$/m.test(text) && files['/usr/local/lib/meridian/prepare'].includes(`sysctl -q -p ${file}`), `${h.address}: vm.overcommit_memory`);
    }),
    'groups-closed-by-default': (r) => [
        ...unless(r.of('aws_default_security_group').length === 1, 'the default security group is not taken over'),
        ...r.of('aws_default_security_group').flatMap((g) => unless(!g.values.ingress?.length && !g.values.egress?.length, `${g.address} has rules`)),
        ...r.of('aws_security_group').flatMap((g) => unless(!g.values.ingress?.length && !g.values.egress?.length, `${g.address} has rules of its own`)),
    ],
    'metadata-v2-only': (r) =>
        [...r.of('aws_instance'), ...r.of('aws_launch_template')].flatMap((i) => unless(i.values.metadata_options?.[0]?.http_tokens === 'required', `${i.address}: http_tokens is not required`)),
    'tls-for-players': (r) => {
        const config = edgeConfig(r);
        return [
            ...r.of('aws_lb_listener').flatMap((l) => unless(l.values.protocol === 'TCP' && l.values.port === 443, `${l.address}: TLS must be passed through to the edge`)),
            ...unless(config.tls_certificate && config.tls_key && config.tls_tickets, 'edges have no certificate'),
        ];
    },
    'tls-for-redis': (r) => [
        ...[edgeConfig(r), ...hosts(r, 'router').map((h) => flat(filesOf(h.values)['/etc/meridian/router.yaml.in']))].flatMap((c) => unless(c.redis_tls_ca, `${c.id}: Redis without TLS`)),
        ...hosts(r, 'redis').flatMap((h) => {
            const conf = filesOf(h.values)['/etc/meridian/redis-@N@.conf.in'];
            const lines = ['port 0', 'tls-port @BUS_PORT@', 'tls-replication yes', 'tls-cluster yes'];
            return lines.filter((line) => !conf.split('\n').includes(line)).map((line) => `${h.address}: redis.conf lacks "${line}"`);
        }),
        ...r.of('aws_elasticache_replication_group').flatMap((g) =>
            unless(g.values.transit_encryption_enabled === true && g.values.transit_encryption_mode === 'required', `${g.address}: no TLS`)),
    ],
    'redis-asks-who-comes': (r) => [
        ...unless(edgeConfig(r).redis_password_file, 'edges have no password for Redis'),
        ...hosts(r, 'redis').flatMap((h) => unless(/^aclfile /m.test(filesOf(h.values)['/etc/meridian/redis-@N@.conf.in']), `${h.address}: no users`)),
        ...r.of('aws_elasticache_replication_group').flatMap((g) => unless(g.values.user_group_ids?.length, `${g.address}: no users`)),
    ],
    'encrypted-at-rest': (r) => [
        ...r.of('aws_ebs_volume').flatMap((v) => unless(v.values.encrypted === true, `${v.address} is not encrypted`)),
        ...r.of('aws_instance').flatMap((i) => unless(i.values.root_block_device?.[0]?.encrypted === true, `${i.address}: root disk`)),
        ...r.of('aws_launch_template').flatMap((t) => unless(t.values.block_device_mappings?.every((d) => d.ebs?.[0]?.encrypted === 'true'), `${t.address}: disks`)),
        ...unless(r.of('aws_s3_bucket_server_side_encryption_configuration').length === r.of('aws_s3_bucket').length, 'a bucket without encryption'),
        ...r.of('aws_elasticache_replication_group').flatMap((g) => unless(g.values.at_rest_encryption_enabled === 'true', `${g.address} is not encrypted`)),
    ],
    'no-secrets-in-state': (r) => ['aws_secretsmanager_secret_version', 'random_password', 'tls_private_key'].flatMap((type) => r.of(type).map((x) => `${x.address}: its value would be in the state`)),
    'bucket-closed': (r) => [
        ...r.of('aws_s3_bucket_public_access_block').flatMap(({ address, values: v }) =>
            unless(v.block_public_acls && v.block_public_policy && v.ignore_public_acls && v.restrict_public_buckets, `${address} leaves something open`)),
        ...unless(r.of('aws_s3_bucket_public_access_block').length === r.of('aws_s3_bucket').length, 'a bucket without a public access block'),
        ...unless(r.of('aws_s3_bucket_versioning').length === r.of('aws_s3_bucket').length, 'a bucket without versions'),
    ],
    'roles-name-what-they-may': (r) =>
        r.of('aws_iam_role_policy').flatMap((p) => {
            if (!p.values.policy) throw new Error(`${p.address} is not known from the plan`);
            return JSON.parse(p.values.policy).Statement.flatMap((s) => {
                const starred = [s.Action].flat().some((a) => a === '*' || a.endsWith(':*'));
                const everywhere = [s.Resource].flat().includes('*') && !s.Condition;
                return unless(!starred && !everywhere, `${p.address}: ${s.Sid} allows ${s.Action} on ${s.Resource}`);
            });
        }),
    'hook-outlasts-drain': (r) => {
        const files = filesOf(only(r.of('aws_launch_template')));
        const drain = flat(files['/etc/meridian/edge-@N@.yaml.in']).drain_deadline_ms / 1000;
        const env = environmentOf(files);
        return r.of('aws_autoscaling_group').flatMap((g) => {
            const hook = g.values.initial_lifecycle_hook?.find((h) => h.lifecycle_transition === 'autoscaling:EC2_INSTANCE_TERMINATING');
            if (!hook) return [`${g.address} has no termination hook`];
            return [
                ...unless(hook.heartbeat_timeout >= drain, `${g.address}: the hook lasts ${hook.heartbeat_timeout} s, the drain ${drain} s`),
                ...unless(+env.DRAIN_SECONDS >= drain && +env.DRAIN_SECONDS <= hook.heartbeat_timeout, `the agent waits ${env.DRAIN_SECONDS} s`),
                ...unless(env.HOOK === hook.name && env.GROUP === g.values.name, `the agent would complete ${env.GROUP}/${env.HOOK}`),
                ...unless(hook.default_result === 'CONTINUE', `${g.address}: a hook that runs out must let the host go`),
            ];
        });
    },
    'sockets-are-never-cut': (r) =>
        r.of('aws_lb_target_group').flatMap(({ address, values: v }) => [
            ...unless(v.connection_termination === false, `${address}: connection_termination`),
            ...unless(v.target_health_state?.[0]?.enable_unhealthy_connection_termination === false, `${address}: an unhealthy host's sockets are cut`),
            ...unless(+v.deregistration_delay >= 300, `${address}: deregistration_delay ${v.deregistration_delay}`),
        ]),
    'clients-keep-their-address': (r) => {
        const subnets = r.of('aws_subnet').filter((s) => s.values.tags.tier === 'public').map((s) => s.values.cidr_block);
        return [
            ...r.of('aws_lb_target_group').flatMap(({ address, values: v }) => unless(v.proxy_protocol_v2 === true && v.preserve_client_ip === 'false', `${address}: PROXY v2 is off`)),
            ...unless([...edgeConfig(r).balancers].sort().join() === subnets.sort().join(), `edges take PROXY headers from ${edgeConfig(r).balancers}, the balancer is in ${subnets}`),
        ];
    },
    'balancer-stands-in-three-zones': (r) =>
        r.of('aws_lb').flatMap(({ address, values: v }) => [
            ...unless(v.subnet_mapping?.length === 3, `${address}: ${v.subnet_mapping?.length} zones`),
            ...unless(v.ip_address_type === 'dualstack' && v.load_balancer_type === 'network', `${address}: ${v.load_balancer_type} ${v.ip_address_type}`),
            ...unless(v.enable_cross_zone_load_balancing === true && v.enable_deletion_protection === true, `${address}: cross zone, deletion protection`),
            ...unless(r.of('aws_eip').filter((e) => e.address.includes('edge_fleet')).length === 3, 'the players\' addresses are not fixed'),
        ]),
    'health-is-readiness-of-the-host': (r) =>
        r.of('aws_lb_target_group').flatMap(({ address, values: { health_check: [h] } }) => {
            const socket = filesOf(only(r.of('aws_launch_template')))['/etc/systemd/system/meridian-host-health.socket'];
            return unless(h.protocol === 'HTTP' && h.path === '/readyz' && socket.includes(`ListenStream=${h.port}`), `${address}: ${h.protocol} ${h.path} ${h.port}`);
        }),
    'r33-word-for-word': (r) => {
        const alarms = Object.fromEntries(r.of('aws_cloudwatch_metric_alarm').map((a) => [a.index ?? a.values.alarm_name, a.values]));
        const out = Object.entries(R33_OUT).flatMap(([key, [metric, threshold, minutes]]) => {
            const a = alarms[key] ?? {};
            const right = a.metric_name === metric && a.threshold === threshold && a.period * a.evaluation_periods === minutes * 60 && a.comparison_operator === 'GreaterThanThreshold';
            return unless(right, `out on ${key}: ${a.metric_name} > ${a.threshold} for ${(a.period * a.evaluation_periods) / 60} min`);
        });
        const idle = Object.values(alarms).find((a) => /-idle$/.test(a.alarm_name)) ?? {};
        const formula = idle.metric_query?.find((q) => q.expression)?.expression;
        const policy = r.of('aws_autoscaling_policy').find((p) => p.values.scaling_adjustment === -1)?.values ?? {};
        return [
            ...out,
            ...unless(formula === 'IF(cpu < 30 AND connections < 40, 1, 0)' && idle.evaluation_periods === 15, `in: ${formula} for ${idle.evaluation_periods} min`),
            ...unless(policy.cooldown === 1800, `in: a grace of ${policy.cooldown} s`),
            ...r.of('aws_autoscaling_policy').filter((p) => p.values.target_tracking_configuration?.length).flatMap((p) =>
                unless(p.values.target_tracking_configuration[0].disable_scale_in === true, `${p.address} shrinks the fleet, too`)),
        ];
    },
    'make-before-break': (r) =>
        r.of('aws_autoscaling_group').flatMap(({ address, values: v }) => {
            const p = v.instance_refresh?.[0]?.preferences?.[0] ?? {};
            return [
                ...unless(p.min_healthy_percentage === 100 && p.max_healthy_percentage > 100 && p.auto_rollback === true, `${address}: a refresh takes hosts away first`),
                ...unless(!v.mixed_instances_policy?.length, `${address}: a warm pool does not go with mixed instances`),
                ...unless(v.min_size >= 3 && v.min_size <= v.max_size, `${address}: ${v.min_size}-${v.max_size} hosts`),
                ...unless(v.health_check_type === 'ELB', `${address}: health ${v.health_check_type}`),
            ];
        }),
    'two-routers-in-two-zones': (r) => {
        const zones = hosts(r, 'router').map((h) => h.index);
        return unless(zones.length === 2 && new Set(zones).size === 2, `routers in ${zones}`);
    },
    'shards-in-three-zones': (r) => {
        const groups = {};
        for (const h of hosts(r, 'redis')) (groups[h.index.split('-')[0]] ??= new Set()).add(h.values.private_ip.split('.')[2]);
        const promise = edgeConfig(r);
        return [
            ...Object.entries(groups).flatMap(([name, nets]) => unless(nets.size === 3, `group ${name} stands in ${nets.size} zones`)),
            ...unless(Object.keys(groups).length === 0 || (promise.redis_durability === 'all' && promise.redis_replicas === 2), `own hosts, but ${promise.redis_durability} of ${promise.redis_replicas}`),
            ...r.of('aws_elasticache_replication_group').flatMap((g) =>
                unless(g.values.multi_az_enabled && promise.redis_durability === 'one', `${g.address}: a promise of "${promise.redis_durability}" that managed Redis cannot keep`)),
        ];
    },
    'data-outlives-its-host': (r) => hosts(r, 'redis').flatMap((h) =>
        unless(r.of('aws_volume_attachment').some((a) => a.index === h.index) && r.of('aws_ebs_volume').some((v) => v.index === h.index), `${h.address} has no disk of its own`)),
    'peers-reach-routers-only': (r) =>
        r.of('aws_vpc_security_group_ingress_rule').filter((i) => i.values.cidr_ipv4 && !WORLD.includes(i.values.cidr_ipv4)).flatMap((rule) => {
            const networks = r.footprint.regions.filter((o) => o.name !== r.name).map((o) => o.network_ipv4.replace(/\.0\.0\/16$/, '.136.0/22'));
            return unless(networks.includes(rule.values.cidr_ipv4) && r.group(rule) === 'router' && rule.values.from_port === 7301 && rule.values.to_port === 7301, `${rule.address}: ${rule.values.cidr_ipv4} ${rule.values.from_port}`);
        }),
    'everything-is-in-its-region': (r) =>
        r.resources.filter((x) => 'region' in x.values).flatMap((x) => unless(x.values.region === r.entry.cloud_region, `${x.address} is in ${x.values.region}`)),
    // Those of every region, because a page that one region served goes to another when its own is gone.
    'players-names': (r) => {
        const { zone, regions } = r.footprint;
        const want = [`https://${zone}`, ...regions.map((one) => `https://${one.name}.${zone}`)];
        const have = edgeConfig(r).origins;
        return unless([...have].sort().join() === want.sort().join() && have[1] === `https://${r.name}.${zone}`, `edges answer ${have}`);
    },
    'alarms-wake-somebody': (r) => r.of('aws_cloudwatch_metric_alarm').flatMap((a) => unless(a.values.alarm_actions === undefined || a.values.alarm_actions?.length > 0, `${a.address} has no action`)),
    'user-data-fits': (r) => [...r.of('aws_instance'), ...r.of('aws_launch_template')].flatMap((h) => unless(documentSize(h.values) <= 16384, `${h.address}: ${documentSize(h.values)} bytes`)),
};
