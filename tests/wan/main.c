/* SPDX-License-Identifier: Apache-2.0
 * main.c - meridian-wan: the emulated wide area, its control, and the way to ports of a namespace. README.md tells how to use it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/wan/emulate.h"
#include "tests/wan/forward.h"

static const char usage[] =
    "usage: meridian-wan run CONTROL SEED NODE...   joins nodes; a NODE is NAME,NETWORK,NETNS,DEVICE (NETNS empty: this namespace)\n"
    "       meridian-wan tell CONTROL WORD...       one command to a running one; its answer\n"
    "         set [both] A B KEY VALUE...   delay_ms jitter_ms loss_percent duplicate_percent reorder_percent rate_kbit (0: no limit)\n"
    "         cut [both] A B | heal [both] A B | heal | show           A or B may be '*'\n"
    "         add NODE | drop NAME          a node more, or one less; its links to others have no delay yet\n"
    "       meridian-wan forward NETNS,HOST:PORT... loopback ports of namespaces, reached here at the same address\n";

static volatile sig_atomic_t stop;

static void on_stop(int signal)
{
    (void)signal;
    stop = 1;
}

/* Comes when all devices are there: whoever waits for it may give them addresses. */
static void say_ready(void)
{
    puts("ready");
    fflush(stdout);
}

static int fail(const struct mer_msg *msg)
{
    fprintf(stderr, "meridian-wan: %s\n", msg->text);
    return 1;
}

static bool split(char *text, char **part, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((part[i] = strsep(&text, ",")) == NULL)
            return false;
    return text == NULL;
}

static int run(int argc, char **argv)
{
    struct wan_emulator *e = NULL;
    struct mer_msg msg = {""};
    enum mer_err err = wan_emulator_create(&e, argv[0], strtoull(argv[1], NULL, 10), &msg);
    for (int i = 2; i < argc && err == MER_OK; i++)
        err = wan_emulator_add(e, argv[i], &msg);
    if (err == MER_OK) {
        say_ready();
        err = wan_emulator_run(e, &stop, &msg);
    }
    wan_emulator_destroy(e);
    return err == MER_OK ? 0 : fail(&msg);
}

static int forward(int argc, char **argv)
{
    struct wan_forwarder *f = NULL;
    struct mer_msg msg = {""};
    char *part[2];
    enum mer_err err = wan_forwarder_create(&f, &msg);
    for (int i = 0; i < argc && err == MER_OK; i++) {
        if (split(argv[i], part, 2)) {
            err = wan_forwarder_add(f, part[0], part[1], &msg);
        } else {
            mer_msgf(&msg, "a port is NETNS,HOST:PORT");
            err = MER_EINVALID;
        }
    }
    if (err == MER_OK) {
        say_ready();
        err = wan_forwarder_run(f, &stop, &msg);
    }
    wan_forwarder_destroy(f);
    return err == MER_OK ? 0 : fail(&msg);
}

/* Prints the answer; 0 only when it ends with "ok". */
static int hear(FILE *stream)
{
    char line[1024];
    while (fgets(line, sizeof line, stream) != NULL) {
        if (strcmp(line, "ok\n") == 0)
            return 0;
        bool error = strncmp(line, "error: ", 7) == 0;
        fputs(line, error ? stderr : stdout);
        if (error)
            return 1;
    }
    fputs("meridian-wan: no whole answer\n", stderr);
    return 1;
}

static int tell(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[0]);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FILE *stream = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fdopen(fd, "r+") : NULL;
    if (stream == NULL) {
        perror(argv[0]);
        return 1;
    }
    for (int i = 1; i < argc; i++)
        fprintf(stream, "%s%s", argv[i], i + 1 < argc ? " " : "\n");
    fflush(stream);
    int code = hear(stream);
    fclose(stream);
    return code;
}

int main(int argc, char **argv)
{
    struct sigaction stopped = {.sa_handler = on_stop};
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "tell") == 0 && argc > 3)
        return tell(argc - 2, argv + 2);
    sigaction(SIGTERM, &stopped, NULL);
    sigaction(SIGINT, &stopped, NULL);
    if (strcmp(command, "run") == 0 && argc > 5)
        return run(argc - 2, argv + 2);
    if (strcmp(command, "forward") == 0 && argc > 2)
        return forward(argc - 2, argv + 2);
    fputs(usage, strcmp(command, "--help") == 0 ? stdout : stderr);
    return strcmp(command, "--help") == 0 ? 0 : 2;
}
