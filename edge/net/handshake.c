/* SPDX-License-Identifier: Apache-2.0
 * handshake.c - request heads and upgrades. Strict where a proxy in front could read the same bytes differently (folding, spaces before the
 * colon, two hosts, a declared body on an upgrade); lenient only about a bare LF as line end, which libh2o's parser takes too and which
 * cannot change where a head ends here: both of us read the same bytes to the same empty line. */
#include "edge/net/handshake.h"

#include <string.h>
#include <strings.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

bool edge_text_is(struct edge_text t, const char *s)
{
    return t.len == strlen(s) && memcmp(t.p, s, t.len) == 0;
}

bool edge_text_is_nocase(struct edge_text t, const char *s)
{
    return t.len == strlen(s) && strncasecmp(t.p, s, t.len) == 0;
}

static struct edge_refusal fine(void)
{
    return (struct edge_refusal){0, NULL, NULL};
}
static struct edge_refusal bad(const char *message)
{
    return (struct edge_refusal){400, "bad_request", message};
}

static bool is_tchar(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct edge_text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (!is_tchar((unsigned char)t.p[i]))
            return false;
    return t.len != 0;
}

static struct edge_text trim(struct edge_text t)
{
    while (t.len != 0 && (t.p[0] == ' ' || t.p[0] == '\t'))
        t.p++, t.len--;
    while (t.len != 0 && (t.p[t.len - 1] == ' ' || t.p[t.len - 1] == '\t'))
        t.len--;
    return t;
}

/* The next line without its end; false when there is none. */
static bool next_line(struct edge_text *rest, struct edge_text *line)
{
    const char *lf = memchr(rest->p, '\n', rest->len);
    if (lf == NULL)
        return false;
    *line = (struct edge_text){rest->p, (size_t)(lf - rest->p)};
    rest->len -= line->len + 1;
    rest->p = lf + 1;
    if (line->len != 0 && line->p[line->len - 1] == '\r')
        line->len--;
    return true;
}

static struct edge_text cut(struct edge_text *rest, char at)
{
    const char *end = memchr(rest->p, at, rest->len);
    struct edge_text part = {rest->p, end != NULL ? (size_t)(end - rest->p) : rest->len};
    size_t skip = part.len + (end != NULL);
    rest->p += skip;
    rest->len -= skip;
    return part;
}

static struct edge_refusal parse_request_line(struct edge_text line, struct edge_head *h)
{
    h->method = cut(&line, ' ');
    struct edge_text target = cut(&line, ' ');
    if (!is_token(h->method) || target.len == 0 || target.p[0] != '/')
        return bad("the request line is not understood");
    for (size_t i = 0; i < target.len; i++)
        if (target.p[i] < 0x21 || target.p[i] > 0x7e)
            return bad("the request target has characters that must be escaped");
    if (line.len != 8 || memcmp(line.p, "HTTP/1.", 7) != 0 || line.p[7] < '0' || line.p[7] > '9')
        return (struct edge_refusal){505, "http_version", "HTTP/1.1 is spoken here"};
    h->minor = (uint8_t)(line.p[7] - '0');
    h->path = cut(&target, '?');
    h->query = target;
    return fine();
}

static struct edge_refusal parse_field(struct edge_text line, struct edge_head *h)
{
    if (line.p[0] == ' ' || line.p[0] == '\t')
        return bad("folded header lines are not taken");
    if (h->field_count == EDGE_HEAD_FIELDS_MAX)
        return (struct edge_refusal){431, "headers_too_large", "too many header fields"};
    const char *colon = memchr(line.p, ':', line.len);
    if (colon == NULL)
        return bad("a header line has no colon");
    struct edge_field *f = &h->field[h->field_count];
    f->name = (struct edge_text){line.p, (size_t)(colon - line.p)};
    f->value = trim((struct edge_text){colon + 1, line.len - f->name.len - 1});
    if (!is_token(f->name))
        return bad("a header name is not a token");
    for (size_t i = 0; i < f->value.len; i++) {
        unsigned char c = (unsigned char)f->value.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return bad("a header value has control characters");
    }
    h->field_count++;
    if (edge_text_is_nocase(f->name, "host")) {
        h->host = f->value;
        h->hosts++;
    }
    return fine();
}

