/*
 * Hashes and key derivation over libcrypto. HMAC is made here of SHA-256's compression function: struct hmac remembers what that
 * makes of the key's two padded blocks, 32 bytes each in secret memory, so that a short message costs two blocks and nothing is set
 * up or allocated for it (libcrypto's own HMAC takes twice as long, most of it for parameters). These functions of libcrypto count
 * as deprecated, for no other reason than that. Lots go on from the same two states side by side where a library has that.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/mac.h"

#include <openssl/sha.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "base/secret_slot.h"
#include "crypto/hmac_lots.h"
#include "crypto/libcrypto.h"

#define HKDF_MAX (255u * SHA256_LEN) /* RFC 5869 §2.3 */
#define SCRYPT_MEMORY_MAX (1ull << 30)

#define LOT_MIN 4 /* messages; fewer gain nothing side by side */
#define ALONE_MAX (SHA256_CBLOCK - 9) /* bytes of a message that need one block: 0x80 and the length follow */

struct hmac {
	struct secret_slot inner, outer; /* SHA-256's state after the key with ipad, with opad */
};

struct hmac_work {
	SHA256_CTX sha;
	uint8_t block[SHA256_CBLOCK];
};

enum seal_status sha256(struct seal_bytes in, uint8_t out[SHA256_LEN], struct seal_err *err)
{
	unsigned len = SHA256_LEN;

	if (EVP_Digest(in.len ? in.ptr : (const uint8_t *)"", in.len, out, &len, libcrypto_sha256(), NULL) != 1)
		return libcrypto_failed(err, "SHA-256");
	return SEAL_OK;
}

/* FIPS 198-1, section 4, steps 1 to 3: the key as one block. */
static enum seal_status key_block(struct seal_bytes key, uint8_t block[SHA256_CBLOCK], struct seal_err *err)
{
	memset(block, 0, SHA256_CBLOCK);
	if (key.len > SHA256_CBLOCK)
		return sha256(key, block, err);
	if (key.len > 0)
		memcpy(block, key.ptr, key.len);
	return SEAL_OK;
}

/* What SHA-256 remembers of the block with `pad` upon it. */
static enum seal_status remember(const uint8_t block[SHA256_CBLOCK], uint8_t pad, struct secret_slot *out,
				 struct seal_err *err)
{
	uint8_t padded[SHA256_CBLOCK];
	enum seal_status rc;
	SHA256_CTX sha;

	for (size_t i = 0; i < sizeof(padded); i++)
		padded[i] = block[i] ^ pad;
	SHA256_Init(&sha);
	SHA256_Transform(&sha, padded);
	SEAL_TRY(secret_slot_alloc(out, err));
	memcpy(out->ptr, sha.h, sizeof(sha.h));
out:
	mem_wipe(padded, sizeof(padded));
	mem_wipe(&sha, sizeof(sha));
	return rc;
}

enum seal_status hmac_new(struct seal_bytes key, struct hmac **out, struct seal_err *err)
{
	struct hmac *hmac = mem_calloc(1, sizeof(*hmac));
	uint8_t block[SHA256_CBLOCK];
	enum seal_status rc;

	*out = NULL;
	if (hmac == NULL)
		return err_memory(err);
	SEAL_TRY(key_block(key, block, err));
	SEAL_TRY(remember(block, 0x36, &hmac->inner, err));
	SEAL_TRY(remember(block, 0x5c, &hmac->outer, err));
	*out = hmac;
	hmac = NULL;
out:
	mem_wipe(block, sizeof(block));
	hmac_free(hmac);
	return rc;
}

void hmac_free(struct hmac *hmac)
{
	if (hmac == NULL)
		return;
	secret_slot_clear(&hmac->inner);
	secret_slot_clear(&hmac->outer);
	mem_free(hmac);
}

/* SHA-256 that has read the padded key. */
static void resume(const struct secret_slot *slot, SHA256_CTX *sha)
{
	memcpy(sha->h, slot->ptr, sizeof(sha->h));
	sha->Nl = 8 * SHA256_CBLOCK;
	sha->Nh = 0;
	sha->num = 0;
	sha->md_len = SHA256_LEN;
}

/* FIPS 180-4, section 5.1.1: the last block, which holds `len` bytes already, behind the key's. */
static void finish(SHA256_CTX *sha, uint8_t block[SHA256_CBLOCK], size_t len, uint8_t out[SHA256_LEN])
{
	memset(block + len, 0, SHA256_CBLOCK - 8 - len);
	block[len] = 0x80;
	be64_store(block + SHA256_CBLOCK - 8, 8 * (SHA256_CBLOCK + len));
	SHA256_Transform(sha, block);
	for (size_t i = 0; i < SHA256_LEN / 4; i++)
		be32_store(out + 4 * i, sha->h[i]);
}

