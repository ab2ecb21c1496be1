// SPDX-License-Identifier: Apache-2.0
// Stand-in providers that stay: Terraform can be told where one runs already, which spares it a start per command (two thirds of the time).
// One serves one command at a time, because a provider has one configuration. That Terraform can start one itself is tried on one root.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const program = path.join(path.dirname(fileURLToPath(import.meta.url)), '../stub/provider.mjs');

export class Stubs {
    constructor(schema, tmp) {
        this.env = { PATH: process.env.PATH, TMPDIR: tmp, STUB_SCHEMA: schema, STUB_STAYS: '1' };
        this.free = [];
        this.all = [];
    }

    start() {
        return new Promise((done, fail) => {
            const child = spawn(process.execPath, [program], { env: this.env, stdio: ['ignore', 'pipe', 'inherit'] });
            this.all.push(child);
            child.on('error', fail);
            child.stdout.once('data', (line) => {
                const [, protocol, network, address] = line.toString().trim().split('|');
                done({ Protocol: 'grpc', ProtocolVersion: +protocol, Pid: child.pid, Test: true, Addr: { Network: network, String: address } });
            });
        });
    }

    /* Lends one to `work`, which gets the variable that tells Terraform. */
    async lend(work) {
        const one = this.free.pop() ?? (await this.start());
        try {
            return await work({ TF_REATTACH_PROVIDERS: JSON.stringify({ 'registry.terraform.io/hashicorp/aws': one }) });
        } finally {
            this.free.push(one);
        }
    }

    end() {
        for (const child of this.all) child.kill();
    }
}