struct edge_refusal edge_head_parse(const char *p, size_t n, struct edge_head *out)
{
    struct edge_text rest = {p, n}, line;
    out->field_count = 0;
    out->hosts = 0;
    out->host = (struct edge_text){"", 0};
    do { /* empty lines before a request are ignored (RFC 9112, 2.2) */
        if (!next_line(&rest, &line))
            return bad("the request has no head");
    } while (line.len == 0);
    struct edge_refusal no = parse_request_line(line, out);
    while (no.status == 0) {
        if ((size_t)(rest.p - p) > EDGE_HEAD_BYTES_MAX)
            return (struct edge_refusal){431, "headers_too_large", "the request head is too large"};
        if (!next_line(&rest, &line))
            return bad("the request has no end of its head");
        if (line.len == 0)
            return fine();
        no = parse_field(line, out);
    }
    return no;
}

const struct edge_text *edge_head_get(const struct edge_head *h, const char *name, unsigned *count)
{
    const struct edge_text *first = NULL;
    unsigned n = 0;
    for (uint32_t i = 0; i < h->field_count; i++) {
        if (!edge_text_is_nocase(h->field[i].name, name))
            continue;
        if (n++ == 0)
            first = &h->field[i].value;
    }
    if (count != NULL)
        *count = n;
    return first;
}

bool edge_head_has_token(const struct edge_head *h, const char *name, const char *token)
{
    for (uint32_t i = 0; i < h->field_count; i++) {
        if (!edge_text_is_nocase(h->field[i].name, name))
            continue;
        struct edge_text rest = h->field[i].value;
        while (rest.len != 0)
            if (edge_text_is_nocase(trim(cut(&rest, ',')), token))
                return true;
    }
    return false;
}

static struct edge_text without_port(struct edge_text host)
{
    size_t digits = 0;
    while (digits < host.len && host.p[host.len - 1 - digits] >= '0' && host.p[host.len - 1 - digits] <= '9')
        digits++;
    if (digits < host.len && host.p[host.len - 1 - digits] == ':')
        host.len -= digits + 1;
    return host;
}

struct edge_refusal edge_head_check(const struct edge_head *h, const char *const *hosts)
{
    if (h->minor != 1)
        return (struct edge_refusal){505, "http_version", "HTTP/1.1 is spoken here"};
    if (h->hosts != 1 || h->host.len == 0)
        return bad("exactly one Host is needed");
    unsigned lengths, codings;
    edge_head_get(h, "content-length", &lengths);
    const struct edge_text *coding = edge_head_get(h, "transfer-encoding", &codings);
    if (lengths + codings > 1 || (codings == 1 && !edge_text_is_nocase(*coding, "chunked")))
        return bad("the length of the body is told in two ways, or in an unknown one");
    if (hosts == NULL)
        return fine();
    struct edge_text name = without_port(h->host);
    for (; *hosts != NULL; hosts++)
        if (edge_text_is_nocase(name, *hosts))
            return fine();
    return (struct edge_refusal){421, "misdirected", "no such host here"};
}

bool edge_origin_allowed(const struct edge_head *h, const struct edge_origin_rules *rules)
{
    unsigned count;
    const struct edge_text *origin = edge_head_get(h, "origin", &count);
    if (count == 0)
        return rules->native;
    if (count > 1 || origin->len == 0)
        return false;
    for (size_t i = 0; i < rules->count; i++)
        if (strcmp(rules->allowed[i], "*") == 0 || edge_text_is(*origin, rules->allowed[i]))
            return true;
    if (!rules->same_origin)
        return false;
    struct edge_text rest = *origin;
    struct edge_text scheme = cut(&rest, ':');
    bool web = edge_text_is(scheme, "http") || edge_text_is(scheme, "https");
    if (!web || rest.len < 3 || memcmp(rest.p, "//", 2) != 0)
        return false;
    rest.p += 2;
    rest.len -= 2;
    return rest.len == h->host.len && strncasecmp(rest.p, h->host.p, rest.len) == 0;
}

