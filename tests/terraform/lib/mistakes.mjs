// SPDX-License-Identifier: Apache-2.0
// Deliberate mistakes, each made on a copy of the tree, and who must refuse it: Terraform itself (against the provider's schema, or one of our
// validations), or a check by its name. A mistake that the named one lets pass is a failed test.

const inFile = (file, from, to) => ({ file: `terraform/${file}`, from, to });
const footprint = (from, to) => ({ file: 'geo/footprint.yaml', from, to });

const managed = inFile('live/prod/environment.yaml', 'redis: own', 'moves_per_shard_second: 64000\nredis: managed');

/* root: where it is planned (REGION: any region); edit: one or many; applied: only what AWS answered shows it. Without a check or words: nobody may refuse it. says: what Terraform must answer. check: the check that must refuse. */
export const mistakes = [
    { name: 'none, in a region' },
    { name: 'none, in what regions share', root: 'global' },
    { name: 'none, in the one host', root: 'single' },
    { name: 'a misspelt argument', edit: inFile('modules/edge-fleet/balancer.tf', 'connection_termination = false', 'connection_terminaton = false'), says: /Unsupported argument[\s\S]*connection_terminaton/ },
    { name: 'an argument that AWS decides', edit: inFile('modules/edge-fleet/balancer.tf', 'internal                               = false', 'arn = "mine"'), says: /unconfigurable attribute.*"arn"/ },
    { name: 'a type that does not exist', edit: inFile('modules/router/main.tf', 'resource "aws_route53_record" "this"', 'resource "aws_route54_record" "this"'), says: /Invalid resource type[\s\S]*aws_route54_record/ },
    { name: 'more hosts at least than at most', edit: inFile('modules/edge-fleet/main.tf', 'max_size                  = var.fleet.max_hosts', 'max_size                  = 1'), says: /min_size \d+ is more than max_size 1/ },
    { name: 'shares that sum to 101', edit: footprint('share_percent: 20', 'share_percent: 21'), says: /share_percent must sum to 100/, check: 'shares-sum-to-100' },
    { name: 'two regions in one network', edit: footprint('network_ipv4: 10.40.0.0/16', 'network_ipv4: 10.30.0.0/16'), says: /two regions have the same network_ipv4/, check: 'networks-are-apart' },
    { name: 'a region without a root', remove: 'terraform/live/prod/eu', check: 'every-region-has-a-root' },
    { name: 'Redis open to the world', root: 'single', edit: inFile('modules/network/flows.tf', '{ to = "balancer", net = net, protocol = "tcp", port = local.ports.player }', '{ to = "redis", net = net, protocol = "tcp", port = local.ports.redis }'), check: 'open-ports' },
    { name: 'a door for SSH', root: 'single', edit: inFile('modules/network/flows.tf', '"edge-to-router"          = {', '"ssh" = { from = "router", to = "edge", first = 22, last = 22, why = "just in case" }\n    "edge-to-router"          = {'), check: 'no-ssh' },
    { name: 'Redis replicas without TLS', edit: inFile('modules/redis/own/main.tf', '"tls-replication yes",', ''), check: 'tls-for-redis' },
    { name: 'edges that talk to Redis in the clear', edit: inFile('modules/edge-fleet/config.tf', 'redis_tls_ca        = "${local.secrets}/redis-ca"', 'redis_tls_ca        = ""'), check: 'tls-for-redis' },
    { name: 'a hook shorter than the drain', edit: inFile('modules/edge-fleet/main.tf', 'heartbeat_timeout    = var.drain.hook_seconds', 'heartbeat_timeout    = 300'), check: 'hook-outlasts-drain' },
    { name: 'sockets cut when a host drains', edit: inFile('modules/edge-fleet/balancer.tf', 'connection_termination = false', 'connection_termination = true'), check: 'sockets-are-never-cut' },
    { name: 'another figure than R33\'s', edit: inFile('modules/sizing/main.tf', 'cpu_high_percent         = 70', 'cpu_high_percent         = 75'), check: 'r33-word-for-word' },
    { name: 'client addresses from anybody', edit: inFile('modules/region/main.tf', 'local.me.subnets["public-${z}"].ipv4]', 'local.me.subnets["edge-${z}"].ipv4]'), check: 'clients-keep-their-address' },
    { name: 'the old metadata service', edit: inFile('modules/router/main.tf', 'http_tokens                 = "required"', 'http_tokens                 = "optional"'), check: 'metadata-v2-only' },
    { name: 'a role that may do anything', root: 'single', edit: inFile('modules/access/main.tf', 'actions   = ["s3:GetObject"]', 'actions   = ["s3:*"]'), applied: true, check: 'roles-name-what-they-may' },
    { name: 'a balancer that ends TLS', edit: inFile('modules/edge-fleet/balancer.tf', 'protocol                 = "TCP"', 'protocol                 = "TLS"'), check: 'tls-for-players' },
    { name: 'a balancer that asks for something else', edit: inFile('modules/edge-fleet/balancer.tf', '"/readyz"', '"/"'), check: 'health-is-readiness-of-the-host' },
    { name: 'packages that anybody may read', root: 'single', edit: inFile('modules/keeping/main.tf', 'block_public_policy     = true', 'block_public_policy     = false'), check: 'bucket-closed' },
    { name: 'a Redis that asks nobody who he is', edit: inFile('modules/redis/own/main.tf', '"aclfile /var/lib/redis/@BUS_PORT@/users.acl"', '"# aclfile"'), check: 'redis-asks-who-comes' },
    { name: 'an alarm that nobody hears', edit: inFile('modules/observability/main.tf', 'treat_missing_data  = each.value.missing\n  alarm_actions       = [var.topic]', 'treat_missing_data  = each.value.missing'), check: 'alarms-wake-somebody' },
    { name: 'images that can be replaced', root: 'global', edit: inFile('modules/global/main.tf', '"IMMUTABLE"', '"MUTABLE"'), check: 'images-cannot-be-replaced' },
    { name: 'the one host\'s Redis on the network', root: 'single', edit: inFile('single/config.tf', '"bind 127.0.0.1"', '"bind @ADDRESS@"'), check: 'only-the-players-port-listens-outside' },
    { name: 'a disk that is not encrypted', edit: inFile('modules/redis/own/main.tf', 'encrypted         = true', 'encrypted         = false'), check: 'encrypted-at-rest' },
    { name: 'a key that no edge knows', edit: inFile('modules/edge-fleet/config.tf', 'drain_deadline_ms   =', 'redis_retries = 3\n    drain_deadline_ms   ='), check: 'binaries-take-their-configuration' },
    { name: 'another region\'s networks', edit: inFile('modules/region/main.tf', '[for p in local.peers : p.router_network]', '[for p in local.peers : p.network_ipv4]'), check: 'peers-reach-routers-only' },
    { name: 'links between regions in the clear', edit: inFile('modules/router/main.tf', 'mesh_tls_ca   = "${local.secrets}/link-ca"', ''), check: 'routers-know-every-region' },
    { name: 'a router that knows one other region', edit: inFile('modules/router/main.tf', 'mesh_peers    = var.peers', 'mesh_peers    = slice(var.peers, 0, 2)'), check: 'routers-know-every-region' },
    { name: 'admin ports on the network', edit: inFile('modules/edge-fleet/config.tf', '"127.0.0.1:@ADMIN_PORT@"\n', '"@ADDRESS@:@ADMIN_PORT@"\n'), check: 'admin-ports-stay-on-the-host' },
    { name: 'a host that nobody sees', edit: inFile('modules/host/watch.tf', 'for w in var.watch[*] : "prometheus.service"', 'for w in [] : "prometheus.service"'), check: 'every-host-is-watched' },
    { name: 'a monitor open to the region', edit: inFile('modules/network/flows.tf', '{ to = "geo", net = net, protocol = "udp", port = local.ports.dns }', '{ to = "monitor", net = net, protocol = "tcp", port = local.ports.metrics }'), check: 'every-host-is-watched' },
    { name: 'log lines in the clear', root: 'single', edit: inFile('modules/host/ship.tf', '"ELASTICSEARCH=${l.url}', '"ELASTICSEARCH=${replace(l.url, "https", "http")}'), check: 'lines-leave-over-tls' },
    { name: 'a kind of host whose lines stay', edit: inFile('modules/router/main.tf', 'logs         = var.hosts.logs\n', ''), check: 'lines-leave-over-tls' },
    { name: 'Elasticsearch behind a closed door', edit: inFile('modules/region/main.tf', 'logs_url             = var.settings.logs.url\n', ''), check: 'lines-leave-over-tls' },
    { name: 'a managed Redis that nobody watches', edit: [managed, inFile('modules/region/main.tf', 'redis_nodes         = module.redis.managed_nodes', '')], check: 'managed-redis-is-watched' },
    { name: 'one host that asks nobody', root: 'single', edit: inFile('single/config.tf', 'redis      = { address', '#'), check: 'the-host-watches-itself' },
    { name: 'its Prometheus open to the network', root: 'single', edit: inFile('single/config.tf', 'listen         = "127.0.0.1:', 'listen         = "0.0.0.0:'), check: 'the-host-watches-itself' },
    { name: 'a monitor that anybody inside may empty', edit: inFile('modules/monitor/main.tf', '["--web.enable-remote-write-receiver"]', '["--web.enable-remote-write-receiver", "--web.enable-admin-api"]'), check: 'every-host-is-watched' },
    { name: 'overcommit until the next reboot', root: 'single', edit: inFile('modules/redis/files/prepare', 'sysctl -q -p /etc/sysctl.d/60-meridian-redis.conf', 'sysctl -q vm.overcommit_memory=1'), check: 'redis-may-fork-after-a-reboot' },
    { name: 'a region left out of the mesh', root: 'global', edit: inFile('modules/regions/main.tf', 'if pair[0] < pair[1]', 'if pair[0] < pair[1] && pair[1] < 3'), check: 'full-mesh' },
    { name: 'a mesh for more than routers', root: 'global', edit: inFile('modules/global/mesh.tf', 'var.footprint.regions[each.value.to].router_network', 'var.footprint.regions[each.value.to].network_ipv4'), check: 'mesh-is-for-routers-only' },
    { name: 'name servers with yesterday\'s addresses', root: 'global', edit: inFile('modules/geo-dns/main.tf', 'yamlencode(local.footprint)', 'yamlencode(var.footprint)'), check: 'name-servers-know-the-real-addresses' },
];
