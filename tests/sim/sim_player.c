/* SPDX-License-Identifier: Apache-2.0
 * sim_player.c - see sim_player.h. A player thinks now and then; everything else he does is an answer to a message. He has one or two
 * devices, each with a connection, a session and a view of its own; one move at a time is under way, whichever device sends it.
 *
 *   device:  DOWN --think--> DIALLING --open--> GREETING --connected--> (resume --connected-->) READY --close, reset--> DOWN */
#include "tests/sim/sim_player.h"

#include <string.h>

#include <meridian/json.h>
#include <meridian/mem.h>

#include "tests/sim/sim_player_private.h"

enum { SILENCE_MS = 10000, MAILS = 12 /* a player writes; where there are other regions */ };

struct sim_everybody sim_everybody;

/* --- connections ---------------------------------------------------------------------------------------------------------------------- */

void sim_device_lost(struct device *d)
{
    if (d->end)
        sim_net_close(d->end);
    d->end = NULL;
    if (d->state == READY) {
        sim_copy(d->old_session, sizeof(d->old_session), d->session);
        d->old_epoch = d->epoch;
        d->old_offset = d->offset;
        d->had_session = true;
    }
    d->state = DOWN;
    d->view.game[0] = 0;
    d->next_ms = sim_now_ms() + sim_between(20, 1200);
}

static void end_data(void *ctx, const uint8_t *data, size_t len)
{
    struct device *d = ctx;
    d->heard_ms = sim_now_ms();
    if (len > 0 && data[0] == SIM_FRAME_CLOSE) {
        sim_trace("%s.%s closed: %.*s", d->player->user, d->name, (int)len - 1, (const char *)data + 1);
        bool ours = strncmp((const char *)data + 1, "1012", 4) == 0 || strncmp((const char *)data + 1, "3502", 4) == 0;
        if (!ours)
            sim_fail("%s was closed: %.*s", d->player->user, (int)len - 1, (const char *)data + 1);
        sim_device_lost(d);
        return;
    }
    struct mer_json_error err;
    Meridian__Client__V1__ServerMessage *m =
        d->proto ? meridian__client__v1__server_message__unpack(NULL, len - 1, data + 1)
                 : (Meridian__Client__V1__ServerMessage *)mer_json_parse_within(
                       &meridian__client__v1__server_message__descriptor, &mer_json_limits_server, (const char *)data + 1, len - 1, &err);
    if (!m) {
        sim_fail("%s got what is no message: %.*s", d->player->user, (int)len - 1, (const char *)data + 1);
        return;
    }
    sim_player_hear(d, m);
    meridian__client__v1__server_message__free_unpacked(m, NULL);
}

static void end_open(void *ctx)
{
    struct device *d = ctx;
    char hello[2048];
    int n = snprintf(hello, sizeof(hello), "%ctoken=%s&device=%s", d->proto ? 'p' : 'j', sim_token(d->player->user), d->name);
    d->state = GREETING;
    d->heard_ms = sim_now_ms();
    sim_net_send(d->end, hello, (size_t)n);
}

static void end_closed(void *ctx, bool clean, const char *why)
{
    struct device *d = ctx;
    (void)clean, (void)why;
    d->end = NULL;
    sim_device_lost(d);
}

static const struct sim_end_ops end_ops = {end_open, end_data, end_closed};

static void dial(struct device *d)
{
    struct sim_region *at = d->player->at;
    char address[32];
    if (!sim_chance(40))
        d->edge = sim_below(at->edges);
    d->proto = sim_chance(70);
    d->state = DIALLING;
    d->heard_ms = sim_now_ms();
    d->pinged_ms = 0;
    snprintf(address, sizeof(address), "%s:players", at->edge[d->edge]->name);
    d->end = sim_net_connect(at->players, address, &end_ops, d);
}

void sim_device_look_after(struct device *d)
{
    uint64_t now = sim_now_ms();
    if (d->state == DOWN) {
        if (now >= d->next_ms && now >= d->player->away_ms)
            dial(d);
        return;
    }
    uint64_t limit = d->state != READY ? 3000 : sim_everybody.crowd ? 4 * SILENCE_MS : SILENCE_MS;
    if (now - d->heard_ms < limit) {
        d->pinged_ms = 0;
    } else if (d->state != READY || (d->pinged_ms && now - d->pinged_ms > 5000)) {
        sim_trace("%s.%s gives edge%u up", d->player->user, d->name, d->edge);
        sim_device_lost(d);
    } else if (!d->pinged_ms) {
        d->pinged_ms = now;
        sim_say_ping(d);
    }
}

/* --- public --------------------------------------------------------------------------------------------------------------------------- */

