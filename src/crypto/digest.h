/*
 * MD5 and SHA-1: only where a protocol asks for them as check sums or names (SQS's MD5OfMessageBody, the file names of AWS's SSO
 * cache). Nothing of ours relies on them.
 */
#ifndef CRYPTO_DIGEST_H
#define CRYPTO_DIGEST_H

#include "base/bytes.h"
#include "base/err.h"

#define MD5_LEN 16
#define SHA1_LEN 20

/* False where libcrypto has none (FIPS mode). */
SEAL_MUST_USE bool md5(struct seal_bytes in, uint8_t out[MD5_LEN]);
SEAL_MUST_USE enum seal_status sha1(struct seal_bytes in, uint8_t out[SHA1_LEN], struct seal_err *err);

#endif
