/* SPDX-License-Identifier: Apache-2.0
 * certs.h - certificates made at test time (C27): an hour long unless said otherwise, one key for everybody. */
#pragma once

#include <stdlib.h>

#include <openssl/x509v3.h>

/* issuer NULL: an authority of its own, `ext` its basic constraints ("critical,CA:TRUE"). Otherwise `ext` is the subject alternative name
 * ("IP:127.0.0.1,DNS:edge.test"). Good from two hours ago until `seconds` from now. Caller frees. */
static inline X509 *certs_make_until(const char *name, const char *san, X509 *issuer, EVP_PKEY *key, long seconds)
{
    X509 *x = X509_new();
    X509V3_CTX ctx;
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), issuer ? 2 : 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -7200);
    X509_gmtime_adj(X509_getm_notAfter(x), seconds);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
    X509V3_set_ctx(&ctx, issuer ? issuer : x, x, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, issuer ? NID_subject_alt_name : NID_basic_constraints, san);
    X509_add_ext(x, ext, -1);
    X509_EXTENSION_free(ext);
    if (X509_sign(x, key, EVP_sha256()) == 0)
        abort();
    return x;
}

static inline X509 *certs_make(const char *name, const char *san, X509 *issuer, EVP_PKEY *key)
{
    return certs_make_until(name, san, issuer, key, 3600);
}
