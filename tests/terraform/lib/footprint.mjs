// SPDX-License-Identifier: Apache-2.0
// The footprint, read by other eyes than Terraform's: enough of YAML for that one file, so that a check does not trust what it checks.
import fs from 'node:fs';

const scalar = (text) => text.replace(/\s+#.*$/, '').replace(/^"(.*)"$/, '$1').trim();

export function readFootprint(file) {
    const text = fs.readFileSync(file, 'utf8');
    const top = (key) => scalar(new RegExp(`^${key}: *(.*)$`, 'm').exec(text)[1]);
    const zone = scalar(/^dns:\n(?: .*\n)*? +zone: *(.*)$/m.exec(text)[1]);
    const part = /^regions:\n([\s\S]*?)(?=^\S)/m.exec(`${text}\nend:`)[1];
    const regions = part.split(/^ {2}- (?=name:)/m).slice(1).map((block) => {
        const region = {};
        for (const [, key, value] of block.matchAll(/^ *(\w+): *(.*)$/gm)) region[key] = scalar(value);
        return { ...region, share_percent: +region.share_percent, capacity_players: +region.capacity_players };
    });
    return { name: top('name'), zone, regions };
}
