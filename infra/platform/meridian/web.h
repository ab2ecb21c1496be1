/* SPDX-License-Identifier: Apache-2.0
 * web.h - pages that are compiled in: infra/cmake/EmbedFiles.cmake makes a table of these from a folder. */
#pragma once

#include <stddef.h>

struct mer_web_file {
    const char *path; /* "/index.html" */
    const unsigned char *data;
    size_t len;
};

/* What to call it, by its ending: a static string. */
const char *mer_web_type(const char *path);
