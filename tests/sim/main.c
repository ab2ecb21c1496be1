/* SPDX-License-Identifier: Apache-2.0
 * main.c - sim: runs seeds, each in a process of its own, and says what they did.
 *
 *   sim [--seeds N] [--from S] [--jobs J]    N seeds from S on
 *       [--twice]                            each of them two times, and the same both times
 *       [--regions N]                        of several regions, joined (sim_check_far.c)
 *       [--unmanaged]                        the router's leader leaves the electable set alone
 *       [--plant BUG]                        with a bug on purpose; --list-plants
 *   sim --seed S [--trace]                   one seed; --trace: everything that happens, on stdout
 *   sim --players N [--seed S]               a crowd (sim_crowd.h)
 *
 * Exit code 0: no invariant was broken (with --plant: the bug was found). */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim_crowd.h"
#include "tests/sim/sim_lua.h"
#include "tests/sim/sim_plant.h"
#include "tests/sim/sim_seed.h"

enum {
    SEED_SECONDS = 60, /* of CPU, for a machine may be busy: beyond, it hangs */
    JOBS_MAX = 16,
    SAY_EVERY = 500,
};

struct options {
    uint64_t seeds, from;
    unsigned jobs;
    unsigned players; /* 0: seeds; else a crowd of so many */
    struct sim_order seed;
};

/* --- many ----------------------------------------------------------------------------------------------------------------------------- */

struct job {
    pid_t pid;
    int fd;
    uint64_t seed;
};

static void start(struct job *j, uint64_t seed, const struct options *o)
{
    int fd[2];
    fflush(NULL);
    if (pipe(fd) != 0 || (j->pid = fork()) < 0) {
        perror("sim");
        exit(2);
    }
    if (j->pid == 0) {
        struct sim_result r;
        close(fd[0]);
        setrlimit(RLIMIT_CPU, &(struct rlimit){SEED_SECONDS, SEED_SECONDS + 1});
        sim_seed_run(&r, seed, &o->seed);
        fflush(NULL);
        _exit(write(fd[1], &r, sizeof(r)) == sizeof(r) ? 0 : 1);
    }
    close(fd[1]);
    j->fd = fd[0];
    j->seed = seed;
}

static void finish(struct job *j, int status, struct sim_result *r)
{
    if (read(j->fd, r, sizeof(*r)) != sizeof(*r)) {
        *r = (struct sim_result){.seed = j->seed, .failed = true};
        int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        if (sig == SIGXCPU)
            snprintf(r->why, sizeof(r->why), "hangs");
        else if (sig)
            snprintf(r->why, sizeof(r->why), "crashed: %s", strsignal(sig));
        else
            snprintf(r->why, sizeof(r->why), "exited with %d", WEXITSTATUS(status));
    }
    close(j->fd);
    j->pid = 0;
}

static unsigned long long ull(uint64_t n)
{
    return n;
}

struct totals {
    uint64_t seeds, failed, games, moves, faults, shown, steps, virtual_ms, replayed, gone, adopted;
    uint64_t far_games, far_moves, mails, mails_came, undelivered, paced, seen, tables, met, in_vain, end_ms, end_seed;
};

/* The least that a seed had of each: a simulation that does little finds little. */
static struct {
    uint64_t games, moves, far_games, far_moves, mails;
    unsigned faults;
} least = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT_MAX};

static void note(uint64_t *least_of, uint64_t n)
{
    *least_of = n < *least_of ? n : *least_of;
}

static void note_least(const struct sim_counts *c, unsigned faults)
{
    note(&least.games, c->games);
    note(&least.moves, c->moves);
    note(&least.far_games, c->far_games);
    note(&least.far_moves, c->far_moves);
    note(&least.mails, c->mails_came);
    least.faults = faults < least.faults ? faults : least.faults;
}

