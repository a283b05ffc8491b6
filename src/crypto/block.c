/* Blocks by libcrypto's ECB, which is the bare permutation. */
#include "crypto/block.h"

#include "crypto/libcrypto.h"

#define AT_ONCE 4096 /* libcrypto counts bytes in int */

enum seal_status blocks_permute(const uint8_t key[BLOCK_KEY_LEN], bool back, uint8_t *blocks, size_t n,
				struct seal_err *err)
{
	EVP_CIPHER_CTX *evp = EVP_CIPHER_CTX_new();
	enum seal_status rc = SEAL_OK;

	if (evp == NULL ||
	    EVP_CipherInit_ex2(evp, libcrypto_aes_ecb(BLOCK_KEY_LEN), key, NULL, back ? 0 : 1, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(evp, 0) != 1)
		rc = libcrypto_failed(err, "AES key set-up");
	for (size_t i = 0, now; rc == SEAL_OK && i < n; i += now) {
		uint8_t *at = blocks + i * BLOCK_LEN;
		int len;

		now = n - i < AT_ONCE ? n - i : AT_ONCE;
		if (EVP_CipherUpdate(evp, at, &len, at, (int)(now * BLOCK_LEN)) != 1)
			rc = libcrypto_failed(err, "AES");
	}
	EVP_CIPHER_CTX_free(evp); /* wipes the key */
	return rc;
}
