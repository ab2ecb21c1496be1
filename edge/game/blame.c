/* SPDX-License-Identifier: Apache-2.0
 * blame.c - see blame.h. The file is mapped and shared, so a store into it is all a step costs, and the kernel keeps it whatever ends the
 * process: a fault, an assertion, the watchdog. (A handler of the signals would miss the last one and kill -9; a write to Redis before
 * every step would double its price.) A process that is killed from outside in the microseconds of a step blames a game that is innocent;
 * it takes three such to hurt it.
 *
 * `now` is this process's, `left` what an earlier one left and the store has not heard of yet.
 * Timer: tell again. Owner: the app. Next: hosted.c, infra/redis/meridian1.lua. */
#include "edge/game/blame.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <meridian/id.h>
#include <meridian/mem.h>

#include "edge/game/game.h"

enum { RETRY_MS = 1000 };

struct line {
    char incarnation[EDGE_GAME_SESSION_MAX + 1];
    char game[EDGE_GAME_ID_MAX + 1];
};
struct page {
    struct line now, left;
};

enum { M_BLAMED, M_COUNT };
static const struct mer_metric_def defs[M_COUNT] = {
    [M_BLAMED] = {"meridian_edge_games_blamed_total", "games in whose step the process before this one ended", MER_COUNTER, NULL},
};

struct edge_blame {
    struct edge_blame_conf conf;
    struct page *page;
    struct mer_timer timer;
    bool destroying;
    uint64_t values[M_COUNT];
    struct mer_metric_set metric_set;
};

void edge_blame_begin(struct edge_blame *b, const char *game_id)
{
    if (b == NULL)
        return;
    size_t len = strlen(game_id);
    MER_ASSERT(len < sizeof(b->page->now.game));
    memcpy(b->page->now.game, game_id, len + 1);
}

void edge_blame_end(struct edge_blame *b)
{
    if (b != NULL)
        b->page->now.game[0] = 0;
}

static void tell_later(struct edge_blame *b)
{
    if (!b->destroying)
        mer_loop_arm(b->conf.loop, &b->timer, RETRY_MS);
}

static void on_told(void *ctx, enum edge_store_result result, const struct edge_stored *stored)
{
    struct edge_blame *b = ctx;
    (void)stored;
    if (b->destroying)
        return;
    if (result == EDGE_STORE_AGAIN || result == EDGE_STORE_UNKNOWN)
        tell_later(b);
    else
        memset(&b->page->left, 0, sizeof(b->page->left));
}

void edge_blame_tell(struct edge_blame *b)
{
    const struct line *left = b == NULL ? NULL : &b->page->left;
    if (left == NULL || left->game[0] == 0)
        return;
    if (edge_store_game_blame(b->conf.store, left->game, left->incarnation, on_told, b) != MER_OK)
        tell_later(b);
}

static void on_timer(struct mer_timer *t)
{
    edge_blame_tell(MER_CONTAINER_OF(t, struct edge_blame, timer));
}

static enum mer_err map_file(struct edge_blame *b, struct mer_msg *msg)
{
    int fd = open(b->conf.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *at = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, sizeof(struct page)) == 0)
        at = mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        mer_msgf(msg, "%s: %s", b->conf.path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (at == MAP_FAILED)
        return MER_EIO;
    b->page = at;
    return MER_OK;
}

/* The file is input like any other: another version of ourselves, or a disk, may have written it. */
static bool sound(const struct line *l)
{
    return memchr(l->incarnation, 0, sizeof(l->incarnation)) && memchr(l->game, 0, sizeof(l->game)) &&
           mer_id_is_text(l->incarnation, strlen(l->incarnation), EDGE_GAME_SESSION_MAX) && strchr(l->incarnation, ' ') == NULL &&
           mer_id_is_text(l->game, strlen(l->game), EDGE_GAME_ID_MAX);
}

static void read_file(struct edge_blame *b)
{
    struct page *p = b->page;
    if (p->now.game[0] != 0 && sound(&p->now)) {
        p->left = p->now;
        b->values[M_BLAMED]++;
        MER_LOG(b->conf.log, MER_ERROR, "game.blame", KV_STR("game", p->left.game), KV_STR("ended", p->left.incarnation));
    } else if (!sound(&p->left)) {
        memset(&p->left, 0, sizeof(p->left));
    }
    memset(&p->now, 0, sizeof(p->now));
    memcpy(p->now.incarnation, b->conf.incarnation, strlen(b->conf.incarnation) + 1);
}

enum mer_err edge_blame_create(struct edge_blame **out, const struct edge_blame_conf *conf, struct mer_msg *msg)
{
    MER_ASSERT(strlen(conf->incarnation) <= EDGE_GAME_SESSION_MAX);
    struct edge_blame *b = mer_try_calloc(1, sizeof(*b));
    if (b == NULL)
        return MER_ENOMEM;
    b->conf = *conf;
    enum mer_err err = map_file(b, msg);
    if (err != MER_OK) {
        mer_free(&b);
        return err;
    }
    mer_timer_init(&b->timer, on_timer);
    mer_metrics_add(conf->metrics, &b->metric_set, defs, M_COUNT, b->values);
    read_file(b);
    *out = b;
    return MER_OK;
}

void edge_blame_destroy(struct edge_blame *b)
{
    if (b == NULL)
        return;
    b->destroying = true;
    mer_loop_disarm(b->conf.loop, &b->timer);
    mer_metrics_remove(&b->metric_set);
    munmap(b->page, sizeof(*b->page));
    mer_free(&b);
}
