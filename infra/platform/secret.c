/* SPDX-License-Identifier: Apache-2.0 */
#include <meridian/secret.h>

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include <meridian/mem.h>

static enum mer_err take(const char *line, const char *path, char **secret, struct mer_msg *msg)
{
    size_t len = strcspn(line, "\r\n");
    if (len == 0 || len > MER_SECRET_MAX) {
        mer_msgf(msg, "%s: its first line has to be the secret, of 1 to %d bytes", path, MER_SECRET_MAX);
        return MER_EINVALID;
    }
    *secret = mer_xcalloc(len + 1, 1);
    memcpy(*secret, line, len);
    return MER_OK;
}

enum mer_err mer_secret_read(const char *path, char **secret, struct mer_msg *msg)
{
    char line[MER_SECRET_MAX + 2] = ""; /* a byte more, so that one too long is seen */
    *secret = NULL;
    if (path[0] == 0)
        return MER_OK;
    FILE *f = fopen(path, "re");
    bool ok = f != NULL && (fgets(line, sizeof line, f) != NULL || feof(f));
    if (f != NULL)
        fclose(f);
    if (!ok) {
        mer_msgf(msg, "%s: no secret can be read from it", path);
        return MER_EIO;
    }
    enum mer_err err = take(line, path, secret, msg);
    OPENSSL_cleanse(line, sizeof line);
    return err;
}

void mer_secret_free(char **secret)
{
    if (*secret != NULL)
        OPENSSL_cleanse(*secret, strlen(*secret));
    mer_free(secret);
}
