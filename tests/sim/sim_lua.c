/* SPDX-License-Identifier: Apache-2.0
 * sim_lua.c - see sim_lua.h. redis.call runs on the calling node's keys; its writes are the effects that are replicated, as Redis does it.
 * An error inside a function is an error reply; what it wrote before stays, as in Redis. */
#include "tests/sim/sim_lua.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include <meridian/buf.h>
#include <meridian/mem.h>

enum { ARGS_MAX = 96 };

static lua_State *lua;
static char *library;
static const struct sim_lua_env *running;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "sim: the function library: %s\n", what);
    exit(2);
}

static int register_function(lua_State *l)
{
    if (lua_istable(l, 1)) {
        lua_getfield(l, 1, "callback");
        lua_getfield(l, 1, "function_name");
    } else {
        lua_pushvalue(l, 2);
        lua_pushvalue(l, 1);
    }
    lua_getfield(l, LUA_REGISTRYINDEX, "functions");
    lua_pushvalue(l, -2); /* name */
    lua_pushvalue(l, -4); /* function */
    lua_settable(l, -3);
    return 0;
}

static void push_reply(lua_State *l, const struct sim_reply *r)
{
    switch (r->kind) {
    case SIM_INT:
        lua_pushnumber(l, (lua_Number)r->integer);
        return;
    case SIM_STR:
        lua_pushlstring(l, r->str->data, r->str->len);
        return;
    case SIM_STATUS:
        lua_newtable(l);
        lua_pushstring(l, r->text);
        lua_setfield(l, -2, "ok");
        return;
    case SIM_ARRAY:
        lua_createtable(l, (int)r->count, 0);
        for (size_t i = 0; i < r->count; i++) {
            if (r->item[i])
                lua_pushlstring(l, r->item[i]->data, r->item[i]->len);
            else
                lua_pushboolean(l, 0);
            lua_rawseti(l, -2, (int)i + 1);
        }
        return;
    default:
        lua_pushboolean(l, 0);
    }
}

/* A number becomes text as Redis makes it: an integer has no point. */
static struct sim_str *argument(lua_State *l, int i)
{
    size_t len;
    if (lua_type(l, i) == LUA_TNUMBER) {
        char text[64];
        snprintf(text, sizeof(text), "%.17g", (double)lua_tonumber(l, i));
        return sim_str_new(text, strlen(text));
    }
    const char *s = lua_tolstring(l, i, &len);
    return s ? sim_str_new(s, len) : NULL;
}

static int redis_call(lua_State *l)
{
    struct sim_str *argv[ARGS_MAX];
    struct sim_reply r;
    struct sim_effect *e;
    int argc = lua_gettop(l);
    if (argc < 1 || argc > ARGS_MAX)
        return luaL_error(l, "ERR wrong number of arguments");
    for (int i = 0; i < argc; i++)
        if (!(argv[i] = argument(l, i + 1)))
            return luaL_error(l, "ERR Lua redis lib command arguments must be strings or integers");
    sim_keys_exec(running->keys, running->now_ms, argc, argv, &r, &e);
    for (int i = 0; i < argc; i++)
        sim_str_unref(argv[i]);
    if (e)
        running->effect(running->ctx, e);
    if (r.kind == SIM_ERROR)
        return luaL_error(l, "%s", r.text);
    push_reply(l, &r);
    sim_reply_clear(&r);
    return 1;
}

static int table_reply(lua_State *l, const char *field)
{
    lua_newtable(l);
    lua_pushvalue(l, 1);
    lua_setfield(l, -2, field);
    return 1;
}

static int error_reply(lua_State *l)
{
    return table_reply(l, "err");
}

static int status_reply(lua_State *l)
{
    return table_reply(l, "ok");
}

static void load(void)
{
    static const luaL_Reg functions[] = {
        {"call", redis_call},         {"pcall", redis_call},          {"register_function", register_function},
        {"error_reply", error_reply}, {"status_reply", status_reply}, {NULL, NULL}};
    if (lua)
        lua_close(lua);
    lua = luaL_newstate();
    if (!lua)
        die("no memory");
    luaL_openlibs(lua);
    lua_gc(lua, LUA_GCSETPAUSE, 1000); /* a seed is short */
    lua_newtable(lua);
    lua_setfield(lua, LUA_REGISTRYINDEX, "functions");
    luaL_register(lua, "redis", functions);
    const char *text = library;
    if (strncmp(text, "#!", 2) == 0)
        text += strcspn(text, "\n");
    if (luaL_loadbuffer(lua, text, strlen(text), "meridian1") || lua_pcall(lua, 0, 0, 0))
        die(lua_tostring(lua, -1));
    lua_settop(lua, 0);
}

