/* SPDX-License-Identifier: Apache-2.0
 * keys.c - meridian-keys: makes a key pair for signing tokens, and adds its public half to the set that the edges accept; takes a half out.
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
    "       meridian-keys drop KID PUBLIC.jwks\n"
    "Makes a key pair. PRIVATE is created (an existing file is never overwritten), the public half is added to PUBLIC.\n"
    "drop takes a public half out of PUBLIC, but never the last one.\n";

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

/* Where the key of that kid is in the set; -1: there is none. */
static int find_kid(const json_t *set, const char *kid)
{
    size_t i;
    json_t *key;
    json_array_foreach(json_object_get(set, "keys"), i, key)
    {
        const char *have = json_string_value(json_object_get(key, "kid"));
        if (have && strcmp(have, kid) == 0)
            return (int)i;
    }
    return -1;
}

/* Replaces `file` whole; 0 or an exit code. */
static int save_set(const char *file, const json_t *set)
{
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

static int make(const char *alg, const char *kid, const char *private_file, const char *public_file)
{
    struct mer_buf secret, open_half;
    mer_buf_init(&secret, 0);
    mer_buf_init(&open_half, 0);
    int code = 1;
    json_t *set = load_set(public_file);
    if (!set)
        goto out;
    if (find_kid(set, kid) >= 0) {
        failed(public_file, "has a key of that kid already");
        goto out;
    }
    enum mer_err err = mer_keys_generate(alg, kid, &secret, &open_half);
    if (err != MER_OK) {
        failed(alg, err == MER_EINVALID ? "must be ES256 or EdDSA" : mer_err_text(err));
        goto out;
    }
    code = write_file(private_file, 0600, secret.data, secret.len);
    if (code == 0) {
        json_t *more = json_loadb((const char *)open_half.data, open_half.len, 0, NULL);
        json_array_extend(json_object_get(set, "keys"), json_object_get(more, "keys"));
        json_decref(more);
        code = save_set(public_file, set);
    }
out:
    json_decref(set);
    mer_buf_deinit(&secret);
    mer_buf_deinit(&open_half);
    return code;
}

static int drop(const char *kid, const char *public_file)
{
    json_t *set = load_set(public_file);
    if (!set)
        return 1;
    json_t *keys = json_object_get(set, "keys");
    int at = find_kid(set, kid), code;
    if (at < 0)
        code = failed(public_file, "has no key of that kid");
    else if (json_array_size(keys) == 1)
        code = failed(public_file, "has no other key: without one nobody could log in");
    else if (json_array_remove(keys, (size_t)at) != 0)
        code = failed(public_file, "could not be changed");
    else
        code = save_set(public_file, set);
    json_decref(set);
    return code;
}

int main(int argc, char **argv)
{
    bool help = argc == 2 && strcmp(argv[1], "--help") == 0;
    if (argc == 4 && strcmp(argv[1], "drop") == 0)
        return drop(argv[2], argv[3]);
    if (argc == 5)
        return make(argv[1], argv[2], argv[3], argv[4]);
    fputs(usage, help ? stdout : stderr);
    return help ? 0 : 2;
}
