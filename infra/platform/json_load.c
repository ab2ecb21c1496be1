/* SPDX-License-Identifier: Apache-2.0
 * json_load.c - text to jansson's tree, and the bounds that jansson does not know: depth, members, lengths, 53-bit numbers (C21).
 *
 * jansson refuses by itself: trailing data, duplicate names, raw control characters, lone surrogates, bad UTF-8, NUL, NaN, numbers over 64
 * bits. Its own depth limit (2048) bounds its stack; ours is looked at in the finished tree, whose size the caller's message limit bounds.
 * Next: json.c. */
#include <string.h>

#include "json_internal.h"

const struct mer_json_limits mer_json_limits_player = {.depth = 8, .members = 64, .string_bytes = 1024, .token_bytes = 4096};
const struct mer_json_limits mer_json_limits_server = {.depth = 8, .members = 4096, .string_bytes = 4096, .token_bytes = 4096};

/* 2^53 itself still passes as a number; a field holds less (json.c). */
#define NUMBER_MAX (MER_JSON_INT_MAX + 1)

static bool within(json_t *v, const struct mer_json_limits *l, size_t depth, size_t string_max);

static bool object_within(json_t *v, const struct mer_json_limits *l, size_t depth)
{
    if (depth > l->depth || json_object_size(v) > l->members)
        return false;
    const char *key;
    json_t *member;
    json_object_foreach(v, key, member)
    {
        if (strlen(key) > l->string_bytes)
            return false;
        if (!within(member, l, depth + 1, strcmp(key, "token") == 0 ? l->token_bytes : l->string_bytes))
            return false;
    }
    return true;
}

static bool array_within(json_t *v, const struct mer_json_limits *l, size_t depth)
{
    if (depth > l->depth || json_array_size(v) > l->members)
        return false;
    for (size_t i = 0; i < json_array_size(v); i++) {
        if (!within(json_array_get(v, i), l, depth + 1, l->string_bytes))
            return false;
    }
    return true;
}

static bool within(json_t *v, const struct mer_json_limits *l, size_t depth, size_t string_max)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return object_within(v, l, depth);
    case JSON_ARRAY:
        return array_within(v, l, depth);
    case JSON_STRING:
        return json_string_length(v) <= string_max;
    case JSON_INTEGER:
        return json_integer_value(v) <= NUMBER_MAX && json_integer_value(v) >= -NUMBER_MAX;
    case JSON_REAL:
        return json_real_value(v) <= (double)NUMBER_MAX && json_real_value(v) >= -(double)NUMBER_MAX;
    default:
        return true;
    }
}

json_t *mer__json_load(const char *text, size_t len, const struct mer_json_limits *limits, enum mer_json_fault *fault)
{
    json_error_t error;
    json_t *root = json_loadb(text ? text : "", len, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        *fault = json_error_code(&error) == json_error_out_of_memory ? MER_JSON_NOMEM : MER_JSON_BAD;
        return NULL;
    }
    if (!within(root, limits, 1, limits->string_bytes)) {
        json_decref(root);
        *fault = MER_JSON_BAD;
        return NULL;
    }
    return root;
}
