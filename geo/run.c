/* SPDX-License-Identifier: Apache-2.0
 * run.c - run.h. gdnsd is in /usr/sbin, which is not in everybody's PATH. */
#include "geo/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void child(const char *const *argv, int to)
{
    dup2(to, STDOUT_FILENO);
    dup2(to, STDERR_FILENO);
    close(to);
    execvp(argv[0], (char *const *)argv);
    char path[256];
    snprintf(path, sizeof path, "/usr/sbin/%s", argv[0]);
    execv(path, (char *const *)argv);
    _exit(127);
}

enum mer_err geo_run(const char *const *argv, struct mer_buf *out, int *code)
{
    int fd[2], status = 0;
    if (pipe(fd) != 0)
        return MER_EIO;
    pid_t pid = fork();
    if (pid == 0) {
        close(fd[0]);
        child(argv, fd[1]);
    }
    close(fd[1]);
    enum mer_err err = pid < 0 ? MER_EIO : MER_OK;
    char block[4096];
    ssize_t n;
    while (pid > 0 && ((n = read(fd[0], block, sizeof block)) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0 && err == MER_OK)
            err = mer_buf_append(out, block, (size_t)n);
    close(fd[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (pid > 0)
        *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return err;
}
