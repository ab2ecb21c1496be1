/* SPDX-License-Identifier: Apache-2.0
 * sim_lua.h - Redis functions: the project's own library (infra/redis/meridian1.lua) in Lua 5.1, the interpreter Redis has inside. */
#pragma once

#include "tests/sim/sim_keys.h"

/* Loads the library's text. At start, before the first fork; dies when it cannot. */
void sim_lua_init(const char *file);
/* Replaces `from` by `to` in the library and loads it again: a planted bug. */
void sim_lua_patch(const char *from, const char *to);

/* Where a call runs. effect() gets every write, in order (its reference is taken). */
struct sim_lua_env {
    struct sim_keys *keys;
    uint64_t now_ms;
    void (*effect)(void *ctx, struct sim_effect *e);
    void *ctx;
};
/* FCALL name numkeys key... arg...; appends the RESP reply to out. */
struct mer_buf;
void sim_lua_call(const struct sim_lua_env *env, int argc, struct sim_str *const *argv, struct mer_buf *out);
