// SPDX-License-Identifier: Apache-2.0
// Resources as the checks want them, out of a plan or out of a state.

export class Resources {
    constructor(plan, more = {}) {
        this.resources = [];
        const walk = (module) => {
            for (const r of module?.resources ?? []) if (r.mode === 'managed') this.resources.push(r);
            for (const child of module?.child_modules ?? []) walk(child);
        };
        walk((plan.planned_values ?? plan.values)?.root_module);
        Object.assign(this, more);
    }

    of(type) {
        return this.resources.filter((r) => r.type === type);
    }

    /* The security group that a rule belongs to: by its id where there is one (applied), else as the rule's own tag says (planned). */
    group(rule) {
        const id = rule.values.security_group_id;
        return id ? this.of('aws_security_group').find((g) => g.values.id === id)?.index : rule.values.tags?.group;
    }
}