void sim_lua_init(const char *file)
{
    FILE *f = fopen(file, "re");
    if (!f)
        die("cannot be read");
    library = mer_xcalloc(1, 256 * 1024);
    if (fread(library, 1, 256 * 1024 - 1, f) == 0)
        die("is empty");
    fclose(f);
    load();
}

void sim_lua_patch(const char *from, const char *to)
{
    char *at = strstr(library, from);
    if (!at)
        die("a planted bug does not fit it any more");
    size_t tail = strlen(at + strlen(from)) + 1;
    memmove(at + strlen(to), at + strlen(from), tail);
    memcpy(at, to, strlen(to));
    load();
}

/* One letter and a number: printf would be a tenth of the simulator's time. */
static void append_number(struct mer_buf *out, char kind, long long n)
{
    char text[32], *at = text + sizeof(text);
    unsigned long long rest = n < 0 ? 0 - (unsigned long long)n : (unsigned long long)n;
    *--at = '\n';
    *--at = '\r';
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (n < 0)
        *--at = '-';
    *--at = kind;
    MER_ASSERT(mer_buf_append(out, at, (size_t)(text + sizeof(text) - at)) == MER_OK);
}

static void bulk(struct mer_buf *out, const char *s, size_t len)
{
    append_number(out, '$', (long long)len);
    MER_ASSERT(mer_buf_append(out, s, len) == MER_OK && mer_buf_append(out, "\r\n", 2) == MER_OK);
}

/* The value on top of the stack, as RESP. */
static void write_value(struct mer_buf *out)
{
    size_t len;
    const char *s;
    switch (lua_type(lua, -1)) {
    case LUA_TSTRING:
        s = lua_tolstring(lua, -1, &len);
        bulk(out, s, len);
        return;
    case LUA_TNUMBER:
        append_number(out, ':', (long long)lua_tonumber(lua, -1));
        return;
    case LUA_TBOOLEAN:
        if (lua_toboolean(lua, -1))
            append_number(out, ':', 1);
        else
            append_number(out, '$', -1);
        return;
    case LUA_TTABLE:
        break;
    default:
        append_number(out, '$', -1);
        return;
    }
    static const char *const special[] = {"err", "ok"};
    for (int i = 0; i < 2; i++) {
        lua_getfield(lua, -1, special[i]);
        if ((s = lua_tostring(lua, -1)))
            MER_ASSERT(mer_buf_appendf(out, "%c%s\r\n", i == 0 ? '-' : '+', s) == MER_OK);
        lua_pop(lua, 1);
        if (s)
            return;
    }
    int n = 0;
    for (;; n++) {
        lua_rawgeti(lua, -1, n + 1);
        bool end = lua_isnil(lua, -1);
        lua_pop(lua, 1);
        if (end)
            break;
    }
    append_number(out, '*', n);
    for (int i = 1; i <= n; i++) {
        lua_rawgeti(lua, -1, i);
        write_value(out);
        lua_pop(lua, 1);
    }
}

static void push_table(int from, int to, struct sim_str *const *argv)
{
    lua_createtable(lua, to > from ? to - from : 0, 0);
    for (int i = from; i < to; i++) {
        lua_pushlstring(lua, argv[i]->data, argv[i]->len);
        lua_rawseti(lua, -2, i - from + 1);
    }
}

void sim_lua_call(const struct sim_lua_env *env, int argc, struct sim_str *const *argv, struct mer_buf *out)
{
    int keys = argc > 2 ? atoi(argv[2]->data) : 0;
    lua_settop(lua, 0);
    lua_getfield(lua, LUA_REGISTRYINDEX, "functions");
    lua_getfield(lua, -1, argv[1]->data);
    if (!lua_isfunction(lua, -1)) {
        MER_ASSERT(mer_buf_appends(out, "-ERR Function not found\r\n") == MER_OK);
        return;
    }
    push_table(3, 3 + keys, argv);
    push_table(3 + keys, argc, argv);
    running = env;
    if (lua_pcall(lua, 2, 1, 0)) {
        sim_fail("the function %s failed: %s", argv[1]->data, lua_tostring(lua, -1));
        MER_ASSERT(mer_buf_appends(out, "-ERR user_function\r\n") == MER_OK);
    } else
        write_value(out);
    lua_settop(lua, 0);
    running = NULL;
}
