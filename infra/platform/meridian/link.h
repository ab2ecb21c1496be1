/* SPDX-License-Identifier: Apache-2.0
 * link.h - one kind of connection between our own processes (architecture section 5): length-prefixed protobuf over a stream, hello with
 * version, identity and capabilities, heartbeats, credit flow control, sequence and acknowledgement, reconnect with jitter.
 *
 *   offset size  meaning
 *        0    4  length of what follows, big endian, 1..MER_LINK_FRAME_MAX
 *        4    n  packed internal.v1.LinkFrame
 *
 *   DOWN --dial/accept--> OPENING --hello both ways--> UP --silence 3 s, error, close--> DOWN (dialled links come back: 50 ms .. 2 s, full
 * jitter)
 *
 * A link loses what was in flight when it goes down; whoever needs more repeats by its own rules (requests carry ids and deadlines, proxies
 * attach again). Within one life of the link messages arrive in order, exactly once; a skipped sequence closes it.
 *
 * Two links of one pair (same incarnation): dialled by the same side, the newer wins; dialled by both at once, the one dialled by the
 * smaller incarnation, so that both sides keep the same. A dialled link that lost stays parked until its twin is down.
 *
 * Both ends are of one region, unless one of them is a geo agent or meridianctl, which belong to none; links that join regions
 * (between_regions) have ends in two.
 *
 * Whatever a peer sends wrongly closes the link with a logged, counted reason; nothing of a wrong frame has an effect. */
#pragma once

#include <meridian/log.h>
#include <meridian/metric.h>
#include <meridian/rng.h>
#include <meridian/stream.h>

enum {
    MER_LINK_FRAME_MAX = 64 * 1024,
    MER_LINK_HEARTBEAT_MS = 1000, /* architecture section 3 */
    MER_LINK_SILENCE_MS = 3000,
    MER_LINK_CREDIT = 4096,  /* messages a receiver takes before granting more */
    MER_LINK_HEADS_MAX = 64, /* of a frame around its payload: tags, sequence, acknowledgement, credit */
    MER_LINK_PAYLOAD_MAX = MER_LINK_FRAME_MAX - MER_LINK_HEADS_MAX,
    MER_LINK_QUEUE_MAX = 1024 * 1024, /* bytes that wait for the kernel or for credit */
    MER_LINK_ACCEPTED_MAX = 4096,     /* accepted links of a process; no special reason: far above a region's processes */
};

struct mer_link;
struct mer_links; /* all links of a process */

struct mer_link_peer { /* from the hello; borrowed while the link is up */
    uint32_t role;     /* internal.v1.Role */
    const char *region, *id, *incarnation;
};
struct mer_link_cbs {
    void (*on_up)(void *ctx, struct mer_link *l, const struct mer_link_peer *peer);
    void (*on_message)(void *ctx, struct mer_link *l, const uint8_t *payload, size_t len); /* borrowed */
    void (*on_down)(void *ctx, struct mer_link *l,
                    const char *why); /* after it an accepted link is gone; a dialled one tries again until closed */
};
struct mer_links_conf {
    struct mer_loop *loop;
    struct mer_log *log;
    struct mer_rng rng;
    struct mer_metrics *metrics;
    const struct mer_link_cbs *cbs;
    void *ctx;
    uint32_t role;
    const char *region, *id, *incarnation; /* kept */
    SSL_CTX *tls_client, *tls_server;      /* NULL: plain; ref'd */
    uint32_t peer_roles;                   /* bit (1 << role) of those that may be at the other end; 0: any */
    const char *name;                      /* what these links are, in names of metrics and the log: "bus"; kept; NULL: "peer" */
    uint32_t accepted_max;                 /* accepted links at a time; 0: MER_LINK_ACCEPTED_MAX */
    bool tls_identity;                     /* with TLS: the peer's certificate must say what its hello says (mer_tls_identity_is); its
                                              address does not matter then. An impostor is refused and counted */
    bool between_regions;                  /* the peer must be of another region than ours, instead of the same */
    /* The owner's own say about a hello that is right otherwise; NULL, or why this peer is refused. May be NULL. */
    const char *(*admit)(void *ctx, const struct mer_link *l, const struct mer_link_peer *peer);
};