/* HMAC of the parts one after the other. `work` is scratch, for the caller to wipe. */
static void hmac_parts(const struct hmac *hmac, const struct seal_bytes *parts, size_t n, struct hmac_work *work,
		       uint8_t out[SHA256_LEN])
{
	size_t len = 0;

	resume(&hmac->inner, &work->sha);
	for (size_t i = 0; i < n; i++) {
		if (len <= ALONE_MAX && parts[i].len <= ALONE_MAX - len && parts[i].len > 0)
			memcpy(work->block + len, parts[i].ptr, parts[i].len);
		len += parts[i].len;
	}
	if (len <= ALONE_MAX) {
		finish(&work->sha, work->block, len, work->block);
	} else {
		for (size_t i = 0; i < n; i++)
			SHA256_Update(&work->sha, parts[i].ptr, parts[i].len);
		SHA256_Final(work->block, &work->sha);
	}
	resume(&hmac->outer, &work->sha);
	finish(&work->sha, work->block, SHA256_LEN, out);
}

static atomic_bool one_by_one; /* by force */

bool hmac_backend_force(const char *name)
{
	const bool lots = strcmp(name, "ipsec-mb") == 0;
	struct hmac_lots *probe;

	if (lots) {
		probe = hmac_lots_take();
		if (probe == NULL)
			return false;
		hmac_lots_give(probe);
	} else if (strcmp(name, "openssl") != 0) {
		return false;
	}
	atomic_store(&one_by_one, !lots);
	return true;
}

enum seal_status hmac_many(struct hmac *hmac, struct hmac_item *items, size_t n, struct seal_err *err)
{
	struct hmac_lots *lots = n >= LOT_MIN && !atomic_load(&one_by_one) ? hmac_lots_take() : NULL;
	struct hmac_work work;
	size_t done;

	for (size_t i = 0; i < n; i += done) {
		const struct seal_bytes parts[] = {items[i].prefix, items[i].in};

		done = lots ? hmac_lots_run(lots, hmac->inner.ptr, hmac->outer.ptr, items + i, n - i) : 0;
		if (done == 0) {
			hmac_parts(hmac, parts, 2, &work, items[i].out);
			done = 1;
		}
	}
	hmac_lots_give(lots);
	mem_wipe(&work, sizeof(work));
	return SEAL_OK;
}

/* RFC 5869 §2.2: PRK = HMAC-Hash(salt, IKM) */
static enum seal_status hkdf_extract(struct seal_bytes salt, struct seal_bytes key, uint8_t prk[SHA256_LEN],
				     struct seal_err *err)
{
	struct hmac *hmac = NULL;
	enum seal_status rc;
	struct hmac_work work;

	SEAL_TRY(hmac_new(salt, &hmac, err));
	hmac_parts(hmac, &key, 1, &work, prk);
out:
	mem_wipe(&work, sizeof(work));
	hmac_free(hmac);
	return rc;
}

enum seal_status hkdf_sha256_into(struct seal_bytes key, struct seal_bytes salt, struct seal_bytes info, uint8_t *out,
				  size_t len, struct seal_err *err)
{
	struct hmac *hmac = NULL;
	uint8_t prk[SHA256_LEN], block[SHA256_LEN], counter = 0;
	enum seal_status rc;
	struct hmac_work work;

	SEAL_INVARIANT(len > 0 && len <= HKDF_MAX);
	SEAL_TRY(hkdf_extract(salt, key, prk, err));
	SEAL_TRY(hmac_new(bytes_of(prk, sizeof(prk)), &hmac, err));
	/* RFC 5869 §2.3: T(i) = HMAC-Hash(PRK, T(i-1) | info | i), T(0) empty */
	for (size_t done = 0; done < len;) {
		size_t take = len - done < SHA256_LEN ? len - done : SHA256_LEN;
		struct seal_bytes parts[] = {bytes_of(block, counter ? SHA256_LEN : 0), info, bytes_of(&counter, 1)};

		counter++;
		hmac_parts(hmac, parts, 3, &work, block);
		memcpy(out + done, block, take);
		done += take;
	}
out:
	if (rc != SEAL_OK)
		mem_wipe(out, len);
	mem_wipe(prk, sizeof(prk));
	mem_wipe(block, sizeof(block));
	mem_wipe(&work, sizeof(work));
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
