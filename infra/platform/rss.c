/* SPDX-License-Identifier: Apache-2.0
 * rss.c - see rss.h. Read from /proc and the control group's files; no limit there is written as "max" or as a number near 2^63. */
#include <meridian/rss.h>

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint64_t read_number(const char *path)
{
    uint64_t value = 0;
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return 0;
    if (fscanf(f, "%" SCNu64, &value) != 1)
        value = 0;
    fclose(f);
    return value;
}

uint64_t mer_rss_bytes(void)
{
    uint64_t pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL)
        return 0;
    if (fscanf(f, "%*u %" SCNu64, &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* "0::/path" (version 2) or "4:memory:/path" (version 1). */
static uint64_t group_limit(void)
{
    char line[PATH_MAX], file[PATH_MAX + 64];
    uint64_t limit = 0;
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f != NULL && limit == 0 && fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\n")] = 0;
        char *controllers = strchr(line, ':'), *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (path == NULL)
            continue;
        *path++ = 0;
        if (strcmp(controllers + 1, "memory") == 0)
            snprintf(file, sizeof(file), "/sys/fs/cgroup/memory%s/memory.limit_in_bytes", path);
        else if (controllers[1] == 0)
            snprintf(file, sizeof(file), "/sys/fs/cgroup%s/memory.max", path);
        else
            continue;
        limit = read_number(file);
    }
    if (f != NULL)
        fclose(f);
    return limit;
}

uint64_t mer_rss_limit_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE), cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t share = pages > 0 && page > 0 && cores > 0 ? (uint64_t)pages * (uint64_t)page / (uint64_t)cores : 0, group = group_limit();
    return group != 0 && (group < share || share == 0) ? group : share;
}