MER_MUST_CHECK enum mer_err mer_links_create(struct mer_links **out, const struct mer_links_conf *conf);
/* Accept on an address. At most one a `links`. */
MER_MUST_CHECK enum mer_err mer_links_listen(struct mer_links *ls, const char *address, struct mer_msg *msg);
/* Other certificates for links that begin from now on; ref'd. Those that are up stay up. */
void mer_links_set_tls(struct mer_links *ls, SSL_CTX *client, SSL_CTX *server);
const char *mer_links_address(const struct mer_links *ls); /* of the last listen */
/* Dial and keep dialling. user: free for the caller (mer_link_user). */
MER_MUST_CHECK enum mer_err mer_link_dial(struct mer_links *ls, const char *address, void *user, struct mer_link **out);
/* Only this incarnation may answer a dialled link (text is copied); without it anybody with the right role. Call it right after the dial.
 */
MER_MUST_CHECK enum mer_err mer_link_expect(struct mer_link *l, const char *incarnation);
/* Queued until the end of the turn. MER_ECLOSED when not up, MER_EBUSY when MER_LINK_QUEUE_MAX waits for credit or for the kernel already,
 * MER_ERANGE for an empty payload or one over MER_LINK_PAYLOAD_MAX. */
MER_MUST_CHECK enum mer_err mer_link_send(struct mer_link *l, const void *payload, size_t len);
bool mer_link_is_up(const struct mer_link *l);
/* The last two dials found nobody, or somebody else, at the address: the process that was expected there is gone. Not just unreachable. */
bool mer_link_absent(const struct mer_link *l);
void *mer_link_user(const struct mer_link *l);
void mer_link_set_user(struct mer_link *l, void *user);
const struct mer_link_peer *mer_link_peer(const struct mer_link *l); /* NULL when not up */
/* Who is at the other end, by what he cannot choose himself, as text: "certificate NAME" (the subject's common name), "uid N" of who
 * connected to a unix socket, "" for neither. Printable ASCII, cut at size. */
void mer_link_who(const struct mer_link *l, char *out, size_t size);
/* Bytes that wait for credit or for the kernel; 0 when not up. */
size_t mer_link_queued(const struct mer_link *l);
/* Round trip, smoothed, asked once a second on links between regions; 0: not known (yet). */
uint32_t mer_link_rtt_us(const struct mer_link *l);
/* Idempotent within a turn. on_down comes from inside this call if it was up; a dialled link is forgotten; memory goes at the turn's end.
 */
void mer_link_close(struct mer_link *l);
/* The peer broke the protocol above the link: down now; a dialled link comes back by itself, an accepted one is gone. */
void mer_link_reset(struct mer_link *l);
/* Closes listener and links without further callbacks; memory goes at the turn's end. */
void mer_links_destroy(struct mer_links *ls);

/* The pure part: takes frames out of a byte stream. Holds less than one frame between feeds when every whole one was taken. */
struct mer_link_reader {
    struct mer_buf buf;
    size_t pos; /* start of what was not taken yet */
};
void mer_link_reader_init(struct mer_link_reader *r);
void mer_link_reader_deinit(struct mer_link_reader *r);
/* Forgets what was fed; memory kept. */
void mer_link_reader_clear(struct mer_link_reader *r);
MER_MUST_CHECK enum mer_err mer_link_reader_feed(struct mer_link_reader *r, const void *data, size_t len);
/* Next whole frame in what was fed: MER_OK with *frame (valid until the next feed), MER_EAGAIN when more bytes are needed, MER_EINVALID for
 * a length out of range: the stream cannot be read on. */
MER_MUST_CHECK enum mer_err mer_link_reader_next(struct mer_link_reader *r, const uint8_t **frame, size_t *len);
