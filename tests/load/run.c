/* SPDX-License-Identifier: Apache-2.0
 * run.c - the loop, arriving, and mode play: ramp, warm-up, the measured phase, drain. Next: modes.c has the other two modes. */
#include "tests/load/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <meridian/id.h>
#include <meridian/mem.h>

#include "tests/load/journal.h"
#include "tests/load/player.h"
#include "tests/load/regions.h"
#include "tests/load/report.h"
#include "tests/load/roam.h"

enum { SECOND_US = 1000000, EXPIRIES = 4096, ARRIVE_WAIT_S = 60, SPARE_FDS = 32, CANCEL_AFTER_US = 2 * SECOND_US };

/* --- small things -------------------------------------------------------------------------------------------------------------------- */

void load_run_time(struct load_run *r, enum load_time t, uint64_t from_us)
{
    uint64_t now_us = r->clock.mono_us(r->clock.ctx);
    load_hist_add(&r->time[t], now_us > from_us ? now_us - from_us : 0);
}

void load_run_arm(struct load_run *r, struct mer_timer *t, uint64_t delay_ms)
{
    mer_wheel_arm(&r->wheel, t, r->now_us / 1000 + delay_ms);
}

void load_code_count(struct load_code *codes, int code)
{
    for (int i = 0; i < LOAD_CLOSE_CODES; i++) {
        if (codes[i].code != code && codes[i].count > 0)
            continue;
        codes[i].code = code;
        codes[i].count++;
        return;
    }
}

static struct mer_key game_key(const void *entry)
{
    const struct load_game *g = entry;
    return (struct mer_key){g->id, strlen(g->id)};
}

/* --- birth and end ------------------------------------------------------------------------------------------------------------------- */

/* A key that does not sign is better found here than by every player. */
static enum mer_err load_keys(struct load_run *r, struct mer_msg *msg)
{
    char token[1024];
    enum mer_err err = mer_keys_load(&r->keys, r->o.keys, true, msg);
    if (err == MER_OK && (err = mer_token_sign(r->keys, "{}", 2, token, sizeof(token))) != MER_OK) {
        mer_msgf(msg, "%s: no private key in it", r->o.keys);
        mer_keys_destroy(r->keys);
    }
    return err;
}

static enum mer_err raise_descriptors(uint32_t wanted, struct mer_msg *msg)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return MER_EIO;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted + SPARE_FDS) {
        mer_msgf(msg, "%u players need %u descriptors; this process may have %llu (ulimit -Hn)", wanted, wanted + SPARE_FDS,
                 (unsigned long long)limit.rlim_max);
        return MER_EBUSY;
    }
    return MER_OK;
}

static enum mer_err make_players(struct load_run *r)
{
    r->player = mer_xcalloc(r->o.players, sizeof(*r->player));
    for (; r->players < r->o.players; r->players++)
        if (load_player_init(&r->player[r->players], r, r->players) != MER_OK)
            return MER_ENOMEM;
    return MER_OK;
}

static void init_members(struct load_run *r)
{
    struct mer_rng system = mer_rng_system();
    r->clock = mer_clock_system();
    r->start_us = r->now_us = r->clock.mono_us(r->clock.ctx);
    if (r->o.seed == 0)
        r->o.seed = r->clock.wall_ms(r->clock.ctx);
    r->rng = mer_rng_seed(&r->rng_state, r->o.seed);
    mer_id_make(&system, "", 5, r->tag, sizeof(r->tag)); /* not of the seed: the servers remember the users of the last run */
    uint64_t map_seed[2] = {mer_rng_u64(&r->rng), mer_rng_u64(&r->rng)};
    mer_map_init(&r->games, game_key, map_seed);
    mer_wheel_init(&r->wheel, r->now_us / 1000);
    mer_list_init(&r->ready);
    mer_buf_init(&r->scratch, 0);
}

