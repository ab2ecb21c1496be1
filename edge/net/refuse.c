/* SPDX-License-Identifier: Apache-2.0
 * refuse.c - refusals before libh2o: a crowd that comes back again and again must cost less than the players who are in (R25).
 *
 * A request is usually there when its connection is accepted, the more so when the process is late. So it is looked at in the kernel's
 * buffer, and answered with one send. What was not read by us would make the kernel answer with a reset, which can overtake the answer at
 * the client: hence the read before the close. Owner: listen.c. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "edge/net/http_private.h"

enum { PEEK_BYTES = EDGE_HEAD_BYTES_MAX };

static void answer(struct edge_http *h, int fd)
{
    char body[128], text[512];
    uint32_t retry_ms = edge__http_retry_ms(h);
    int len =
        snprintf(body, sizeof(body),
                 "{\"error\":{\"code\":\"overloaded\",\"message\":\"too much to do: come back later\",\"retryAfterMs\":%u}}", retry_ms);
    int all = snprintf(text, sizeof(text),
                       "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: %u\r\ncache-control: no-store\r\n"
                       "content-type: application/json; charset=utf-8\r\ncontent-length: %d\r\n\r\n%s",
                       (retry_ms + 999) / 1000, len, body);
    edge__count(h->net, EDGE__M_HTTP_5XX);
    (void)!send(fd, text, (size_t)all, MSG_NOSIGNAL | MSG_DONTWAIT); /* a fresh socket has room; a peer that went needs no answer */
}

void edge__refuse_fd(struct edge_http *h, int fd)
{
    uint8_t *in = h->net->in;
    for (int i = 0; i < 2 && recv(fd, in, EDGE__IN_BYTES, MSG_DONTWAIT) == EDGE__IN_BYTES; i++)
        continue;
    answer(h, fd);
    close(fd);
}

static bool is_upgrade(const struct edge_http *h, const struct edge_head *head)
{
    for (size_t i = 0; i < h->conf.upgrade_count; i++)
        if (edge_text_is(head->path, h->conf.upgrades[i].path))
            return true;
    return false;
}

bool edge__refuse_early(struct edge_http *h, int fd, bool *let_in)
{
    const char *in = (const char *)h->net->in;
    struct edge_head head;
    ssize_t got = recv(fd, h->net->in, PEEK_BYTES, MSG_PEEK | MSG_DONTWAIT);
    if (got <= 0 || memmem(in, (size_t)got, "\r\n\r\n", 4) == NULL || edge_head_parse(in, (size_t)got, &head).status != 0 ||
        !is_upgrade(h, &head))
        return false; /* not there yet, or nothing that the gate decides */
    if (edge__http_lets_in(h, head.query)) {
        *let_in = true;
        return false;
    }
    edge__refuse_fd(h, fd);
    return true;
}
