/*
 * Hashes and key derivation over libcrypto. struct hmac owns one EVP_MAC_CTX keyed once; each message re-initialises it
 * with EVP_MAC_init(ctx, NULL, 0, NULL), which keeps the two precomputed pads (a fifth of the cost of keying anew).
 * The keyed context lies on libcrypto's heap, which cleanses it on free; derived keys go to secret memory.
 */
#include "crypto/mac.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "base/mem.h"
#include "crypto/libcrypto.h"

#define HKDF_MAX (255u * SHA256_LEN) /* RFC 5869 §2.3 */
#define SCRYPT_MEMORY_MAX (1ull << 30)

struct hmac {
	EVP_MAC_CTX *ctx;
};

enum seal_status sha256(struct seal_bytes in, uint8_t out[SHA256_LEN], struct seal_err *err)
{
	unsigned len = SHA256_LEN;

	if (EVP_Digest(in.len ? in.ptr : (const uint8_t *)"", in.len, out, &len, libcrypto_sha256(), NULL) != 1)
		return libcrypto_failed(err, "SHA-256");
	return SEAL_OK;
}

enum seal_status hmac_new(struct seal_bytes key, struct hmac **out, struct seal_err *err)
{
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
			       OSSL_PARAM_construct_end()};
	struct hmac *hmac = mem_calloc(1, sizeof(*hmac));
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	if (hmac == NULL)
		return err_memory(err);
	if (libcrypto_hmac() != NULL)
		hmac->ctx = EVP_MAC_CTX_new(libcrypto_hmac());
	if (hmac->ctx == NULL ||
	    EVP_MAC_init(hmac->ctx, key.len ? key.ptr : (const uint8_t *)"", key.len, params) != 1) {
		rc = libcrypto_failed(err, "HMAC key set-up");
		goto out;
	}
	*out = hmac;
	hmac = NULL;
out:
	hmac_free(hmac);
	return rc;
}

void hmac_free(struct hmac *hmac)
{
	if (hmac == NULL)
		return;
	EVP_MAC_CTX_free(hmac->ctx);
	mem_free(hmac);
}

/* HMAC of the parts one after the other. */
static enum seal_status hmac_parts(struct hmac *hmac, const struct seal_bytes *parts, size_t n, uint8_t *out,
				   struct seal_err *err)
{
	size_t len;

	if (EVP_MAC_init(hmac->ctx, NULL, 0, NULL) != 1)
		return libcrypto_failed(err, "HMAC");
	for (size_t i = 0; i < n; i++)
		if (parts[i].len > 0 && EVP_MAC_update(hmac->ctx, parts[i].ptr, parts[i].len) != 1)
			return libcrypto_failed(err, "HMAC");
	if (EVP_MAC_final(hmac->ctx, out, &len, SHA256_LEN) != 1 || len != SHA256_LEN)
		return libcrypto_failed(err, "HMAC");
	return SEAL_OK;
}

enum seal_status hmac_many(struct hmac *hmac, struct hmac_item *items, size_t n, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n; i++) {
		const struct seal_bytes parts[] = {items[i].prefix, items[i].in};

		SEAL_TRY(hmac_parts(hmac, parts, 2, items[i].out, err));
	}
out:
	return rc;
}

/* RFC 5869 §2.2: PRK = HMAC-Hash(salt, IKM) */
static enum seal_status hkdf_extract(struct seal_bytes salt, struct seal_bytes key, uint8_t prk[SHA256_LEN],
				     struct seal_err *err)
{
	struct hmac *hmac = NULL;
	enum seal_status rc;

	SEAL_TRY(hmac_new(salt, &hmac, err));
	SEAL_TRY(hmac_parts(hmac, &key, 1, prk, err));
out:
	hmac_free(hmac);
	return rc;
}

enum seal_status hkdf_sha256_into(struct seal_bytes key, struct seal_bytes salt, struct seal_bytes info, uint8_t *out,
				  size_t len, struct seal_err *err)
{
	struct hmac *hmac = NULL;
	uint8_t prk[SHA256_LEN], block[SHA256_LEN], counter = 0;
	enum seal_status rc;

	SEAL_INVARIANT(len > 0 && len <= HKDF_MAX);
	SEAL_TRY(hkdf_extract(salt, key, prk, err));
	SEAL_TRY(hmac_new(bytes_of(prk, sizeof(prk)), &hmac, err));
	/* RFC 5869 §2.3: T(i) = HMAC-Hash(PRK, T(i-1) | info | i), T(0) empty */
	for (size_t done = 0; done < len;) {
		size_t take = len - done < SHA256_LEN ? len - done : SHA256_LEN;
		struct seal_bytes parts[] = {bytes_of(block, counter ? SHA256_LEN : 0), info, bytes_of(&counter, 1)};

		counter++;
		SEAL_TRY(hmac_parts(hmac, parts, 3, block, err));
		memcpy(out + done, block, take);
		done += take;
	}
out:
	if (rc != SEAL_OK)
		mem_wipe(out, len);
	mem_wipe(prk, sizeof(prk));
	mem_wipe(block, sizeof(block));
	hmac_free(hmac);
	return rc;
}

enum seal_status hkdf_sha256(struct seal_bytes key, struct seal_bytes salt, struct seal_bytes info, size_t len,
			     struct secret *out, struct seal_err *err)
{
	struct secret okm = SECRET_INIT;
	enum seal_status rc;

	SEAL_INVARIANT(len > 0 && len <= HKDF_MAX);
	SEAL_TRY(secret_alloc(&okm, len, err));
	SEAL_TRY(hkdf_sha256_into(key, salt, info, okm.ptr, len, err));
	*out = okm;
	okm = (struct secret)SECRET_INIT;
out:
	secret_clear(&okm);
	return rc;
}

enum seal_status scrypt_derive(struct seal_bytes passphrase, struct seal_bytes salt, unsigned log2_n, unsigned r,
			       unsigned p, size_t len, struct secret *out, struct seal_err *err)
{
	struct secret derived = SECRET_INIT;
	enum seal_status rc;
	uint64_t memory;

	/* RFC 7914 §2: N a power of 2 above 1, p <= (2^32 - 1) * 32 / (128 * r); ours are far inside */
	if (log2_n < 1 || log2_n > 30 || r < 1 || r > 1024 || p < 1 || p > 1024)
		return err_set(err, SEAL_DATA, SEAL_E_LIMIT,
			       "scrypt parameters out of range (N = 2^%u, r = %u, p = %u)", log2_n, r, p);
	memory = (128ull * r << log2_n) + 128ull * r * p + 256ull * r + (1u << 16);
	if (memory > SCRYPT_MEMORY_MAX)
		return err_set(
			err, SEAL_DATA, SEAL_E_LIMIT,
			"scrypt with N = 2^%u, r = %u, p = %u needs %llu MiB of memory; at most %llu are allowed",
			log2_n, r, p, (unsigned long long)(memory >> 20),
			(unsigned long long)(SCRYPT_MEMORY_MAX >> 20));
	SEAL_TRY(secret_alloc(&derived, len, err));
	if (EVP_PBE_scrypt(passphrase.len ? (const char *)passphrase.ptr : "", passphrase.len,
			   salt.len ? salt.ptr : (const uint8_t *)"", salt.len, 1ull << log2_n, r, p, memory,
			   derived.ptr, len) != 1) {
		rc = libcrypto_failed(err, "scrypt");
		goto out;
	}
	*out = derived;
	derived = (struct secret)SECRET_INIT;
out:
	secret_clear(&derived);
	return rc;
}