int load_run_init(struct load_run *r, const struct load_options *o)
{
    struct mer_msg msg = {""};
    memset(r, 0, sizeof(*r));
    r->o = *o;
    init_members(r);
    uint32_t sockets = o->mode == LOAD_CONNECT ? 0 : o->players;
    if (load_endpoints_read(&r->endpoints, o->endpoints, o->edge, &msg) != MER_OK || raise_descriptors(sockets, &msg) != MER_OK ||
        (o->mode == LOAD_FAILOVER && load_regions_learn(&r->endpoints, o->public_keys, &msg) != MER_OK) || load_keys(r, &msg) != MER_OK)
        goto failed;
    struct load_sources sources = {o->sources_from, o->sources};
    if (load_net_init(&r->net, &load_player_cbs, &sources, r->endpoints.tls ? o->ca : NULL, &msg) != MER_OK) {
        mer_keys_destroy(r->keys);
        goto failed;
    }
    r->net.subprotocol = o->proto ? "meridian.v1.proto" : "meridian.v1.json";
    r->net.rng = &r->rng;
    load_lanes_init(&r->lanes, r->endpoints.edges, o->mode == LOAD_FAILOVER ? (uint32_t)LOAD_CROSS_ANY : o->cross);
    if (o->journal && !load_journal_open(r, o->journal)) {
        load_run_deinit(r);
        return 2;
    }
    if (make_players(r) == MER_OK) {
        if (o->mode == LOAD_FAILOVER)
            load_roam_init(r);
        return 0;
    }
    load_run_deinit(r);
    mer_msgf(&msg, "out of memory");
failed:
    fprintf(stderr, "meridian-load: %s\n", msg.text);
    return 2;
}

void load_run_deinit(struct load_run *r)
{
    uint32_t pos = 0;
    load_net_deinit(&r->net);
    load_roam_deinit(r);
    for (struct load_game *g; (g = mer_map_next(&r->games, &pos)) != NULL;)
        load_game_destroy(g);
    mer_map_deinit(&r->games);
    load_journal_close(r);
    mer_keys_destroy(r->keys);
    mer_buf_deinit(&r->scratch);
    mer_free(&r->player);
}

/* --- the loop ------------------------------------------------------------------------------------------------------------------------ */

static void read_clock(struct load_run *r)
{
    r->now_us = r->clock.mono_us(r->clock.ctx);
}

void load_run_turn(struct load_run *r, uint64_t until_us)
{
    uint64_t wheel_ms = mer_wheel_next_ms(&r->wheel), wake_us = until_us;
    if (wheel_ms != UINT64_MAX && wheel_ms * 1000 < wake_us)
        wake_us = wheel_ms * 1000;
    read_clock(r);
    load_net_wait(&r->net, wake_us > r->now_us ? wake_us - r->now_us : 0);
    read_clock(r);
    mer_wheel_advance(&r->wheel, r->now_us / 1000, EXPIRIES);
    load_lanes_pair(&r->lanes, r->now_us);
    load_report_progress(r);
}

void load_run_for(struct load_run *r, uint64_t us, volatile sig_atomic_t *interrupted)
{
    uint64_t end_us = r->now_us + us;
    while (r->now_us < end_us && !*interrupted)
        load_run_turn(r, end_us);
}

/* --- moves --------------------------------------------------------------------------------------------------------------------------- */

/* Until everybody plays there are as many moves as those who do would make, so that first moves do not come in a flood. */
static uint64_t move_every_us(const struct load_run *r)
{
    uint64_t playing = r->playing > 0 ? r->playing : 1;
    if (r->phase >= LOAD_STEADY) /* in the drain those who are left think less, so that it ends */
        playing = r->players;
    return (uint64_t)SECOND_US * r->players / (r->o.rate * playing);
}

static void move_what_is_due(struct load_run *r)
{
    read_clock(r);
    while (r->next_move_us <= r->now_us) {
        if (mer_list_empty(&r->ready)) {
            if (r->phase != LOAD_STEADY)
                r->next_move_us = r->now_us + move_every_us(r);
            else if (!r->starved) /* it stays due: whoever comes next is late */
                r->starved = true, r->count.starved++;
            return;
        }
        struct load_player *p = MER_LIST_ENTRY(r->ready.next, struct load_player, node);
        r->starved = false;
        if (load_play_move(p, r->next_move_us))
            r->next_move_us += move_every_us(r);
    }
}

static void drop_some(struct load_run *r, uint64_t *next_us)
{
    while (r->o.drops && *next_us <= r->now_us && r->phase == LOAD_STEADY) {
        *next_us += SECOND_US / r->o.drops;
        load_player_drop(&r->player[mer_rng_below(&r->rng, r->players)], mer_rng_below(&r->rng, 1000));
    }
}

/* One turn with moves; wakes for the next move that somebody can make. */
static void play_turn(struct load_run *r, uint64_t until_us)
{
    bool waits = mer_list_empty(&r->ready) && r->next_move_us <= r->now_us;
    load_run_turn(r, !waits && r->next_move_us < until_us ? r->next_move_us : until_us);
    move_what_is_due(r);
}

