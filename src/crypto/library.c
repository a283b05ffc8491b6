/* Which libcrypto runs (not the one that was compiled against). */
#include <openssl/crypto.h>

#include "crypto/library.h"

const char *crypto_library_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}
