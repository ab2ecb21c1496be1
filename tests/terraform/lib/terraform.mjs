// SPDX-License-Identifier: Apache-2.0
// Terraform's commands on one folder, with our plugin folder and nothing of the user's.
import { spawn } from 'node:child_process';
import path from 'node:path';

export class Terraform {
    /* stubs: providers that run already; without them Terraform starts its own for every command. */
    constructor(dir, config, tmp, stubs) {
        this.dir = dir;
        this.stubs = stubs;
        this.env = { PATH: process.env.PATH, HOME: tmp, TMPDIR: tmp, TF_CLI_CONFIG_FILE: config, TF_IN_AUTOMATION: '1', CHECKPOINT_DISABLE: '1', TF_VAR_state_backend: 'local' };
    }

    /* { code, out }: both streams together. */
    run(...words) {
        if (!this.stubs || words[0] === 'init' || words[0] === 'fmt') return this.start({}, words);
        return this.stubs.lend((more) => this.start(more, words));
    }

    start(more, words) {
        return new Promise((done, fail) => {
            const child = spawn('terraform', [words[0], ...(words[0] === 'show' || words[0] === 'fmt' ? [] : ['-no-color']), ...words.slice(1)], { cwd: this.dir, env: { ...this.env, ...more } });
            let out = '';
            child.stdout.on('data', (text) => (out += text));
            child.stderr.on('data', (text) => (out += text));
            child.on('error', fail);
            child.on('close', (code) => done({ code, out }));
        });
    }

    async must(...words) {
        const { code, out } = await this.run(...words);
        if (code !== 0) throw new Error(`terraform ${words.join(' ')} in ${path.basename(this.dir)}: exit ${code}\n${out}`);
        return out;
    }

    init() {
        return this.must('init', '-input=false', '-reconfigure');
    }

    /* Plans into a file; the plan as data. */
    async plan(...more) {
        await this.must('plan', '-input=false', '-out=plan.bin', ...more);
        return JSON.parse(await this.must('show', '-json', 'plan.bin'));
    }

    apply() {
        return this.must('apply', '-input=false', 'plan.bin');
    }

    /* Throws unless nothing is left to do. */
    async settled(...more) {
        const { code, out } = await this.run('plan', '-input=false', '-detailed-exitcode', ...more);
        if (code !== 0) throw new Error(`a second plan of ${path.basename(this.dir)} is not empty (exit ${code})\n${out}`);
    }

    async destroy(...more) {
        const out = await this.must('destroy', '-input=false', '-auto-approve', ...more);
        return Number(/Resources: (\d+) destroyed/.exec(out)?.[1] ?? 0);
    }
}

/* Resources that a plan creates: address -> values. */
export function created(plan) {
    const found = new Map();
    const walk = (module) => {
        for (const r of module?.resources ?? []) if (r.mode === 'managed') found.set(r.address, r);
        for (const child of module?.child_modules ?? []) walk(child);
    };
    walk(plan.planned_values?.root_module);
    return found;
}
