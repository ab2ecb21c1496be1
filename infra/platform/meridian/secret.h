/* SPDX-License-Identifier: Apache-2.0
 * secret.h - a secret kept in a file of its own, as systemd's credentials and mounted secrets are. */
#pragma once

#include <meridian/err.h>

enum { MER_SECRET_MAX = 511 }; /* bytes */

/* The file's first line without its end (LF or CRLF), 1 to MER_SECRET_MAX bytes; the caller's, for mer_secret_free. MER_EIO when the file
 * cannot be read, MER_EINVALID when that line is empty or longer: msg says so and *secret is NULL. An empty path is no secret: MER_OK,
 * NULL. */
MER_MUST_CHECK enum mer_err mer_secret_read(const char *path, char **secret, struct mer_msg *msg);
/* Overwrites it first. NULL is fine. */
void mer_secret_free(char **secret);