/* 16 bytes in base64: 22 characters, of the last of which only two bits count, and two of padding. */
static bool key_fine(struct edge_text key)
{
    if (key.len != 24 || key.p[22] != '=' || key.p[23] != '=' || strchr("AQgw", key.p[21]) == NULL)
        return false;
    for (size_t i = 0; i < 22; i++) {
        char c = key.p[i];
        bool ok = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
        if (!ok)
            return false;
    }
    return true;
}

static void make_accept(struct edge_text key, char out[EDGE_ACCEPT_BYTES])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    unsigned char text[24 + sizeof(guid) - 1], digest[SHA_DIGEST_LENGTH];
    memcpy(text, key.p, 24);
    memcpy(text + 24, guid, sizeof(guid) - 1);
    SHA1(text, sizeof(text), digest);
    EVP_EncodeBlock((unsigned char *)out, digest, sizeof(digest));
}

static bool choose_subprotocol(const struct edge_head *h, const char *const *known, int *chosen)
{
    bool offered = false;
    *chosen = -1;
    for (uint32_t i = 0; i < h->field_count; i++) {
        if (!edge_text_is_nocase(h->field[i].name, "sec-websocket-protocol"))
            continue;
        offered = true;
        struct edge_text rest = h->field[i].value;
        while (rest.len != 0 && *chosen < 0) {
            struct edge_text name = trim(cut(&rest, ','));
            for (int k = 0; known[k] != NULL && *chosen < 0; k++)
                if (edge_text_is(name, known[k]))
                    *chosen = k;
        }
    }
    return !offered || *chosen >= 0;
}

struct edge_refusal edge_handshake_check(const struct edge_head *h, const struct edge_origin_rules *origins,
                                         const char *const *subprotocols, struct edge_handshake *out)
{
    unsigned count;
    if (!edge_text_is(h->method, "GET"))
        return (struct edge_refusal){405, "method", "only GET can be upgraded"};
    if (edge_head_get(h, "content-length", NULL) != NULL || edge_head_get(h, "transfer-encoding", NULL) != NULL)
        return bad("an upgrade has no body");
    const struct edge_text *upgrade = edge_head_get(h, "upgrade", &count);
    if (count == 0)
        return (struct edge_refusal){426, "upgrade_required", "this path speaks WebSocket"};
    if (count > 1 || !edge_text_is_nocase(*upgrade, "websocket") || !edge_head_has_token(h, "connection", "upgrade"))
        return (struct edge_refusal){400, "bad_upgrade", "only an upgrade to websocket is possible"};
    const struct edge_text *version = edge_head_get(h, "sec-websocket-version", &count);
    if (count != 1 || !edge_text_is(*version, "13"))
        return (struct edge_refusal){426, "bad_version", "Sec-WebSocket-Version 13 is spoken here"};
    const struct edge_text *key = edge_head_get(h, "sec-websocket-key", &count);
    if (count != 1 || !key_fine(*key))
        return (struct edge_refusal){400, "bad_key", "Sec-WebSocket-Key is not 16 bytes in base64"};
    if (!edge_origin_allowed(h, origins))
        return (struct edge_refusal){403, "origin", "this origin is not allowed"};
    out->subprotocol = -1;
    if (subprotocols != NULL && !choose_subprotocol(h, subprotocols, &out->subprotocol))
        return (struct edge_refusal){400, "subprotocol", "none of the subprotocols is known"};
    make_accept(*key, out->accept);
    return fine();
}
