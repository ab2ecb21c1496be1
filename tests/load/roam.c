/* SPDX-License-Identifier: Apache-2.0
 * roam.c - where a player is and belongs: attempts, silence, the way home. Next: survey.c asks regions whether they are there. */
#include "tests/load/roam.h"

#include <meridian/mem.h>

#include "tests/load/roam_private.h"

enum {
    SECOND_US = 1000 * 1000,
    AT_ONCE_MS = 200, /* plan.js */
    WATCH_MS = 250,   /* connection.js from here */
    QUIET_US = 3 * SECOND_US,
    UNANSWERED_US = 5 * SECOND_US,
    LATE_US = SECOND_US / 2, /* a request, a pong */
    PONG_US = 5 * SECOND_US,
    HEARTBEATS_US = 60 * SECOND_US,
    DIAL_MS = 2500, /* meridian.js from here */
    FAILOVER_MS = 1000,
    CALM_US = 3 * SECOND_US,
    STUBBORN = 4,
    GOOD_TIMES = 2, /* roam.js */
};

/* --- where the next attempt goes -------------------------------------------------------------------------------------------------------
 */

static const struct load_region *region_of(const struct load_player *p)
{
    return &p->run->endpoints.region[p->roam->region];
}

const struct load_url *load__roam_url(const struct load_player *p, uint32_t region, uint32_t at)
{
    const struct load_endpoints *e = &p->run->endpoints;
    const struct load_region *g = &e->region[region];
    uint32_t i = at % (g->edges + 1);
    return i == g->edges ? &g->play : &e->edge[g->first + (p->roam->start + i) % g->edges].url;
}

const struct load_url *load_roam_url(const struct load_player *p)
{
    return load__roam_url(p, p->roam->region, p->roam->at);
}

static void go_to(struct load_player *p, uint8_t region)
{
    struct load_roam *m = p->roam;
    m->region = region;
    m->at = 0;
    m->start = (uint8_t)mer_rng_below(&p->run->rng, region_of(p)->edges);
    p->session[0] = 0; /* it is of its region */
}

void load_roam_sent(struct load_player *p)
{
    struct load_roam *m = p->roam;
    m->region = p->run->endpoints.edge[p->edge].region;
    m->home_region = m->region;
    m->start = (uint8_t)(p->edge - region_of(p)->first);
    m->at = 0;
}

void load_roam_connecting(struct load_player *p)
{
    if (!p->roam->survey.going)
        load_run_arm(p->run, &p->roam->watch, DIAL_MS);
}

uint32_t load_roam_lost(struct load_player *p, bool was_up, uint32_t retry_ms)
{
    static const uint32_t steps_ms[] = {0, 1000, 2000, 5000, 10000, 30000};
    struct load_run *r = p->run;
    struct load_roam *m = p->roam;
    uint32_t step = was_up || p->tries > 0 ? p->tries : 1; /* an attempt that failed is not tried again at once */
    uint32_t base_ms = steps_ms[step < MER_COUNT(steps_ms) ? step : MER_COUNT(steps_ms) - 1];
    p->tries = (uint8_t)(step < 254 ? step + 1 : step);
    mer_wheel_disarm(&r->wheel, &m->home);
    if (!was_up) {
        m->at++;
        load__survey_begin(p, p->tries > STUBBORN);
    } else if (!m->survey.going) {
        mer_wheel_disarm(&r->wheel, &m->watch);
    }
    if (retry_ms > 0)
        return retry_ms;
    return base_ms == 0 ? mer_rng_below(&r->rng, AT_ONCE_MS) : base_ms / 2 + mer_rng_below(&r->rng, base_ms / 2);
}

void load__roam_stay(struct load_player *p, bool heard)
{
    if (heard)
        p->roam->calm_us = p->run->now_us + CALM_US;
    if (p->state == LOAD_UP)
        load_run_arm(p->run, &p->roam->watch, WATCH_MS);
}

/* Spread over a second, unless the next attempt comes before. */
void load__roam_leave_for(struct load_player *p, uint8_t region)
{
    struct load_run *r = p->run;
    uint32_t ms = mer_rng_below(&r->rng, FAILOVER_MS);
    go_to(p, region);
    if (p->state == LOAD_UP)
        ms = mer_rng_below(&r->rng, AT_ONCE_MS);
    if (p->state == LOAD_DOWN && mer_timer_armed(&p->timer) && p->timer.due_ms <= r->now_us / 1000 + ms)
        return;
    load_player_abandon(p, ms);
}

/* --- is the server silent? -------------------------------------------------------------------------------------------------------------
 */

static uint64_t late_us(const struct load_player *p)
{
    return load__max(LATE_US, load__min(4 * region_of(p)->trip_us, SECOND_US));
}

/* How long his request has had no answer; 0: none is open. */
static uint64_t waiting_us(const struct load_player *p)
{
    uint64_t now_us = p->run->now_us;
    if (p->move.flying)
        return now_us - p->move.sent_us;
    return p->doing == LOAD_SEEKING && !p->ticket[0] ? now_us - p->said_us : 0;
}

static void look_at_silence(struct load_player *p)
{
    struct load_roam *m = p->roam;
    uint64_t now_us = p->run->now_us, silent_us = now_us - m->heard_us, wait_us = waiting_us(p);
    bool eager = p->doing == LOAD_PLAYING || p->doing == LOAD_SEEKING;
    if (m->pinged_us) {
        if (now_us - m->pinged_us >= PONG_US) {
            load_player_abandon(p, mer_rng_below(&p->run->rng, AT_ONCE_MS));
            load__survey_begin(p, false);
        } else if (now_us - m->pinged_us >= late_us(p) && now_us >= m->calm_us) {
            load__survey_begin(p, false);
        }
        return;
    }
    bool unheard = eager && wait_us >= late_us(p) && silent_us >= wait_us;
    if (silent_us >= (eager ? (uint64_t)QUIET_US : HEARTBEATS_US) || unheard || load__min(silent_us, wait_us) >= UNANSWERED_US) {
        m->pinged_us = now_us;
        load_player_ping(p);
    }
}

