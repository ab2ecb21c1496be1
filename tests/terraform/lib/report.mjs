// SPDX-License-Identifier: Apache-2.0
// Names, verdicts and the last line. A test is a function that throws, or answers a list of complaints, or a remark to print behind its name.

export class Report {
    constructor(words) {
        this.words = words;
        this.passed = 0;
        this.failed = 0;
    }

    wants(name) {
        return this.words.length === 0 || this.words.some((w) => name.includes(w));
    }

    async test(name, what) {
        if (!this.wants(name)) return;
        const began = Date.now();
        let complaints = [];
        let remark = '';
        try {
            const answer = await what();
            if (Array.isArray(answer)) complaints = answer;
            else remark = answer ?? '';
        } catch (error) {
            complaints = [error.message];
        }
        const seconds = ((Date.now() - began) / 1000).toFixed(1);
        if (complaints.length === 0) this.passed++;
        else this.failed++;
        console.log(`${complaints.length ? 'FAILED' : 'ok    '} ${name}${remark ? `: ${remark}` : ''} (${seconds} s)`);
        for (const complaint of complaints.slice(0, 20)) console.log(`       ${complaint.replace(/\n/g, '\n       ')}`);
    }

    end() {
        console.log(`\n${this.passed} passed, ${this.failed} failed`);
        process.exitCode = this.failed ? 1 : 0;
    }
}

/* Works on all items, two at a time: the machines these run on have two cores. */
export async function each(items, work) {
    const left = [...items];
    const worker = async () => {
        while (left.length) await work(left.shift());
    };
    await Promise.all([worker(), worker()]);
}
