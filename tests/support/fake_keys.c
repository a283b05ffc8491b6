/* A key source for tests; see fake_keys.h. */
#include "fake_keys.h"

#include "base/encode.h"
#include "base/mem.h"
#include "crypto/aead.h"
#include "crypto/ff1.h"
#include "crypto/ff3_1.h"
#include "crypto/mac.h"
#include "crypto/random.h"
#include "keys/by_encryption.h"

#define KEY_LEN 32
#define PREFIX "vault:v1:"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

struct fake_control fake_control;

struct fake_key {
	struct key base;
	struct key_info info;
	bool stiff; /* cannot rewrap */
};

struct fake_session {
	struct key_session base;
	const struct fake_key *key;
};

static void material(bool counting, uint32_t version, uint8_t out[KEY_LEN])
{
	for (unsigned i = 0; i < KEY_LEN; i++)
		out[i] = counting && version == 1 ? (uint8_t)i : (uint8_t)version;
}

/* Counts the call, and fails it when told to. */
static enum seal_status enter(struct seal_err *err)
{
	fake_control.calls++;
	if (fake_control.fail_call != SEAL_OK)
		return err_set(err, fake_control.fail_call, fake_control.fail_code, "told to fail");
	return SEAL_OK;
}

static bool fails(struct key_item *item, size_t index, struct arena *arena, enum seal_code code, const char *text)
{
	struct seal_err *e;

	if (code == SEAL_E_NONE && index + 1 != fake_control.fail_item)
		return false;
	item->out = BYTES_EMPTY;
	e = ARENA_NEW(arena, struct seal_err);
	SEAL_INVARIANT(e != NULL);
	*e = (struct seal_err)SEAL_ERR_INIT;
	if (code == SEAL_E_NONE && fake_control.fail_item_status != SEAL_OK)
		err_set(e, fake_control.fail_item_status, SEAL_E_SERVICE, "%s", text);
	else
		err_set(e, SEAL_DATA, code == SEAL_E_NONE ? SEAL_E_TAMPERED : code, "%s", text);
	item->err = e;
	return true;
}

/* Random, or a convergent key's, which comes from place and plaintext. */
static enum seal_status make_nonce(const struct fake_key *key, uint32_t version, const struct key_item *item,
				   uint8_t nonce[AEAD_NONCE_LEN], struct seal_err *err)
{
	uint8_t bytes[KEY_LEN], mac[SHA256_LEN];
	struct hmac_item message = {.prefix = item->aad, .in = item->in, .out = mac};
	struct hmac *hmac = NULL;
	enum seal_status rc;

	if (!key->info.convergent)
		return random_bytes(nonce, AEAD_NONCE_LEN, err);
	material(false, version, bytes);
	SEAL_TRY(hmac_new(bytes_of(bytes, KEY_LEN), &hmac, err));
	SEAL_TRY(hmac_many(hmac, &message, 1, err));
	memcpy(nonce, mac, AEAD_NONCE_LEN);
out:
	hmac_free(hmac);
	return rc;
}

static enum seal_status encrypt_one(const struct fake_key *key, struct aead *aead, uint32_t version,
				    struct key_item *item, struct arena *arena, struct seal_err *err)
{
	const size_t len = AEAD_NONCE_LEN + item->in.len + AEAD_TAG_LEN;
	uint8_t *raw = arena_alloc(arena, len, 1);
	char *text = arena_alloc(arena, PREFIX_LEN + BASE64_LEN(len), 1);
	struct aead_item message = {.aad = item->aad, .in = item->in};
	enum seal_status rc;

	if (raw == NULL || text == NULL)
		return err_memory(err);
	SEAL_TRY(make_nonce(key, version, item, raw, err));
	message.nonce = raw;
	message.out = raw + AEAD_NONCE_LEN;
	message.tag = raw + len - AEAD_TAG_LEN;
	SEAL_TRY(aead_seal_many(aead, &message, 1, err));
	memcpy(text, PREFIX, PREFIX_LEN);
	text[PREFIX_LEN - 2] = (char)('0' + version);
	item->out = bytes_of(text, PREFIX_LEN + base64_encode(bytes_of(raw, len), text + PREFIX_LEN));
out:
	return rc;
}

