/* SPDX-License-Identifier: Apache-2.0
 * shown.c - see shown.h. Owner: take.c. */
#include "edge/session/shown.h"

#include <string.h>

#define CM(x) Meridian__Client__V1__##x
#define BODY(x) MERIDIAN__CLIENT__V1__SERVER_MESSAGE__BODY_##x

/* Game and version of a message about a game: all of them call the fields so. */
static bool game_of(const CM(ServerMessage) * m, const char **game, uint64_t *version)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(m->base.descriptor, m->body_case);
    if (f == NULL || f->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    const ProtobufCMessage *body = *(const ProtobufCMessage *const *)((const char *)m + f->offset);
    const ProtobufCFieldDescriptor *id = protobuf_c_message_descriptor_get_field_by_name(body->descriptor, "game_id");
    const ProtobufCFieldDescriptor *v = protobuf_c_message_descriptor_get_field_by_name(body->descriptor, "version");
    if (id == NULL || v == NULL)
        return false;
    *game = *(const char *const *)((const char *)body + id->offset);
    memcpy(version, (const char *)body + v->offset, sizeof(*version));
    return true;
}

/* Where the game stands; EDGE_SHOWN_GAMES: nowhere. */
static size_t find(const struct edge_shown *sh, const char *game)
{
    for (size_t i = 0; i < sh->count; i++)
        if (strcmp(sh->game[i].id, game) == 0)
            return i;
    return EDGE_SHOWN_GAMES;
}

void edge_shown_version(struct edge_shown *sh, const char *game, uint64_t version)
{
    size_t i = find(sh, game);
    if (i == EDGE_SHOWN_GAMES && (sh->count == EDGE_SHOWN_GAMES || strlen(game) > EDGE_ID_MAX))
        return;
    if (i == EDGE_SHOWN_GAMES) {
        i = sh->count++;
        strcpy(sh->game[i].id, game); /* length checked above */
        sh->game[i].version = 0;
    }
    if (version > sh->game[i].version)
        sh->game[i].version = version;
}

void edge_shown_note(struct edge_shown *sh, const CM(ServerMessage) * m)
{
    const char *game;
    uint64_t version;
    if (game_of(m, &game, &version))
        edge_shown_version(sh, game, version);
}

bool edge_shown_told(const struct edge_shown *sh, const CM(ServerMessage) * m)
{
    const char *game;
    uint64_t version;
    size_t i;
    if (m->body_case == BODY(MATCHED))
        return find(sh, m->matched->game_id) != EDGE_SHOWN_GAMES; /* its game_state may be left out: never a `matched` without one */
    if (m->body_case == BODY(GAME_PAUSED) || !game_of(m, &game, &version))
        return false;
    i = find(sh, game);
    return i != EDGE_SHOWN_GAMES && version <= sh->game[i].version;
}