static void on_watch(struct mer_timer *t)
{
    struct load_roam *m = MER_CONTAINER_OF(t, struct load_roam, watch);
    struct load_player *p = m->player;
    if (m->survey.going) {
        load__survey_step(p);
    } else if (p->state == LOAD_UP) {
        load_run_arm(p->run, t, WATCH_MS);
        look_at_silence(p);
    } else if (p->state != LOAD_DOWN) {
        load__survey_begin(p, p->tries > STUBBORN);
    }
}

void load_roam_heard(struct load_player *p)
{
    p->roam->heard_us = p->run->now_us;
    p->roam->pinged_us = 0;
}

/* --- home and away ---------------------------------------------------------------------------------------------------------------------
 */

static void arm_home(struct load_player *p)
{
    struct load_roam *m = p->roam;
    struct load_run *r = p->run;
    uint64_t look_ms = r->o.look_s * 500u + mer_rng_below(&r->rng, r->o.look_s * 1000 + 1);
    if (m->state == LOAD_DUE && m->due_us > r->now_us)
        look_ms = load__min(look_ms, (m->due_us - r->now_us) / 1000 + 1);
    load_run_arm(r, &m->home, look_ms);
}

static void on_home(struct mer_timer *t)
{
    struct load_roam *m = MER_CONTAINER_OF(t, struct load_roam, home);
    struct load_player *p = m->player;
    if (p->state != LOAD_UP || m->state == LOAD_HOME)
        return;
    arm_home(p);
    if (!m->looking_home)
        load__ping_home(p);
    (void)load_roam_goes_home(p);
}

void load__roam_home_heard(struct load_player *p, bool there)
{
    struct load_roam *m = p->roam;
    struct load_run *r = p->run;
    m->good = there ? m->good + 1 : 0;
    if (!there)
        m->state = m->state == LOAD_DUE ? LOAD_AWAY : m->state;
    else if (m->good >= GOOD_TIMES && m->state == LOAD_AWAY) {
        m->state = LOAD_DUE;
        m->due_us = r->now_us + (uint64_t)mer_rng_below(&r->rng, r->o.homeward_s * 1000 + 1) * 1000;
        arm_home(p);
    }
}

bool load_roam_goes_home(struct load_player *p)
{
    struct load_roam *m = p->roam;
    bool busy = p->doing == LOAD_PLAYING || p->doing == LOAD_SEEKING || p->state != LOAD_UP;
    if (m->state != LOAD_DUE || p->run->now_us < m->due_us || busy)
        return false;
    go_to(p, m->home_region);
    p->tries = 0;
    load_player_abandon(p, 0);
    return true;
}

static void count_return(struct load_run *r)
{
    struct load_failover *f = &r->failover;
    uint64_t second = (r->now_us - f->back_us) / SECOND_US;
    f->home++;
    f->returns[load__min(second, LOAD_SECONDS - 1)]++;
}

void load_roam_up(struct load_player *p)
{
    struct load_roam *m = p->roam;
    struct load_run *r = p->run;
    uint8_t here = r->endpoints.edge[p->edge].region;
    bool elsewhere = m->in_region >= 0 && m->in_region != here;
    load__survey_end(p);
    m->region = here;
    m->in_region = here;
    load_roam_heard(p);
    if (elsewhere)
        load_play_leave_behind(p);
    if (elsewhere && here == m->home_region && r->failover.back_us)
        count_return(r);
    if (r->failover.failed_us && !m->moved && here != m->home_region) {
        m->moved = true;
        load_run_time(r, LOAD_TIME_ELSEWHERE, r->failover.failed_us);
    }
    m->state = here == m->home_region ? LOAD_HOME : m->state == LOAD_HOME ? LOAD_AWAY : m->state;
    load_run_arm(r, &m->watch, WATCH_MS);
    if (m->state != LOAD_HOME)
        arm_home(p);
}

void load_roam_matched(struct load_player *p)
{
    struct load_failover *f = &p->run->failover;
    struct load_roam *m = p->roam;
    if (!f->failed_us || m->again || m->in_region == m->home_region)
        return;
    m->again = true;
    f->again++;
    load_run_time(p->run, LOAD_TIME_NEW_GAME, f->failed_us);
}

/* --- life ------------------------------------------------------------------------------------------------------------------------------
 */

void load_roam_init(struct load_run *r)
{
    mer_list_init(&r->failover.spare_pings);
    r->roam = mer_xcalloc(r->players, sizeof(*r->roam));
    for (uint32_t i = 0; i < r->players; i++) {
        struct load_roam *m = &r->roam[i];
        m->player = &r->player[i];
        m->player->roam = m;
        m->in_region = -1;
        m->start = (uint8_t)(i % r->endpoints.region[0].edges);
        mer_timer_init(&m->watch, on_watch);
        mer_timer_init(&m->home, on_home);
        mer_list_init(&m->pings);
    }
}

void load_roam_leave(struct load_player *p)
{
    load__survey_end(p);
    load__pings_close(p, true);
    mer_wheel_disarm(&p->run->wheel, &p->roam->watch);
    mer_wheel_disarm(&p->run->wheel, &p->roam->home);
}