/* The one asked for, or the latest. */
static uint32_t version_of(const struct fake_key *key, const struct key_call *call)
{
	return call->version != 0 ? call->version : key->info.latest_version;
}

static enum seal_status fake_encrypt(struct key_session *base, struct key_item *items, size_t n,
				     const struct key_call *call, struct seal_err *err)
{
	const struct fake_key *key = ((struct fake_session *)base)->key;
	struct aead *aead = NULL;
	const uint32_t version = version_of(key, call);
	uint8_t bytes[KEY_LEN];
	enum seal_status rc;

	fake_control.deadline_ms = call->deadline_ms;
	SEAL_TRY(enter(err));
	material(false, version, bytes);
	SEAL_TRY(aead_new(bytes_of(bytes, KEY_LEN), &aead, err));
	for (size_t i = 0; i < n; i++)
		if (!fails(&items[i], i, call->arena, SEAL_E_NONE, "told to fail this one"))
			SEAL_TRY(encrypt_one(key, aead, version, &items[i], call->arena, err));
out:
	aead_free(aead);
	return rc;
}

static enum seal_status decrypt_one(const struct fake_key *key, struct key_item *item, size_t index,
				    struct arena *arena, struct seal_err *err)
{
	uint8_t *raw = arena_alloc(arena, BASE64_RAW_MAX(item->in.len), 1), bytes[KEY_LEN];
	struct aead *aead = NULL;
	struct aead_item message;
	enum seal_status rc = SEAL_OK;
	uint32_t version;
	size_t len;

	if (raw == NULL)
		return err_memory(err);
	if (fails(item, index, arena, SEAL_E_NONE, "told to fail this one"))
		return SEAL_OK;
	version = item->in.len > PREFIX_LEN ? (uint32_t)(item->in.ptr[PREFIX_LEN - 2] - '0') : 0;
	if (!bytes_starts(item->in, bytes_of(PREFIX, PREFIX_LEN - 2)) || version < 1 ||
	    version > key->info.latest_version || item->in.ptr[PREFIX_LEN - 1] != ':' ||
	    !base64_decode(bytes_skip(item->in, PREFIX_LEN), raw, &len) || len < AEAD_NONCE_LEN + AEAD_TAG_LEN) {
		(void)fails(item, index, arena, SEAL_E_TAMPERED, "malformed");
		return SEAL_OK;
	}
	material(false, version, bytes);
	SEAL_TRY(aead_new(bytes_of(bytes, KEY_LEN), &aead, err));
	len -= AEAD_NONCE_LEN + AEAD_TAG_LEN;
	message = (struct aead_item){.nonce = raw,
				     .aad = item->aad,
				     .in = bytes_of(raw + AEAD_NONCE_LEN, len),
				     .out = raw + AEAD_NONCE_LEN,
				     .tag = raw + AEAD_NONCE_LEN + len};
	SEAL_TRY(aead_open_many(aead, &message, 1, err));
	if (message.ok)
		item->out = bytes_of(message.out, len);
	else
		(void)fails(item, index, arena, SEAL_E_TAMPERED, "does not authenticate");
out:
	aead_free(aead);
	return rc;
}

static enum seal_status fake_decrypt(struct key_session *base, struct key_item *items, size_t n,
				     const struct key_call *call, struct seal_err *err)
{
	const struct fake_key *key = ((struct fake_session *)base)->key;
	enum seal_status rc;

	SEAL_TRY(enter(err));
	for (size_t i = 0; i < n; i++)
		SEAL_TRY(decrypt_one(key, &items[i], i, call->arena, err));
out:
	return rc;
}

