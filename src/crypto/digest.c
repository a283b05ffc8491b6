/* Check sums of protocols, over libcrypto. */
#include "crypto/digest.h"

#include "crypto/libcrypto.h"

static bool digest(const EVP_MD *kind, struct seal_bytes in, uint8_t *out)
{
	return kind != NULL &&
	       EVP_Digest(in.len > 0 ? in.ptr : (const uint8_t *)"", in.len, out, NULL, kind, NULL) == 1;
}

bool md5(struct seal_bytes in, uint8_t out[MD5_LEN])
{
	return digest(libcrypto_md5(), in, out);
}

enum seal_status sha1(struct seal_bytes in, uint8_t out[SHA1_LEN], struct seal_err *err)
{
	return digest(EVP_sha1(), in, out) ? SEAL_OK : libcrypto_failed(err, "SHA-1");
}
