/*
 * The front of all ciphers: limits, the choice of a back end, and the promise that nothing unauthenticated leaves. A
 * context keeps the back end it was made with, so forcing another one (tests) changes only contexts made later.
 */
#include "crypto/aead.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "crypto/aead_ops.h"
#include "crypto/ct.h"

/* Best first; the last one is always there. */
static const struct aead_ops *const compiled_in[] = {
#ifdef SEAL_HAVE_IPSEC_MB
	&aead_ipsec_mb_ops,
#endif
	&aead_openssl_ops,
};

#define COMPILED_IN (sizeof(compiled_in) / sizeof(compiled_in[0]))

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const struct aead_ops *usable[COMPILED_IN]; /* immutable after `once` */
static const char *names[COMPILED_IN + 1]; /* likewise; ends with NULL */
static _Atomic(const struct aead_ops *) chosen;

static void probe(void)
{
	size_t n = 0;

	for (size_t i = 0; i < COMPILED_IN; i++) {
		if (!compiled_in[i]->available())
			continue;
		usable[n] = compiled_in[i];
		names[n++] = compiled_in[i]->name;
	}
	SEAL_INVARIANT(n > 0);
	atomic_store(&chosen, usable[0]);
}

static const struct aead_ops *backend(void)
{
	pthread_once(&once, probe);
	return atomic_load(&chosen);
}

const char *aead_backend(void)
{
	return backend()->name;
}

const char *const *aead_backends(void)
{
	pthread_once(&once, probe);
	return names;
}

bool aead_backend_force(const char *name)
{
	pthread_once(&once, probe);
	for (size_t i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], name) == 0) {
			atomic_store(&chosen, usable[i]);
			return true;
		}
	return false;
}

enum seal_status aead_new(struct seal_bytes key, struct aead **out, struct seal_err *err)
{
	*out = NULL;
	if (key.len != 16 && key.len != 32)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE, "an AES-GCM key has 16 or 32 bytes, not %zu",
			       key.len);
	return backend()->open(key, out, err);
}

enum seal_status aead_new_cipher(enum aead_cipher cipher, struct seal_bytes key, struct aead **out,
				 struct seal_err *err)
{
	if (cipher == AEAD_AES_GCM)
		return aead_new(key, out, err);
	*out = NULL;
	if (key.len != 32)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE, "a ChaCha20-Poly1305 key has 32 bytes, not %zu",
			       key.len);
	if (cipher == AEAD_CHACHA20_POLY1305)
		return aead_chacha_ops.open(key, out, err);
	return aead_xchacha_ops.open(key, out, err);
}

size_t aead_nonce_len(enum aead_cipher cipher)
{
	return cipher == AEAD_XCHACHA20_POLY1305 ? AEAD_XNONCE_LEN : AEAD_NONCE_LEN;
}

void aead_free(struct aead *aead)
{
	if (aead != NULL)
		aead->ops->close(aead);
}

/* Before anything is written: one message over the limit refuses the lot. */
static enum seal_status within_limits(const struct aead_item *items, size_t n, struct seal_err *err)
{
	for (size_t i = 0; i < n; i++)
		if (items[i].in.len > AEAD_MESSAGE_MAX || items[i].aad.len > AEAD_MESSAGE_MAX)
			return err_set(
				err, SEAL_DATA, SEAL_E_LIMIT,
				"a message of %zu bytes is too long to encrypt at once; at most %u are allowed",
				items[i].in.len > AEAD_MESSAGE_MAX ? items[i].in.len : items[i].aad.len,
				AEAD_MESSAGE_MAX);
	return SEAL_OK;
}

enum seal_status aead_seal_many(struct aead *aead, struct aead_item *items, size_t n, struct seal_err *err)
{
	enum seal_status rc = within_limits(items, n, err);

	if (rc != SEAL_OK)
		return rc;
	rc = aead->ops->seal(aead, items, n, err);
	for (size_t i = 0; rc != SEAL_OK && i < n; i++)
		mem_wipe(items[i].out, items[i].in.len);
	return rc;
}

enum seal_status aead_open_many(struct aead *aead, struct aead_item *items, size_t n, struct seal_err *err)
{
	enum seal_status rc;

	for (size_t i = 0; i < n; i++)
		items[i].ok = false;
	rc = within_limits(items, n, err);
	if (rc != SEAL_OK)
		return rc;
	rc = aead->ops->unseal(aead, items, n, err);
	for (size_t i = 0; i < n; i++) {
		if (rc != SEAL_OK)
			items[i].ok = false;
		ct_declassify(&items[i].ok, sizeof(items[i].ok));
		if (!items[i].ok)
			mem_wipe(items[i].out, items[i].in.len);
	}
	return rc;
}