/* By decrypting and encrypting; a text of the wanted version comes back as it is. */
static enum seal_status fake_rewrap(struct key_session *base, struct key_item *items, size_t n,
				    const struct key_call *call, struct seal_err *err)
{
	const struct fake_key *key = ((struct fake_session *)base)->key;
	const uint32_t version = version_of(key, call);
	struct aead *aead = NULL;
	uint8_t bytes[KEY_LEN];
	enum seal_status rc;

	SEAL_TRY(enter(err));
	material(false, version, bytes);
	SEAL_TRY(aead_new(bytes_of(bytes, KEY_LEN), &aead, err));
	for (size_t i = 0; i < n; i++) {
		const bool there =
			items[i].in.len > PREFIX_LEN && items[i].in.ptr[PREFIX_LEN - 2] == '0' + (int)version;
		struct key_item plain = items[i];

		SEAL_TRY(decrypt_one(key, &plain, i, call->arena, err));
		items[i].out = items[i].in;
		items[i].err = plain.err;
		plain.in = plain.out;
		if (plain.err == NULL && !there) {
			SEAL_TRY(encrypt_one(key, aead, version, &plain, call->arena, err));
			items[i].out = plain.out;
		}
	}
out:
	aead_free(aead);
	return rc;
}

static enum seal_status fake_hmac(struct key_session *base, uint32_t version, struct key_item *items, size_t n,
				  const struct key_call *call, struct seal_err *err)
{
	struct hmac *hmac = NULL;
	uint8_t bytes[KEY_LEN];
	enum seal_status rc;

	SEAL_TRY(enter(err));
	material(true, version, bytes);
	SEAL_TRY(hmac_new(bytes_of(bytes, KEY_LEN), &hmac, err));
	for (size_t i = 0; i < n; i++) {
		struct hmac_item message = {.prefix = items[i].aad, .in = items[i].in};

		if (fails(&items[i], i, call->arena, SEAL_E_NONE, "told to fail this one"))
			continue;
		message.out = arena_alloc(call->arena, SHA256_LEN, 1);
		if (message.out == NULL) {
			rc = err_memory(err);
			goto out;
		}
		SEAL_TRY(hmac_many(hmac, &message, 1, err));
		items[i].out = bytes_of(message.out, SHA256_LEN);
	}
out:
	hmac_free(hmac);
	return rc;
}

static enum seal_status fake_fpe(struct key_session *base, uint32_t version, bool decrypt, struct key_fpe_item *items,
				 size_t n, const struct key_call *call, struct seal_err *err)
{
	struct ff1 *ff1 = NULL;
	uint8_t bytes[KEY_LEN];
	enum seal_status rc;

	SEAL_TRY(enter(err));
	material(true, version, bytes);
	SEAL_TRY(ff1_new(bytes_of(bytes, KEY_LEN), &ff1, err));
	for (size_t i = 0; i < n; i++) {
		struct ff1_item item = {items[i].numerals, items[i].n, items[i].radix, items[i].tweak};

		if (decrypt)
			SEAL_TRY(ff1_decrypt_many(ff1, &item, 1, err));
		else
			SEAL_TRY(ff1_encrypt_many(ff1, &item, 1, err));
	}
out:
	ff1_free(ff1);
	return rc;
}

static enum seal_status fake_fpe_legacy(struct key_session *base, uint32_t version, struct key_fpe_item *items,
					size_t n, const struct key_call *call, struct seal_err *err)
{
	uint8_t bytes[KEY_LEN];
	enum seal_status rc;

	SEAL_TRY(enter(err));
	material(true, version, bytes);
	for (size_t i = 0; i < n; i++)
		SEAL_TRY(ff3_1_decrypt(bytes_of(bytes, KEY_LEN), items[i].tweak.ptr, items[i].radix,
				       items[i].numerals, items[i].n, err));
out:
	return rc;
}

static void session_free(struct key_session *session)
{
	mem_free(session);
}

static const struct key_session_ops session_ops = {
	.size = sizeof(struct key_session_ops),
	.encrypt = fake_encrypt,
	.decrypt = fake_decrypt,
	.hmac = fake_hmac,
	.fpe = fake_fpe,
	.fpe_legacy_decrypt = fake_fpe_legacy,
	.rewrap = fake_rewrap,
	.data_key = key_data_key,
	.free = session_free,
};

