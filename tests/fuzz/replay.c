/* SPDX-License-Identifier: Apache-2.0
 * replay.c - main of a fuzz target without libFuzzer: runs every file of the folders (or the files) named, and every prefix of each, which
 * finds most of what a truncated input can do. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { FILE_MAX_BYTES = 64 * 1024, PATH_BYTES = 4096 };

/* 1 when the file was run, 0 when it cannot be read or is too long. */
static unsigned run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = f ? malloc(FILE_MAX_BYTES + 1) : NULL;
    size_t len = data ? fread(data, 1, FILE_MAX_BYTES + 1, f) : 0;
    bool good = data && !ferror(f) && len <= FILE_MAX_BYTES;
    if (f)
        fclose(f);
    for (size_t n = 0; good && n <= len; n++) {
        uint8_t *exact = malloc(n ? n : 1); /* so that a sanitizer sees one byte too far */
        if (!exact)
            abort();
        memcpy(exact, data, n);
        LLVMFuzzerTestOneInput(exact, n);
        free(exact);
    }
    free(data);
    return good;
}

/* How many files of the folder were run; a name that is no folder is a file. */
static unsigned run_path(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    unsigned runs = 0;
    if (!dir)
        return run_file(path);
    while ((entry = readdir(dir))) {
        char file[PATH_BYTES];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        runs += run_file(file);
    }
    closedir(dir);
    return runs;
}

int main(int argc, char **argv)
{
    unsigned runs = 0;
    for (int i = 1; i < argc; i++)
        runs += run_path(argv[i]);
    printf("%u inputs replayed\n", runs);
    return runs > 0 ? 0 : 1; /* an empty corpus proves nothing */
}