static void arrive(unsigned i, struct sim_region *at, unsigned devices, unsigned games, uint32_t after_ms)
{
    struct player *p = &sim_everybody.player[i];
    snprintf(p->user, sizeof(p->user), "u%u", i);
    p->at = at;
    p->devices = devices;
    p->games_left = games;
    p->mails_left = MAILS;
    for (unsigned k = 0; k < p->devices; k++) {
        struct device *d = &p->device[k];
        d->player = p;
        snprintf(d->name, sizeof(d->name), "d%u", k);
        d->edge = sim_below(at->edges);
    }
    sim_at((uint64_t)after_ms * 1000, sim_player_think, p, 0);
}

static void init(unsigned players)
{
    memset(&sim_everybody, 0, sizeof(sim_everybody));
    sim_everybody.count = players;
    sim_everybody.player = mer_xcalloc(players, sizeof(*sim_everybody.player));
}

void sim_players_init(unsigned players, unsigned games_each)
{
    init(players * sim_region_count);
    sim_everybody.each = players;
    sim_everybody.absences = sim_chance(60) ? sim_below(8) : 0;
    if (sim_region_count > 1 && sim_chance(30)) {
        sim_everybody.hoarder = 1 + sim_below(sim_everybody.count);
        sim_everybody.player[sim_everybody.hoarder - 1].hoards = true;
    }
    for (unsigned i = 0; i < sim_everybody.count; i++)
        arrive(i, &sim_regions[i / players], sim_chance(20) ? 2 : 1, games_each, sim_between(1500, 6000));
}

void sim_players_crowd(unsigned players, unsigned active_percent, unsigned games_each, uint32_t ramp_ms)
{
    init(players);
    sim_everybody.crowd = true;
    for (unsigned i = 0; i < players; i++)
        arrive(i, region, 1, sim_chance(active_percent) ? games_each : 0, 1500 + sim_below(ramp_ms));
}

void sim_players_count(struct sim_players *out)
{
    memset(out, 0, sizeof(*out));
    for (unsigned i = 0; i < sim_everybody.count; i++) {
        const struct player *p = &sim_everybody.player[i];
        out->connected += p->device[0].state == READY;
        out->waiting += p->ticket[0] != 0;
        out->playing += p->game[0] != 0;
        out->moves += p->moves;
    }
}

unsigned sim_players_far_games(void)
{
    return sim_everybody.far_seats / SIM_FAR_SEATS;
}

void sim_players_once_more(void)
{
    sim_trace("once more");
    sim_everybody.far_only = true;
    for (unsigned i = 0; i < sim_everybody.count; i++)
        sim_everybody.player[i].games_left++;
}

void sim_players_finish(void)
{
    sim_trace("no new games");
    sim_everybody.finishing = true;
}

bool sim_players_done(void)
{
    for (unsigned i = 0; i < sim_everybody.count; i++)
        if (sim_everybody.player[i].game[0] || sim_everybody.player[i].ticket[0] || sim_everybody.player[i].mail[0] ||
            sim_everybody.player[i].table || (!sim_everybody.finishing && sim_everybody.player[i].games_left > 0))
            return false;
    return true;
}

void sim_players_explain(char *out, size_t bytes)
{
    out[0] = 0;
    for (unsigned i = 0; i < sim_everybody.count; i++) {
        struct player *p = &sim_everybody.player[i];
        size_t n = strlen(out);
        if (p->game[0] || p->ticket[0] || p->mail[0] || p->table)
            snprintf(out + n, bytes - n, " %s: game %s ticket %s move %s message %s%s%s;", p->user, p->game, p->ticket, p->move, p->mail,
                     p->table ? " table " : "", p->table ? p->table->code : "");
    }
}

void sim_players_drop(const struct sim_region *at, unsigned percent)
{
    for (unsigned i = 0; i < sim_everybody.count; i++)
        for (unsigned k = 0; sim_everybody.player[i].at == at && k < sim_everybody.player[i].devices; k++) {
            struct device *d = &sim_everybody.player[i].device[k];
            if (d->end && sim_chance(percent)) {
                d->told_us = 0; /* the edge knows of a reset before the player does */
                if (sim_chance(50))
                    sim_net_reset(d->end);
                else
                    sim_device_lost(d);
            }
        }
}

struct sim_region *sim_player_home(const char *user)
{
    for (unsigned i = 0; i < sim_everybody.count; i++)
        if (strcmp(sim_everybody.player[i].user, user) == 0)
            return sim_everybody.player[i].at;
    return NULL;
}

bool sim_player_stays(const char *user, const char *game, const struct sim_proc *edge, uint64_t since_us)
{
    for (unsigned i = 0; i < sim_everybody.count; i++)
        for (unsigned k = 0; k < sim_everybody.player[i].devices; k++) {
            const struct device *d = &sim_everybody.player[i].device[k];
            bool there = d->state == READY && d->player->at->edge[d->edge] == edge && strcmp(d->view.game, game) == 0 && d->told_us > 0 &&
                         d->told_us <= since_us;
            if (there && strcmp(sim_everybody.player[i].user, user) == 0)
                return true;
        }
    return false;
}