static const struct key_session_ops stiff_ops = {
	.size = sizeof(struct key_session_ops),
	.encrypt = fake_encrypt,
	.decrypt = fake_decrypt,
	.free = session_free,
};

static enum seal_status key_info(struct key *base, struct key_info *info, struct seal_err *err)
{
	*info = ((struct fake_key *)base)->info;
	return SEAL_OK;
}

static enum seal_status key_session(struct key *base, struct key_session **out, struct seal_err *err)
{
	struct fake_session *session = mem_calloc(1, sizeof(*session));

	*out = NULL;
	if (session == NULL)
		return err_memory(err);
	session->base.ops = ((struct fake_key *)base)->stiff ? &stiff_ops : &session_ops;
	session->key = (struct fake_key *)base;
	*out = &session->base;
	return SEAL_OK;
}

static void key_free(struct key *key)
{
	if (key != NULL)
		fake_control.keys--;
	mem_free(key);
}

static const struct key_ops key_ops = {
	.size = sizeof(struct key_ops), .info = key_info, .session = key_session, .free = key_free};

static enum seal_status source_open(const struct key_source_config *config, struct key_source **out,
				    struct seal_err *err)
{
	struct key_source *source = mem_calloc(1, sizeof(*source));

	*out = source;
	if (source == NULL)
		return err_memory(err);
	source->ops = &fake_source;
	fake_control.opened++;
	return SEAL_OK;
}

static enum seal_status source_key(struct key_source *source, struct seal_bytes reference, struct key **out,
				   struct seal_err *err)
{
	static const struct {
		const char *name;
		struct key_info info;
	} known[] = {
		{"aes",
		 {.type = "aes256-gcm96", .uses = KEY_ENCRYPT, .latest_version = 2, .min_decryption_version = 1}},
		{"aes1",
		 {.type = "aes256-gcm96", .uses = KEY_ENCRYPT, .latest_version = 1, .min_decryption_version = 1}},
		{"stiff",
		 {.type = "aes256-gcm96", .uses = KEY_ENCRYPT, .latest_version = 2, .min_decryption_version = 1}},
		{"derived",
		 {.type = "aes256-gcm96",
		  .uses = KEY_ENCRYPT,
		  .latest_version = 2,
		  .min_decryption_version = 1,
		  .derived = true}},
		{"convergent",
		 {.type = "aes256-gcm96",
		  .uses = KEY_ENCRYPT,
		  .latest_version = 2,
		  .min_decryption_version = 1,
		  .derived = true,
		  .convergent = true}},
		{"ff1", {.type = "ff1", .uses = KEY_FPE, .latest_version = 2, .min_decryption_version = 1}},
		{"hmac", {.type = "hmac", .uses = KEY_HMAC, .latest_version = 1, .min_decryption_version = 1}},
	};
	struct fake_key *key;

	*out = NULL;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!bytes_eq_str(reference, known[i].name))
			continue;
		key = mem_calloc(1, sizeof(*key));
		if (key == NULL)
			return err_memory(err);
		key->base.ops = &key_ops;
		key->info = known[i].info;
		key->stiff = bytes_eq_str(reference, "stiff");
		fake_control.keys++;
		*out = &key->base;
		return SEAL_OK;
	}
	return err_set(err, SEAL_USAGE, SEAL_E_KEY_UNKNOWN, "no such key");
}

static void source_free(struct key_source *source)
{
	if (source != NULL)
		fake_control.opened--;
	mem_free(source);
}

bool fake_reference_check(struct seal_bytes reference, const char **why)
{
	*why = "cannot be empty";
	return reference.len > 0;
}

const struct key_source_ops fake_source = {
	.size = sizeof(struct key_source_ops),
	.name = "fake",
	.help = "a key for tests",
	.open = source_open,
	.key = source_key,
	.check = fake_reference_check,
	.free = source_free,
};
