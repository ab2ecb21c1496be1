/* SPDX-License-Identifier: Apache-2.0
 * admin_fix.h - an admin port on a real loop and socket, and who asks it. */
#pragma once

#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <meridian/admin.h>

#include "metric_moved.h"

struct fix {
    struct mer_loop loop;
    struct mer_log log;
    struct mer_metrics metrics;
    struct mer_process process;
    struct mer_admin *admin;
    char answer[65536];
    char query[64];
    int drains;
    int asked, mood; /* of a stream: how often, and how it answers */
};

static inline int set_up(void **state)
{
    struct fix *f = calloc(1, sizeof(*f));
    struct mer_msg msg;

    assert_int_equal(mer_loop_init(&f->loop, mer_clock_system()), 0);
    mer_log_init(&f->log, open("/dev/null", O_WRONLY), MER_INFO, mer_clock_system());
    mer_metrics_init(&f->metrics);
    mer_metrics_add_process(&f->metrics, &f->loop);
    mer_process_init(&f->process, &f->loop, &f->log, &f->metrics);
    assert_int_equal(mer_admin_open(&f->admin, &f->loop, &f->process, &f->metrics, "127.0.0.1:0", &msg), MER_OK);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fix *f = *state;

    mer_admin_close(f->admin);
    mer_process_deinit(&f->process);
    mer_loop_deinit(&f->loop);
    close(f->log.fd);
    free(f);
    return 0;
}

static inline int dial(struct fix *f)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)mer_admin_port(f->admin)), .sin_addr.s_addr = htonl(0x7F000001)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Sends the text and turns the loop until the server has closed; the answer is in f->answer. */
static inline void ask(struct fix *f, const char *text)
{
    size_t len = 0;
    ssize_t n = 0;
    int fd = dial(f);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    for (int i = 0; i < 5000 && n != -2; i++) {
        uv_run(&f->loop.uv, UV_RUN_NOWAIT);
        n = read(fd, f->answer + len, sizeof(f->answer) - 1 - len);
        if (n > 0)
            len += (size_t)n;
        else if (n == 0)
            n = -2;
        else
            usleep(1000);
    }
    f->answer[len] = '\0';
    assert_int_equal(n, -2);
    close(fd);
}

#define assert_answer(f, want) \
    do { \
        if (!strstr((f)->answer, (want))) \
            fail_msg("\"%s\" is not in \"%s\"", (want), (f)->answer); \
    } while (0)
#define REQ(method, path) method " " path " HTTP/1.1\r\nhost: localhost\r\n\r\n"
