/* SPDX-License-Identifier: Apache-2.0
 * keys.c - meridian-keys: makes a key pair for signing tokens, and adds its public half to the set that the edges accept.
 *
 * The private set is written once, readable by its owner only, and never overwritten: a lost signing key logs everybody out. The public set
 * grows instead, which is how keys are rotated: add the new public half everywhere (SIGHUP), sign with the new key, drop the old half when
 * the last token signed with it has expired. Files are replaced whole, so a server that reloads never reads half a set. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include <meridian/buf.h>
#include <meridian/token.h>

static const char usage[] =
    "usage: meridian-keys ES256|EdDSA KID PRIVATE.jwks PUBLIC.jwks\n"
    "Makes a key pair. PRIVATE is created (an existing file is never overwritten), the public half is added to PUBLIC.\n";

static int failed(const char *file, const char *why)
{
    fprintf(stderr, "meridian-keys: %s: %s\n", file, why);
    return 1;
}

/* Writes a new file whole; 0 or an exit code. O_EXCL keeps what is there. */
static int write_file(const char *file, mode_t mode, const void *data, size_t len)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return failed(file, strerror(errno));
    ssize_t n = write(fd, data, len);
    int bad = n != (ssize_t)len || fsync(fd) != 0;
    if (close(fd) != 0 || bad) {
        unlink(file);
        return failed(file, "could not be written");
    }
    return 0;
}

/* The set in `file`, or a new one when there is no such file; NULL (told) when it is no set. */
static json_t *load_set(const char *file)
{
    if (access(file, F_OK) != 0)
        return json_pack("{s:[]}", "keys");
    json_error_t err;
    json_t *set = json_load_file(file, JSON_REJECT_DUPLICATES, &err);
    if (set && !json_is_array(json_object_get(set, "keys"))) {
        json_decref(set);
        set = NULL;
    }
    if (!set)
        failed(file, "is not a JWKS");
    return set;
}

static bool has_kid(const json_t *set, const char *kid)
{
    size_t i;
    json_t *key;
    json_array_foreach(json_object_get(set, "keys"), i, key)
    {
        const char *have = json_string_value(json_object_get(key, "kid"));
        if (have && strcmp(have, kid) == 0)
            return true;
    }
    return false;
}

/* Adds the keys of `added` and replaces `file` whole; 0 or an exit code. */
static int save_set(const char *file, json_t *set, const struct mer_buf *added)
{
    json_t *more = json_loadb((const char *)added->data, added->len, 0, NULL);
    json_array_extend(json_object_get(set, "keys"), json_object_get(more, "keys"));
    json_decref(more);
    char *text = json_dumps(set, JSON_INDENT(2));
    char fresh[4096];
    int n = snprintf(fresh, sizeof(fresh), "%s.new", file);
    if (!text || n < 0 || (size_t)n >= sizeof(fresh)) {
        free(text);
        return failed(file, "could not be written");
    }
    unlink(fresh);
    int code = write_file(fresh, 0644, text, strlen(text));
    free(text);
    if (code == 0 && rename(fresh, file) != 0)
        code = failed(file, strerror(errno));
    return code;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fputs(usage, argc == 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr);
        return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    const char *alg = argv[1], *kid = argv[2], *private_file = argv[3], *public_file = argv[4];
    struct mer_buf secret, open_half;
    mer_buf_init(&secret, 0);
    mer_buf_init(&open_half, 0);
    int code = 1;
    json_t *set = load_set(public_file);
    if (!set)
        goto out;
    if (has_kid(set, kid)) {
        failed(public_file, "has a key of that kid already");
        goto out;
    }
    enum mer_err err = mer_keys_generate(alg, kid, &secret, &open_half);
    if (err != MER_OK) {
        failed(alg, err == MER_EINVALID ? "must be ES256 or EdDSA" : mer_err_text(err));
        goto out;
    }
    code = write_file(private_file, 0600, secret.data, secret.len);
    if (code == 0)
        code = save_set(public_file, set, &open_half);
out:
    json_decref(set);
    mer_buf_deinit(&secret);
    mer_buf_deinit(&open_half);
    return code;
}
