/* Which libcrypto runs: for `doctor`. */
#ifndef CRYPTO_LIBRARY_H
#define CRYPTO_LIBRARY_H

/* Such as "OpenSSL 3.0.11 19 Sep 2023". Static. */
const char *crypto_library_version(void);

#endif