static void add(struct totals *t, const struct sim_result *r, const struct options *o)
{
    t->seeds++;
    if (!r->failed)
        note_least(&r->counts, r->faults);
    if (t->seeds % SAY_EVERY == 0) {
        fprintf(stderr, "%llu seeds, %llu failed\n", ull(t->seeds), ull(t->failed));
        fflush(stderr);
    }
    t->games += r->counts.games;
    t->moves += r->counts.moves;
    t->shown += r->counts.shown;
    t->faults += r->faults;
    t->steps += r->steps;
    t->virtual_ms += r->virtual_ms;
    t->replayed += r->counts.resumed[1];
    t->gone += r->counts.resumed[3];
    t->adopted += r->counts.adopted;
    t->far_games += r->counts.far_games;
    t->far_moves += r->counts.far_moves;
    t->mails += r->counts.mails;
    t->mails_came += r->counts.mails_came;
    t->paced += r->counts.paced;
    t->seen += r->counts.seen;
    t->tables += r->counts.tables;
    t->met += r->counts.met;
    t->in_vain += r->counts.in_vain;
    t->undelivered += r->counts.undelivered;
    if (r->end_ms > t->end_ms) {
        t->end_ms = r->end_ms;
        t->end_seed = r->seed;
    }
    if (!r->failed)
        return;
    t->failed++;
    char regions[24] = "";
    if (o->seed.regions > 1)
        snprintf(regions, sizeof(regions), " --regions %u", o->seed.regions);
    printf("seed %llu: %s\n  replay: sim --seed %llu --trace%s%s%s%s\n", ull(r->seed), r->why, ull(r->seed), regions,
           o->seed.unmanaged ? " --unmanaged" : "", o->seed.plant[0] ? " --plant " : "", o->seed.plant);
    fflush(stdout);
}

static void wait_for_one(struct job *jobs, const struct options *o, struct totals *t)
{
    int status;
    pid_t pid = wait(&status);
    for (unsigned i = 0; i < o->jobs; i++) {
        struct sim_result r;
        if (jobs[i].pid != pid)
            continue;
        finish(&jobs[i], status, &r);
        add(t, &r, o);
    }
}

static bool same_twice(uint64_t seed, const struct options *o)
{
    struct sim_result r[2];
    for (int i = 0; i < 2; i++) {
        struct job j;
        int status;
        start(&j, seed, o);
        waitpid(j.pid, &status, 0);
        finish(&j, status, &r[i]);
    }
    if (r[0].hash == r[1].hash && r[0].steps == r[1].steps)
        return true;
    printf("seed %llu is not the same twice\n", ull(seed));
    return false;
}

