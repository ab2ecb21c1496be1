/* SPDX-License-Identifier: Apache-2.0
 * list.h - intrusive circular list. A node that is in no list points to itself, so removing twice is harmless. */
#pragma once

#include <meridian/base.h>

struct mer_list {
    struct mer_list *prev, *next;
};

static inline void mer_list_init(struct mer_list *l)
{
    l->prev = l->next = l;
}
static inline bool mer_list_empty(const struct mer_list *l)
{
    return l->next == l;
}
static inline void mer_list_insert_before(struct mer_list *pos, struct mer_list *node)
{
    node->prev = pos->prev;
    node->next = pos;
    pos->prev->next = node;
    pos->prev = node;
}
static inline void mer_list_push_back(struct mer_list *head, struct mer_list *node)
{
    mer_list_insert_before(head, node);
}
static inline void mer_list_push_front(struct mer_list *head, struct mer_list *node)
{
    mer_list_insert_before(head->next, node);
}
static inline void mer_list_remove(struct mer_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    mer_list_init(node);
}
/* Moves all nodes of `from` to the end of `to`. */
static inline void mer_list_move_all(struct mer_list *to, struct mer_list *from)
{
    if (mer_list_empty(from))
        return;
    from->next->prev = to->prev;
    from->prev->next = to;
    to->prev->next = from->next;
    to->prev = from->prev;
    mer_list_init(from);
}

#define MER_LIST_ENTRY(node, type, member) MER_CONTAINER_OF(node, type, member)
#define MER_LIST_EACH(it, head) for (struct mer_list *it = (head)->next; it != (head); it = it->next)
/* Survives removal of the current node, not of the next one. */
#define MER_LIST_EACH_SAFE(it, head) \
    for (struct mer_list *it = (head)->next, *it##_next = it->next; it != (head); it = it##_next, it##_next = it->next)
