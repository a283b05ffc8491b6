/* A key encryption key for tests; see fake_kek.h. */
#include "fake_kek.h"

#include "base/encode.h"
#include "base/mem.h"
#include "crypto/aead.h"
#include "crypto/random.h"
#include "keys/by_encryption.h"
#include "keys/item_err.h"
#include "keys/keyring_text.h"

#define KEY_LEN 32

static struct fake_kek *kek_of(struct key_session *session)
{
	return ((struct fake_kek_session *)session)->kek;
}

static uint32_t latest_of(struct fake_kek *kek)
{
	uint32_t latest = atomic_load(&kek->latest);

	return latest != 0 ? latest : 1;
}

/* Waits at the gate, and fails when told to. */
static enum seal_status enter(struct fake_kek *kek, atomic_uint *count, int fail, struct seal_err *err)
{
	if (count != NULL)
		atomic_fetch_add(count, 1);
	pthread_mutex_lock(&kek->lock);
	kek->at_gate++;
	pthread_cond_broadcast(&kek->moved);
	while (kek->gated && !kek->open)
		pthread_cond_wait(&kek->moved, &kek->lock);
	kek->at_gate--;
	pthread_mutex_unlock(&kek->lock);
	if (fail != SEAL_OK)
		return err_set(err, (enum seal_status)fail, SEAL_E_SERVICE, "the fake KEK is away");
	return SEAL_OK;
}

static enum seal_status key_of(uint32_t version, struct aead **out, struct seal_err *err)
{
	uint8_t bytes[KEY_LEN];

	memset(bytes, (int)version, sizeof(bytes));
	return aead_new(bytes_of(bytes, sizeof(bytes)), out, err);
}

static enum seal_status seal_one(struct fake_kek *kek, struct key_item *item, struct arena *arena,
				 struct seal_err *err)
{
	const size_t len = AEAD_NONCE_LEN + item->in.len + AEAD_TAG_LEN;
	uint8_t *raw = arena_alloc(arena, len, 1);
	char *text = arena_alloc(arena, TEXT_PREFIX_MAX + BASE64_LEN(len), 1);
	struct aead_item message = {.aad = item->aad, .in = item->in, .nonce = raw};
	struct aead *aead = NULL;
	enum seal_status rc;
	size_t prefix;

	if (raw == NULL || text == NULL)
		return err_memory(err);
	SEAL_TRY(key_of(latest_of(kek), &aead, err));
	SEAL_TRY(random_bytes(raw, AEAD_NONCE_LEN, err));
	message.out = raw + AEAD_NONCE_LEN;
	message.tag = raw + len - AEAD_TAG_LEN;
	SEAL_TRY(aead_seal_many(aead, &message, 1, err));
	prefix = text_prefix(latest_of(kek), text);
	item->out = bytes_of(text, prefix + base64_encode(bytes_of(raw, len), text + prefix));
out:
	aead_free(aead);
	return rc;
}

static enum seal_status encrypt(struct key_session *session, struct key_item *items, size_t n,
				const struct key_call *call, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n; i++)
		SEAL_TRY(seal_one(kek_of(session), &items[i], call->arena, err));
out:
	return rc;
}

static void item_fails(struct key_item *item, struct arena *arena, const char *text)
{
	const struct seal_err *last = NULL;
	struct seal_err why = SEAL_ERR_INIT;

	(void)err_set(&why, SEAL_DATA, SEAL_E_TAMPERED, "%s", text);
	item->out = BYTES_EMPTY;
	item->err = item_err_share(arena, &why, &last);
}

static enum seal_status open_one(struct fake_kek *kek, struct key_item *item, struct arena *arena,
				 struct seal_err *err)
{
	uint8_t *raw = arena_alloc(arena, BASE64_RAW_MAX(item->in.len), 1);
	struct aead *aead = NULL;
	struct seal_bytes base64;
	struct aead_item message;
	enum seal_status rc;
	uint32_t version;
	size_t len;