static void play_for(struct load_run *r, uint64_t us, volatile sig_atomic_t *interrupted)
{
    uint64_t end_us = r->now_us + us, next_drop_us = r->now_us;
    while (r->now_us < end_us && !*interrupted) {
        play_turn(r, r->o.drops && r->now_us + 10000 < end_us ? r->now_us + 10000 : end_us);
        drop_some(r, &next_drop_us);
        if (r->phase == LOAD_STEADY) {
            r->games_sum += r->playing / 2.0;
            r->games_samples++;
        }
    }
}

bool load_run_arrive(struct load_run *r, volatile sig_atomic_t *interrupted)
{
    uint64_t ramp_us = (uint64_t)r->o.ramp_s * SECOND_US, from_us = r->now_us, end_us = from_us + ramp_us + ARRIVE_WAIT_S * SECOND_US;
    while (r->online < r->players && r->now_us < end_us && !*interrupted) {
        while (r->arrived < r->players && from_us + ramp_us * r->arrived / r->players <= r->now_us)
            load_player_connect(&r->player[r->arrived++]);
        uint64_t due_us = r->arrived < r->players ? from_us + ramp_us * r->arrived / r->players : r->now_us + SECOND_US / 10;
        if (r->o.mode == LOAD_PLAY)
            play_turn(r, due_us);
        else
            load_run_turn(r, due_us);
    }
    if (r->online < r->players && !*interrupted)
        fprintf(stderr, "meridian-load: only %u of %u players came in\n", r->online, r->players);
    return r->online == r->players;
}

/* --- phases -------------------------------------------------------------------------------------------------------------------------- */

static void enter(struct load_run *r, enum load_phase phase)
{
    read_clock(r);
    r->phase = phase;
    r->phase_us = r->now_us;
}

/* Counts of the measured phase alone: after minus before. */
static void subtract(struct load_count *from, const struct load_count *before)
{
    uint64_t *a = (uint64_t *)from;
    const uint64_t *b = (const uint64_t *)before;
    for (size_t i = 0; i < offsetof(struct load_count, errors) / sizeof(uint64_t); i++)
        a[i] -= b[i];
}

static void measured_phase(struct load_run *r, volatile sig_atomic_t *interrupted)
{
    struct load_count before;
    load_sample_take(&r->before, &r->o, &r->endpoints, r->clock.mono_us(r->clock.ctx));
    uint64_t missed = r->count.missed_pairs;
    play_for(r, SECOND_US / 2, interrupted); /* what came while we asked the servers */
    before = r->count;
    enter(r, LOAD_STEADY);
    r->steady_from_us = r->next_move_us = r->now_us;
    play_for(r, (uint64_t)r->o.seconds * SECOND_US, interrupted);
    r->steady_to_us = r->now_us;
    r->steady = r->count;
    subtract(&r->steady, &before);
    enter(r, LOAD_DRAIN);
    r->sampled_missed = r->count.missed_pairs - missed;
    load_sample_take(&r->after, &r->o, &r->endpoints, r->now_us);
}

/* Games under way go on to their end; nobody asks for another. Who has just asked gets his game: a cancel would only cross it. */
static void drain(struct load_run *r)
{
    uint64_t end_us, cancel_us;
    read_clock(r);
    end_us = r->now_us + (uint64_t)r->o.drain_s * SECOND_US;
    r->next_move_us = r->now_us;
    cancel_us = r->now_us + CANCEL_AFTER_US;
    for (uint32_t i = 0; i < r->players; i++)
        load_lanes_remove(&r->lanes, &r->player[i]);
    while ((r->playing > 0 || r->seeking > 0) && r->now_us < end_us) {
        play_turn(r, r->now_us + SECOND_US / 10);
        for (uint32_t i = 0; r->now_us >= cancel_us && i < r->players; i++)
            if (!r->player[i].cancelling)
                load_play_cancel(&r->player[i]);
    }
}

void load_run_play(struct load_run *r, volatile sig_atomic_t *interrupted)
{
    enter(r, LOAD_RAMP);
    r->next_move_us = r->now_us;
    (void)load_run_arrive(r, interrupted);
    enter(r, LOAD_WARMUP);
    play_for(r, (uint64_t)r->o.warmup_s * SECOND_US, interrupted);
    measured_phase(r, interrupted);
    drain(r);
    enter(r, LOAD_DONE);
    load_play_finish(r);
    for (uint32_t i = 0; i < r->players; i++)
        load_player_leave(&r->player[i]);
}
