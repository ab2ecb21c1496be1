// SPDX-License-Identifier: Apache-2.0
// What AWS refuses and the argument schema cannot say. Few, and each one because somebody could get it wrong here; a rule for everything
// would be a second AWS.
import { UNKNOWN } from './msgpack.mjs';

const known = (v) => v !== null && v !== undefined && v !== UNKNOWN;
const has = (v) => Array.isArray(v) && v.length > 0;
const refuse = (summary, attribute) => ({ severity: 'ERROR', summary, detail: '', attribute: attribute && { steps: [{ attribute_name: attribute }] } });
const oneOf = (c, name, values) => (known(c[name]) && !values.includes(c[name]) ? [refuse(`expected ${name} to be one of ${values.join(', ')}, got ${c[name]}`, name)] : []);
const between = (c, name, low, high) =>
    known(c[name]) && (+c[name] < low || +c[name] > high) ? [refuse(`expected ${name} to be in the range (${low} - ${high}), got ${c[name]}`, name)] : [];
const longest = (c, name, limit) => (known(c[name]) && c[name].length > limit ? [refuse(`"${name}" cannot be longer than ${limit} characters: ${c[name]}`, name)] : []);

const ROUTING = ['weighted_routing_policy', 'latency_routing_policy', 'failover_routing_policy', 'geolocation_routing_policy', 'geoproximity_routing_policy', 'cidr_routing_policy'];

const RULES = {
    aws_lb: (c) => [
        ...oneOf(c, 'load_balancer_type', ['application', 'gateway', 'network']),
        ...oneOf(c, 'ip_address_type', ['ipv4', 'dualstack', 'dualstack-without-public-ipv4']),
        ...between(c, 'secondary_ips_auto_assigned_per_subnet', 0, 7),
        ...longest(c, 'name', 32),
    ],
    aws_lb_target_group: (c) => [
        ...oneOf(c, 'protocol', ['GENEVE', 'HTTP', 'HTTPS', 'TCP', 'TCP_UDP', 'TLS', 'UDP', 'QUIC', 'TCP_QUIC']),
        ...oneOf(c, 'target_type', ['instance', 'ip', 'lambda', 'alb']),
        ...between(c, 'deregistration_delay', 0, 3600),
        ...longest(c, 'name', 32),
    ],
    aws_lb_listener: (c) => between(c, 'tcp_idle_timeout_seconds', 60, 6000),
    aws_autoscaling_group: (c) => [
        ...(known(c.min_size) && known(c.max_size) && c.min_size > c.max_size ? [refuse(`min_size ${c.min_size} is more than max_size ${c.max_size}`, 'min_size')] : []),
        ...(has(c.warm_pool) && has(c.mixed_instances_policy) ? [refuse('a warm pool cannot be used with a mixed instances policy', 'warm_pool')] : []),
        ...(c.initial_lifecycle_hook ?? []).flatMap((h) => between(h, 'heartbeat_timeout', 30, 7200)),
    ],
    aws_autoscaling_lifecycle_hook: (c) => between(c, 'heartbeat_timeout', 30, 7200),
    aws_launch_template: (c) =>
        known(c.user_data) && Buffer.from(c.user_data, 'base64').length > 16384 ? [refuse(`user_data is ${Buffer.from(c.user_data, 'base64').length} bytes, 16384 at most`, 'user_data')] : [],
    aws_instance: (c) =>
        known(c.user_data_base64) && Buffer.from(c.user_data_base64, 'base64').length > 16384 ? [refuse('user_data_base64 is over 16384 bytes', 'user_data_base64')] : [],
    aws_elasticache_replication_group: (c) => [
        ...(c.multi_az_enabled === true && c.automatic_failover_enabled !== true ? [refuse('automatic_failover_enabled must be true if multi_az_enabled is true')] : []),
        ...longest(c, 'replication_group_id', 40),
    ],
    aws_route53_record: (c) => {
        const policies = ROUTING.filter((name) => has(c[name]));
        return [
            ...(policies.length > 1 ? [refuse(`conflicting routing policies: ${policies.join(', ')}`)] : []),
            ...(policies.length && c.set_identifier === null ? [refuse('set_identifier is required with a routing policy', 'set_identifier')] : []),
            ...(has(c.alias) && known(c.ttl) ? [refuse('"ttl" conflicts with "alias"', 'ttl')] : []),
            ...(!has(c.alias) && c.records === null ? [refuse('one of "alias" or "records" must be set')] : []),
        ];
    },
};

/* Diagnostics for one resource's arguments. */
export function broken(type, block, config) {
    const settable = Object.entries(block.attributes).filter(([name, a]) => a.computed && !a.optional && known(config[name]));
    return [...settable.map(([name]) => refuse(`Value for unconfigurable attribute: AWS decides "${name}"`, name)), ...(RULES[type]?.(config) ?? [])];
}
