/* SPDX-License-Identifier: Apache-2.0
 * sim_check_mail.c - every message that was accepted takes effect once: it stands under one number in its recipient's inbox, or its sender
 * was told that it could not be delivered; those of one sender to one recipient in the order in which they were accepted (a player sends
 * the next one when the last one is). Nobody gets what nobody wrote. */
#include <stdlib.h>
#include <string.h>

#include <meridian/mem.h>

#include "tests/sim/sim_check_private.h"
#include "tests/sim/sim_redis.h"

struct mail {
    char from[16], region[12], to[16], id[48];
    bool accepted, undelivered;
    uint64_t seq; /* in the recipient's inbox; 0: it has not come */
};
static struct {
    struct mail *mail;
    size_t count, cap;
} box;

static struct mail *find(const char *from, const char *to, const char *id)
{
    for (size_t i = box.count; i-- > 0;)
        if (strcmp(box.mail[i].id, id) == 0 && strcmp(box.mail[i].from, from) == 0 && strcmp(box.mail[i].to, to) == 0)
            return &box.mail[i];
    sim_fail("a message %s of %s to %s, which nobody wrote", id, from, to);
    return NULL;
}

void sim_mail_init(void)
{
    memset(&box, 0, sizeof(box));
}

void sim_mail_sent(const char *from, const char *region_name, const char *to, const char *id)
{
    if (box.count == box.cap) {
        box.cap = box.cap ? box.cap * 2 : 256;
        box.mail = mer_xrealloc(box.mail, box.cap * sizeof(*box.mail));
    }
    struct mail *m = &box.mail[box.count++];
    memset(m, 0, sizeof(*m));
    sim_copy(m->from, sizeof(m->from), from);
    sim_copy(m->region, sizeof(m->region), region_name);
    sim_copy(m->to, sizeof(m->to), to);
    sim_copy(m->id, sizeof(m->id), id);
}

void sim_mail_accepted(const char *from, const char *to, const char *id)
{
    struct mail *m = find(from, to, id);
    if (!m || m->accepted)
        return;
    m->accepted = true;
    sim_counts.mails++;
}

/* A number of an inbox is one message, for ever; and a later one of the same sender has a higher one. */
static void compare(const struct mail *m)
{
    for (size_t i = 0; i < box.count && !sim.failed; i++) {
        const struct mail *o = &box.mail[i];
        if (o == m || o->seq == 0 || strcmp(o->to, m->to) != 0)
            continue;
        if (o->seq == m->seq)
            sim_fail("%s got %s and %s as number %llu", m->to, o->id, m->id, (unsigned long long)m->seq);
        else if (strcmp(o->from, m->from) == 0 && (o < m) != (o->seq < m->seq))
            sim_fail("%s got %s as number %llu and %s as %llu: the wrong way round", m->to, o->id, (unsigned long long)o->seq, m->id,
                     (unsigned long long)m->seq);
    }
}

void sim_mail_came(const char *to, const Meridian__Client__V1__DirectMessage *c)
{
    struct mail *m = find(c->from, to, c->message_id);
    if (!m)
        return;
    if (strncmp(c->text, m->id, strlen(m->id)) != 0 || strcmp(c->from_region, m->region) != 0)
        sim_fail("%s got %s as \"%s\" from %s, which is not what was sent", to, m->id, c->text, c->from_region);
    else if (m->seq != 0 && m->seq != c->seq)
        sim_fail("%s got %s twice, as number %llu and %llu", to, m->id, (unsigned long long)m->seq, (unsigned long long)c->seq);
    else if (m->undelivered)
        sim_fail("%s got %s, and its sender was told that it could not be delivered", to, m->id);
    if (sim.failed || m->seq != 0)
        return;
    m->seq = c->seq;
    sim_counts.mails_came++;
    compare(m);
}

void sim_mail_undelivered(const char *from, const Meridian__Client__V1__MessageUndelivered *u)
{
    struct mail *m = find(from, u->to, u->message_id);
    if (m && m->seq != 0)
        sim_fail("%s was told that %s could not be delivered, and it was", from, m->id);
    else if (m && !m->undelivered) {
        m->undelivered = true;
        sim_counts.undelivered++;
    }
}

static const struct mail *missing(void)
{
    for (size_t i = 0; i < box.count; i++)
        if (box.mail[i].accepted && !box.mail[i].undelivered && box.mail[i].seq == 0)
            return &box.mail[i];
    return NULL;
}

/* An outbox that has not been told yet of what was delivered. */
static void look_for_rest(void *ctx, const struct sim_key *key)
{
    const struct sim_key **rest = ctx;
    if (strncmp(key->name->data, "outbox:", 7) == 0 && strcmp(sim_key_field(key, "a"), sim_key_field(key, "n")) != 0)
        *rest = key;
}

static const struct sim_key *rest(void)
{
    const struct sim_key *found = NULL;
    sim_check_keys(look_for_rest, &found);
    return found;
}

bool sim_mail_all_settled(void)
{
    return missing() == NULL && rest() == NULL;
}

void sim_mail_check_end(void)
{
    const struct mail *m = missing();
    const struct sim_key *key = rest();
    if (m)
        sim_fail("message %s of %s to %s was accepted and has not come", m->id, m->from, m->to);
    else if (key)
        sim_fail("%s still holds what was delivered: up to %s is gone of %s", key->name->data, sim_key_field(key, "a"),
                 sim_key_field(key, "n"));
}
