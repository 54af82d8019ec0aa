/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CASMotion: the physical CPU of a recorded or replayed vCPU.
 *
 * What cannot be trapped is the same only on the same processor, so the vCPU stays on one from start to end: bound by its hard
 * affinity, and whoever would change that (its affinity, its cpupool, the CPUs of that cpupool) is refused meanwhile. The lock of
 * the cpupools orders the two.
 */
#include <xen/cpumask.h>
#include <xen/lib.h>
#include <xen/sched.h>

#include "private.h"

struct bind_request {
    struct casm_domain *c;
    unsigned int cpu;
};

static int cf_check bind_locked(void *arg)
{
    struct bind_request *r = arg;
    struct casm_domain *c = r->c;
    struct vcpu *v = c->d->vcpu[0];
    const cpumask_t *valid = c->d->cpupool ? cpupool_valid_cpus(c->d->cpupool) : NULL;
    cpumask_t allowed;
    int rc;

    if ( !valid )
        return -ENXIO;
    if ( r->cpu == CASM_CPU_ANY )
    {
        cpumask_and(&allowed, valid, v->sched_unit->cpu_hard_affinity);
        r->cpu = cpumask_test_cpu(v->processor, &allowed) ? v->processor : cpumask_first(&allowed);
    }
    if ( r->cpu >= nr_cpu_ids || !cpumask_test_cpu(r->cpu, valid) )
        return -ENXIO;

    cpumask_copy(&c->affinity, v->sched_unit->cpu_hard_affinity);
    rc = vcpu_set_hard_affinity(v, cpumask_of(r->cpu));
    if ( rc )
        return rc == -EINVAL ? -ENXIO : rc;
    if ( v->processor != r->cpu ) /* it could not be moved now */
    {
        vcpu_set_hard_affinity(v, &c->affinity);
        return -EBUSY;
    }
    c->cpu = r->cpu;

    return 0;
}

/* Binds the vCPU, which is not running, to @cpu of its cpupool, or to one of Xen's choice. */
int casm_place(struct casm_domain *c, unsigned int cpu)
{
    struct bind_request request = { c, cpu };

    return cpupool_run_locked(bind_locked, &request);
}

static int cf_check release_locked(void *arg)
{
    struct casm_domain *c = arg;
    struct vcpu *v = c->d->vcpu[0];

    /* Since the end of the run somebody may have chosen another. One that its cpupool does not have any more is not set. */
    if ( !c->d->is_dying && cpumask_equal(v->sched_unit->cpu_hard_affinity, cpumask_of(c->cpu)) )
        vcpu_set_hard_affinity(v, &c->affinity);
    c->cpu = CASM_CPU_ANY;

    return 0;
}

void casm_unplace(struct casm_domain *c)
{
    if ( c->cpu != CASM_CPU_ANY )
        cpupool_run_locked(release_locked, c);
}

/*
 * Must the vCPU stay on its CPU, which is one of @cpus (NULL: any)? Then dom0 is refused, and finds the reason in Xen's log: xl
 * does not tell it. Resuming from a suspended host cannot be refused what it has to do.
 */
static bool stays(const struct domain *d, const cpumask_t *cpus)
{
    const struct casm_domain *c = d->arch.casm;

    if ( c->cpu == CASM_CPU_ANY || !(casm_in(c, 1u << CASM_STATE_IDLE) || casm_starting(c) || casm_logging(c)) || system_state != SYS_STATE_active ||
         (cpus && !cpumask_test_cpu(c->cpu, cpus)) )
        return false;
    printk(XENLOG_G_ERR "casm: %pd is recorded or replayed on CPU %u: refused to change its CPUs\n", d, c->cpu);

    return true;
}

bool casm_placed(const struct domain *d)
{
    return stays(d, NULL);
}

bool casm_placed_on(const struct domain *d, const cpumask_t *cpus)
{
    return stays(d, cpus);
}