	if (raw == NULL)
		return err_memory(err);
	if (text_split(item->in, &version, &base64) != TEXT_FINE || version > latest_of(kek) ||
	    !base64_decode(base64, raw, &len) || len < AEAD_NONCE_LEN + AEAD_TAG_LEN) {
		item_fails(item, arena, "malformed");
		return SEAL_OK;
	}
	len -= AEAD_NONCE_LEN + AEAD_TAG_LEN;
	SEAL_TRY(key_of(version, &aead, err));
	message = (struct aead_item){.nonce = raw,
				     .aad = item->aad,
				     .in = bytes_of(raw + AEAD_NONCE_LEN, len),
				     .out = raw + AEAD_NONCE_LEN,
				     .tag = raw + AEAD_NONCE_LEN + len};
	SEAL_TRY(aead_open_many(aead, &message, 1, err));
	if (message.ok)
		item->out = bytes_of(message.out, len);
	else
		item_fails(item, arena, "does not authenticate");
out:
	aead_free(aead);
	return rc;
}

static enum seal_status decrypt(struct key_session *session, struct key_item *items, size_t n,
				const struct key_call *call, struct seal_err *err)
{
	struct fake_kek *kek = kek_of(session);
	enum seal_status rc;

	atomic_fetch_add(&kek->items, (unsigned)n);
	SEAL_TRY(enter(kek, &kek->decrypts, atomic_load(&kek->fail), err));
	for (size_t i = 0; i < n; i++) {
		SEAL_INVARIANT(bytes_eq(items[i].aad, kek->want_aad));
		SEAL_TRY(open_one(kek, &items[i], call->arena, err));
	}
out:
	return rc;
}

static enum seal_status data_key(struct key_session *session, size_t len, struct seal_bytes aad, struct secret *plain,
				 struct seal_bytes *wrapped, const struct key_call *call, struct seal_err *err)
{
	struct fake_kek *kek = kek_of(session);
	enum seal_status rc = enter(kek, &kek->data_keys, atomic_load(&kek->fail), err);

	SEAL_INVARIANT(bytes_eq(aad, kek->want_aad));
	return rc != SEAL_OK ? rc : key_data_key(session, len, aad, plain, wrapped, call, err);
}

static enum seal_status rewrap(struct key_session *session, struct key_item *items, size_t n,
			       const struct key_call *call, struct seal_err *err)
{
	struct fake_kek *kek = kek_of(session);
	enum seal_status rc;

	SEAL_TRY(enter(kek, &kek->rewraps, atomic_load(&kek->fail_rewrap), err));
	for (size_t i = 0; i < n; i++) {
		struct key_item item = items[i];

		SEAL_TRY(open_one(kek, &item, call->arena, err));
		items[i].err = item.err;
		item.in = item.out;
		if (item.err == NULL)
			SEAL_TRY(seal_one(kek, &item, call->arena, err));
		items[i].out = item.out;
	}
out:
	return rc;
}

static void session_free(struct key_session *session)
{
}

static const struct key_session_ops ops = {
	.size = sizeof(struct key_session_ops),
	.encrypt = encrypt,
	.decrypt = decrypt,
	.data_key = data_key,
	.rewrap = rewrap,
	.free = session_free,
};

struct fake_kek_session fake_kek_session(struct fake_kek *kek)
{
	return (struct fake_kek_session){{&ops}, kek};
}

void fake_kek_await(struct fake_kek *kek)
{
	pthread_mutex_lock(&kek->lock);
	while (kek->at_gate == 0)
		pthread_cond_wait(&kek->moved, &kek->lock);
	pthread_mutex_unlock(&kek->lock);
}

void fake_kek_open(struct fake_kek *kek)
{
	pthread_mutex_lock(&kek->lock);
	kek->open = true;
	pthread_cond_broadcast(&kek->moved);
	pthread_mutex_unlock(&kek->lock);
}

unsigned fake_kek_calls(struct fake_kek *kek)
{
	return atomic_load(&kek->data_keys) + atomic_load(&kek->decrypts) + atomic_load(&kek->rewraps);
}

struct seal_bytes fake_kek_wrap(struct fake_kek *kek, struct seal_bytes raw)
{
	struct key_item item = {.in = raw, .aad = kek->want_aad};
	struct seal_bytes text;
	struct arena arena;

	arena_init(&arena, 0);
	SEAL_INVARIANT(seal_one(kek, &item, &arena, NULL) == SEAL_OK);
	text = bytes_of(mem_dup(item.out.ptr, item.out.len), item.out.len);
	arena_clear(&arena);
	return text;
}