static double seconds(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* false: a seed did too little to mean anything. */
static bool say_across(const struct totals *t, const struct options *o)
{
    struct sim_least l = sim_seed_least(o->seed.regions);
    bool little = least.far_games < l.far_games || least.far_moves < l.far_moves || least.mails < l.mails;
    printf("across regions: %llu games, %llu moves, %llu messages accepted: %llu came, %llu senders were told that theirs could not; each "
           "seed at least %llu games, %llu moves, %llu messages\n",
           ull(t->far_games), ull(t->far_moves), ull(t->mails), ull(t->mails_came), ull(t->undelivered), ull(least.far_games),
           ull(least.far_moves), ull(least.mails));
    printf(
        "%llu moves at home in their usual time; %llu times somebody was rightly said to be there; all was over at most %.0f s after the "
        "last fault (seed %llu)\n",
        ull(t->paced), ull(t->seen), (double)t->end_ms / 1000, ull(t->end_seed));
    printf("%llu tables with a code: %llu games, %llu times a friend was told why he came in vain\n", ull(t->tables), ull(t->met),
           ull(t->in_vain));
    if (!little || o->seed.plant[0] || t->failed > 0)
        return true;
    printf("a seed did too little: of %u regions %llu games, %llu moves and %llu messages are the least\n", o->seed.regions,
           ull(l.far_games), ull(l.far_moves), ull(l.mails));
    return false;
}

static int run_all(const struct options *o)
{
    struct job jobs[JOBS_MAX] = {{0}};
    struct totals t = {0};
    double from = seconds();
    unsigned running = 0;
    bool same = true;
    for (uint64_t s = 0; s < o->seeds && !(o->seed.plant[0] && t.failed); s++) {
        if (running == o->jobs) {
            wait_for_one(jobs, o, &t);
            running--;
        }
        for (unsigned i = 0; i < o->jobs; i++)
            if (jobs[i].pid == 0) {
                start(&jobs[i], o->from + s, o);
                break;
            }
        running++;
    }
    for (; running > 0; running--)
        wait_for_one(jobs, o, &t);
    if (t.failed == t.seeds)
        memset(&least, 0, sizeof(least));
    for (uint64_t s = 0; o->seed.twice && s < o->seeds; s++)
        same &= same_twice(o->from + s, o);
    printf("%llu seeds, %llu failed; %llu games, %llu of them claimed, %llu moves acknowledged, %llu things shown, %llu faults, %llu "
           "resumes replayed, %llu gone; "
           "%.0f s of virtual time, %llu steps, %.1f s\n",
           ull(t.seeds), ull(t.failed), ull(t.games), ull(t.adopted), ull(t.moves), ull(t.shown), ull(t.faults), ull(t.replayed),
           ull(t.gone), (double)t.virtual_ms / 1000, ull(t.steps), seconds() - from);
    if (o->seed.regions > 1)
        same &= say_across(&t, o);
    if (o->seed.plant[0])
        printf("planted %s: %s\n", o->seed.plant, t.failed ? "found" : "NOT found");
    return same && (o->seed.plant[0] ? t.failed > 0 : t.failed == 0) ? 0 : 1;
}

static void say_cost(void)
{
    struct rusage u;
    getrusage(RUSAGE_CHILDREN, &u);
    double cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    printf("each at least %llu games, %llu moves, %u faults; %.1f s of CPU, at most %.0f MB a seed\n", ull(least.games), ull(least.moves),
           least.faults, cpu, (double)u.ru_maxrss / 1024);
}

static uint64_t number(const char *text)
{
    char *end;
    errno = 0;
    unsigned long long n = text ? strtoull(text, &end, 10) : 0;
    if (!text || errno || *end) {
        fprintf(stderr, "sim: a number is missing\n");
        exit(2);
    }
    return n;
}

int main(int argc, char **argv)
{
    struct options o = {.seeds = 300, .from = 1, .jobs = 2, .seed.plant = ""};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0)
            o.seeds = number(argv[++i]);
        else if (strcmp(argv[i], "--from") == 0)
            o.from = number(argv[++i]);
        else if (strcmp(argv[i], "--jobs") == 0)
            o.jobs = (unsigned)number(argv[++i]);
        else if (strcmp(argv[i], "--seed") == 0)
            o.from = number(argv[++i]), o.seeds = 1;
        else if (strcmp(argv[i], "--players") == 0)
            o.players = (unsigned)number(argv[++i]);
        else if (strcmp(argv[i], "--regions") == 0)
            o.seed.regions = (unsigned)number(argv[++i]);
        else if (strcmp(argv[i], "--trace") == 0)
            o.seed.trace = true;
        else if (strcmp(argv[i], "--twice") == 0)
            o.seed.twice = true;
        else if (strcmp(argv[i], "--unmanaged") == 0)
            o.seed.unmanaged = true;
        else if (strcmp(argv[i], "--plant") == 0 && i + 1 < argc)
            o.seed.plant = argv[++i];
        else {
            bool list = strcmp(argv[i], "--list-plants") == 0;
            fprintf(list ? stdout : stderr,
                    "sim [--seeds N] [--from S] [--jobs J] [--regions N] [--twice] [--unmanaged] [--plant BUG] | --seed S "
                    "[--trace] | --players N [--seed S]\n");
            sim_plant_list(list ? stdout : stderr);
            return list ? 0 : 2;
        }
    }
    if (o.seed.regions > SIM_REGIONS) {
        fprintf(stderr, "sim: at most %d regions\n", SIM_REGIONS);
        return 2;
    }
    if (o.jobs < 1 || o.jobs > JOBS_MAX)
        o.jobs = 2;
    sim_lua_init(SIM_LIBRARY);
    if (!sim_plant_prepare(o.seed.plant)) {
        fprintf(stderr, "sim: there is no bug %s\n", o.seed.plant);
        return 2;
    }
    if (o.players)
        return sim_crowd(o.from, o.players);
    int rc = run_all(&o);
    say_cost();
    return rc;
}
