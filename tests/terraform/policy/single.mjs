// SPDX-License-Identifier: Apache-2.0
// What must be true of the root `single`: what holds for every region's hosts, and that the one host watches itself.
import { environmentOf, filesOf, flat } from '../lib/hosts.mjs';
import { regionChecks } from './region.mjs';

const unless = (ok, complaint) => (ok ? [] : [complaint]);
const shared = ['open-ports', 'no-wide-ranges', 'no-ssh', 'groups-closed-by-default', 'metadata-v2-only', 'encrypted-at-rest', 'no-secrets-in-state', 'bucket-closed', 'roles-name-what-they-may',
    'redis-may-fork-after-a-reboot', 'lines-leave-over-tls'];
const host = (s) => s.of('aws_instance').find((i) => i.values.tags?.role === 'single').values;

export const singleChecks = {
    ...Object.fromEntries(shared.map((name) => [name, regionChecks[name]])),
    'only-the-players-port-listens-outside': (s) => {
        const files = filesOf(host(s));
        const configs = ['edge-@N@', 'router'].map((name) => flat(files[`/etc/meridian/${name}.yaml.in`]));
        const inner = configs.flatMap((c) => [c.admin_listen, c.link_listen, c.bus_listen, c.control_listen]).filter(Boolean);
        const redis = /^bind (.*)$/m.exec(files['/etc/meridian/redis-1.conf.in'])?.[1];
        return [
            ...inner.filter((a) => !/^(127\.0\.0\.1:|unix:)/.test(a)).map((a) => `${a} listens outside`),
            ...unless(configs[0].player_listen.join() === '@ADDRESS@:443' && redis === '127.0.0.1', `players at ${configs[0].player_listen}, Redis at ${redis}`),
        ];
    },
    'the-host-watches-itself': (s) => {
        const files = filesOf(host(s));
        const targets = Object.keys(files).filter((f) => f.startsWith('/etc/meridian-watch/targets/')).map((f) => f.replace(/.*\/([a-z]+).*/, '$1')).sort();
        const listens = ['prometheus', 'prometheus-alertmanager', 'prometheus-redis-exporter'].map((unit) => /--web\.listen-address[= ](\S+)/.exec(files[`/etc/systemd/system/${unit}.service`])?.[1]);
        const units = environmentOf(files).UNITS.split(' ');
        const topic = s.of('aws_sns_topic')[0].values.name;
        const away = s.of('aws_cloudwatch_metric_alarm').find((a) => a.values.metric_name === 'StatusCheckFailed');
        return [
            ...unless(targets.join() === 'alertmanager,edge,redis,router', `it asks ${targets}`),
            ...unless(Object.keys(files).filter((f) => f.startsWith('/etc/meridian-watch/rules/')).length === 5, 'rules are missing'),
            ...unless(listens.every((at) => /^127\.0\.0\.1:/.test(at)), `${listens}: outside`),
            ...['prometheus.service', 'prometheus-alertmanager.service', 'prometheus-redis-exporter.service'].filter((unit) => !units.includes(unit)).map((unit) => `${unit} is not started`),
            ...unless(files['/etc/meridian-watch/alertmanager.yml'].includes(`:${topic}"`), 'alerts go nowhere'),
            ...unless(away, 'nobody notices when the host itself is gone'),
        ];
    },
};
