/*
 * FF1's portable back end: AES through EVP in ECB mode, as many blocks at a time as there are (one call of eight
 * blocks costs little more than one of a single block).
 */
#include <openssl/evp.h>

#include "crypto/ff1_lanes.h"
#include "crypto/libcrypto.h"

#define AT_ONCE 16

static bool available(void)
{
	return true;
}

static void close_openssl(struct ff1_cipher *cipher)
{
	EVP_CIPHER_CTX_free(cipher->evp);
	cipher->evp = NULL;
}

static enum seal_status open_openssl(struct seal_bytes key, struct ff1_cipher *cipher, struct seal_err *err)
{
	cipher->evp = EVP_CIPHER_CTX_new();
	if (cipher->evp == NULL ||
	    EVP_EncryptInit_ex2(cipher->evp, libcrypto_aes_ecb(key.len), key.ptr, NULL, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(cipher->evp, 0) != 1)
		return libcrypto_failed(err, "AES key set-up");
	return SEAL_OK;
}

static void blocks_openssl(const struct ff1_cipher *cipher, struct ff1_block *blocks, size_t n)
{
	uint8_t bytes[AT_ONCE * 16];

	while (n > 0) {
		size_t now = n < AT_ONCE ? n : AT_ONCE;
		int len;

		for (size_t i = 0; i < now; i++) {
			be64_store(bytes + 16 * i, blocks[i].hi);
			be64_store(bytes + 16 * i + 8, blocks[i].lo);
		}
		/* whole blocks, no padding, in place: nothing is left that could fail */
		SEAL_INVARIANT(EVP_EncryptUpdate(cipher->evp, bytes, &len, bytes, (int)(16 * now)) == 1);
		for (size_t i = 0; i < now; i++) {
			blocks[i].hi = be64_load(bytes + 16 * i);
			blocks[i].lo = be64_load(bytes + 16 * i + 8);
		}
		blocks += now;
		n -= now;
	}
	mem_wipe(bytes, sizeof(bytes));
}

static void lanes_openssl(const struct ff1_cipher *cipher, struct ff1_lane *lanes, size_t n, bool encrypt)
{
	ff1_lanes_run(cipher, lanes, n, encrypt, blocks_openssl);
}

const struct ff1_ops ff1_openssl_ops = {
	.size = sizeof(struct ff1_ops),
	.name = "openssl",
	.available = available,
	.open = open_openssl,
	.close = close_openssl,
	.blocks = blocks_openssl,
	.lanes = lanes_openssl,
};
