/* SPDX-License-Identifier: Apache-2.0
 * echo_floor.c - the least a WebSocket echo can cost: one epoll set, one buffer, a receive and a send a message, no timers, no limits, no
 * TLS, no checks but those without which nothing works. The edge is measured against this. Usage: echo_floor; prints its URL, serves until
 * SIGTERM. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

enum { BUFFER = 64 * 1024, EVENTS = 256, DESCRIPTORS = 4096 };

static uint8_t buffer[BUFFER], out[BUFFER];
static uint8_t upgraded[DESCRIPTORS];

static void shake_hands(int fd, const char *request)
{
    char text[128], accept[64], answer[256];
    unsigned char digest[SHA_DIGEST_LENGTH];
    const char *key = strcasestr(request, "sec-websocket-key: ");
    if (key == NULL)
        return;
    int n = snprintf(text, sizeof(text), "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + strlen("sec-websocket-key: "));
    SHA1((const unsigned char *)text, (size_t)n, digest);
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof(digest));
    n = snprintf(answer, sizeof(answer),
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                 accept);
    send(fd, answer, (size_t)n, MSG_NOSIGNAL);
    upgraded[fd] = 1;
}

/* Whole short frames only, which is what the bench sends. */
static size_t echo(uint8_t *p, size_t n)
{
    size_t made = 0;
    while (n >= 6 && n >= 6 + (size_t)(p[1] & 127)) {
        size_t len = p[1] & 127;
        out[made] = p[0];
        out[made + 1] = (uint8_t)len;
        for (size_t i = 0; i < len; i++)
            out[made + 2 + i] = p[6 + i] ^ p[2 + (i & 3)];
        made += 2 + len;
        p += 6 + len;
        n -= 6 + len;
    }
    return made;
}

static void serve(int fd)
{
    ssize_t got = recv(fd, buffer, sizeof(buffer) - 1, 0);
    if (got <= 0) {
        close(fd);
        upgraded[fd] = 0;
    } else if (!upgraded[fd]) {
        buffer[got] = '\0';
        shake_hands(fd, (const char *)buffer);
    } else {
        send(fd, out, echo(buffer, (size_t)got), MSG_NOSIGNAL);
    }
}

static void add(int epoll, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev);
}

static void on_term(int number)
{
    (void)number;
    _exit(0);
}

int main(void)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0), epoll = epoll_create1(0), on = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    signal(SIGTERM, on_term);
    if (bind(listener, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(listener, 1024) != 0)
        return 1;
    getsockname(listener, (struct sockaddr *)&a, &len);
    add(epoll, listener);
    printf("ws://127.0.0.1:%u/v1/echo\n", ntohs(a.sin_port));
    fflush(stdout);
    for (;;) {
        struct epoll_event ev[EVENTS];
        int n = epoll_wait(epoll, ev, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (ev[i].data.fd != listener) {
                serve(ev[i].data.fd);
                continue;
            }
            int fd = accept(listener, NULL, NULL);
            if (fd >= DESCRIPTORS) {
                close(fd);
            } else if (fd >= 0) {
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                add(epoll, fd);
            }
        }
    }
}
