/*
 * Transit keys: read at start, because a key that is not there would be made by the first encryption of a token that may,
 * and one that cannot do what is asked would fail at the first record.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "vault/transit.h"

#define OVERHEAD 28 /* nonce 12, tag 16 */
#define OVERHEAD_X 40 /* XChaCha20: nonce 24 */
#define NAMES_MAX 10000 /* of a mount, looked at for the nearest */

static const struct {
	const char *name;
	unsigned uses;
	size_t overhead;
} types[] = {
	{"aes256-gcm96", KEY_ENCRYPT | KEY_HMAC, OVERHEAD},
	{"aes128-gcm96", KEY_ENCRYPT | KEY_HMAC, OVERHEAD},
	{"chacha20-poly1305", KEY_ENCRYPT | KEY_HMAC, OVERHEAD},
	{"xchacha20-poly1305", KEY_ENCRYPT | KEY_HMAC, OVERHEAD_X},
	{"hmac", KEY_HMAC, 0},
};

void transit_key_saw(struct transit_key *key, uint32_t version)
{
	uint32_t latest = atomic_load_explicit(&key->latest, memory_order_relaxed);

	while (latest < version && !atomic_compare_exchange_weak(&key->latest, &latest, version))
		;
}

static enum seal_status wrong_type(const struct transit_key *key, const char *type, struct seal_err *err)
{
	return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
		       "key %s on %s is of type %s, which cannot encrypt with associated data; name a key of type "
		       "aes256-gcm96, or create one",
		       key->name, vault_client_name(key->source->client), type);
}

static enum seal_status read_type(const struct transit_key *key, const json_t *data, struct key_info *info,
				  struct seal_err *err)
{
	const char *type = json_string_value(json_object_get(data, "type"));
	char quote[VAULT_QUOTE_MAX + 1] = "unknown";

	for (size_t i = 0; type != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(types[i].name, type) != 0)
			continue;
		info->type = types[i].name;
		info->uses = types[i].uses;
		return SEAL_OK;
	}
	if (type != NULL)
		vault_quote(bytes_str(type), quote);
	return wrong_type(key, quote, err);
}

static size_t overhead_of(const char *type)
{
	size_t i = 0;

	while (types[i].name != type) /* it is one of them */
		i++;
	return types[i].overhead;
}

static bool read_number(const json_t *data, const char *name, uint32_t *out)
{
	const json_t *value = json_object_get(data, name);
	const json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || number > UINT32_MAX)
		return false;
	*out = (uint32_t)number;
	return true;
}

/* Symmetric keys have the time of each version, in seconds; others an object, of which nothing is needed. */
static int64_t created_ms(const json_t *data, uint32_t version)
{
	char name[16];

	snprintf(name, sizeof(name), "%u", version);
	return json_integer_value(json_object_get(json_object_get(data, "keys"), name)) * 1000;
}

/* What the server says of the key. */
static enum seal_status read_info(const struct transit_key *key, const json_t *data, struct key_info *info,
				  struct seal_err *err)
{
	enum seal_status rc;

	memset(info, 0, sizeof(*info));
	SEAL_TRY(read_type(key, data, info, err));
	if (json_is_true(json_object_get(data, "soft_deleted"))) {
		rc = transit_explain(key, TRANSIT_ENCRYPT, 0, NULL, "soft-deleted", err);
		goto out;
	}
	if (!read_number(data, "latest_version", &info->latest_version) || info->latest_version == 0 ||
	    !read_number(data, "min_decryption_version", &info->min_decryption_version) ||
	    !read_number(data, "min_encryption_version", &info->min_encryption_version)) {
		rc = err_set(err, SEAL_RETRY, SEAL_E_SERVICE,
			     "what %s says of key %s is not what Transit says: no versions; is a proxy in between?",
			     vault_client_name(key->source->client), key->name);
		goto out;
	}
	info->created_ms = created_ms(data, info->latest_version);
	info->derived = json_is_true(json_object_get(data, "derived"));
	info->convergent = json_is_true(json_object_get(data, "convergent_encryption"));
out:
	return rc;
}

/* The nearest name on the mount, in `out`; false when there is none or listing is not allowed. */
static bool nearest_name(struct transit_key *key, struct vault_worker *worker, uint64_t deadline_ms,
			 char out[VAULT_QUOTE_MAX + 1])
{
	json_t *data = NULL, *keys;
	const char **names = NULL, *nearest = NULL;
	size_t n;

	if (vault_ask(worker, "GET", key->list_path, "list", NULL, deadline_ms, &data, NULL) != SEAL_OK)
		return false;
	keys = json_object_get(data, "keys");
	n = json_array_size(keys);
	names = n <= NAMES_MAX ? mem_calloc(n + 1, sizeof(*names)) : NULL;
	for (size_t i = 0; names != NULL && i < n; i++) {
		names[i] = json_string_value(json_array_get(keys, i));
		if (names[i] == NULL)
			break;
	}
	if (names != NULL)
		nearest = word_nearest(names, bytes_str(key->last));
	if (nearest != NULL)
		vault_quote(bytes_str(nearest), out);
	mem_free(names);
	vault_json_free(data);
	return nearest != NULL && out[0] != '\0';
}

/* Nothing at MOUNT/keys/NAME. */
static enum seal_status unknown(struct transit_key *key, struct vault_worker *worker, uint64_t deadline_ms,
				struct seal_err *err)
{
	const char *server = vault_client_name(key->source->client);
	char nearest[VAULT_QUOTE_MAX + 1] = "";

	if (strstr(err->text, "nothing is mounted") != NULL)
		return SEAL_USAGE;
	err_clear(err);
	if (nearest_name(key, worker, deadline_ms, nearest))
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_UNKNOWN,
			       "no key %s on %s; did you mean %.*s%s? (Looked for first, since encrypting would make "
			       "it where the token may)",
			       key->name, server, (int)(strlen(key->name) - strlen(key->last)), key->name, nearest);
	return err_set(err, SEAL_USAGE, SEAL_E_KEY_UNKNOWN,
		       "no key %s on %s; `sealstream key create vault:%s` makes it. (Looked for first, since "
		       "encrypting would make it where the token may)",
		       key->name, server, key->name);
}

static enum seal_status read_key(struct transit_key *key, struct vault_worker *worker, uint64_t deadline_ms,
				 struct key_info *info, bool *old, struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;
	json_t *data = NULL;
	enum seal_status rc = vault_ask(worker, "GET", key->read_path, "read", NULL, deadline_ms, &data, &why);

	if (rc == SEAL_USAGE && why.code == SEAL_E_KEY_UNKNOWN)
		rc = unknown(key, worker, deadline_ms, &why);
	if (rc == SEAL_OK)
		rc = read_info(key, data, info, &why);
	*old = json_object_get(data, "imported_key") == NULL; /* 1.11 and newer always have it */
	vault_json_free(data);
	if (rc != SEAL_OK && err != NULL)
		*err = why;
	return rc;
}

enum seal_status transit_key_refresh(struct transit_key *key, struct vault_worker *worker, uint64_t age_ms,
				     uint64_t deadline_ms, struct seal_err *err)
{
	const uint64_t now_ms = clock_mono_ms();
	struct key_info info;
	enum seal_status rc;
	bool old;

	if (now_ms - atomic_load(&key->read_ms) < age_ms)
		return SEAL_OK;
	SEAL_TRY(read_key(key, worker, deadline_ms, &info, &old, err));
	if (info.type != key->info.type || info.derived != key->info.derived) {
		rc = err_set(err, SEAL_DENIED, SEAL_E_KEY_TYPE,
			     "key %s on %s was replaced by another; start again to use it", key->name,
			     vault_client_name(key->source->client));
		goto out;
	}
	pthread_mutex_lock(&key->lock);
	key->now = info;
	pthread_mutex_unlock(&key->lock);
	transit_key_saw(key, info.latest_version);
	atomic_store(&key->read_ms, now_ms);
out:
	return rc;
}

static enum seal_status info(struct key *base, struct key_info *out, struct seal_err *err)
{
	struct transit_key *key = (struct transit_key *)base;

	pthread_mutex_lock(&key->lock);
	*out = key->now;
	pthread_mutex_unlock(&key->lock);
	out->latest_version = atomic_load(&key->latest);
	return SEAL_OK;
}

static void free_key(struct key *base)
{
	struct transit_key *key = (struct transit_key *)base;

	if (key == NULL)
		return;
	pthread_mutex_destroy(&key->lock);
	arena_clear(&key->arena);
	mem_free(key);
}

static const struct key_ops transit_key_ops = {
	.size = sizeof(struct key_ops),
	.info = info,
	.session = transit_session_new,
	.free = free_key,
};

static enum seal_status name_paths(struct transit_key *key, const struct vault_reference *reference,
				   struct seal_err *err)
{
	static const char *const operations[TRANSIT_CALLS] = {
		[TRANSIT_ENCRYPT] = "encrypt",
		[TRANSIT_DECRYPT] = "decrypt",
		[TRANSIT_REWRAP] = "rewrap",
		[TRANSIT_HMAC] = "hmac",
		[TRANSIT_DATA_KEY] = "datakey/plaintext",
		[TRANSIT_WRAPPED_KEY] = "datakey/wrapped",
	};
	const struct seal_bytes mount = reference->mount, name = reference->name;
	struct arena *arena = &key->arena;
	bool good;

	key->name = arena_printf(arena, "%.*s/%.*s", BYTES_FMT(mount), BYTES_FMT(name));
	key->last = arena_printf(arena, "%.*s", BYTES_FMT(name));
	key->read_path = arena_printf(arena, "%.*s/keys/%.*s", BYTES_FMT(mount), BYTES_FMT(name));
	key->list_path = arena_printf(arena, "%.*s/keys?list=true", BYTES_FMT(mount));
	good = key->name != NULL && key->last != NULL && key->read_path != NULL && key->list_path != NULL;
	for (size_t i = 0; good && i < TRANSIT_CALLS; i++) {
		key->paths[i] = arena_printf(arena, "%.*s/%s/%.*s%s", BYTES_FMT(mount), operations[i],
					     BYTES_FMT(name), i == TRANSIT_HMAC ? "/sha2-256" : "");
		good = key->paths[i] != NULL;
	}
	return good ? SEAL_OK : err_memory(err);
}

enum seal_status transit_key_open(struct vault_source *source, const struct vault_reference *reference,
				  struct key **out, struct seal_err *err)
{
	const uint64_t deadline_ms = clock_mono_ms() + VAULT_START_MS;
	struct transit_key *key = mem_calloc(1, sizeof(*key));
	struct vault_worker *worker = NULL;
	enum seal_status rc;

	*out = NULL;
	if (key == NULL)
		return err_memory(err);
	key->base.ops = &transit_key_ops;
	key->source = source;
	arena_init(&key->arena, 0);
	SEAL_INVARIANT(pthread_mutex_init(&key->lock, NULL) == 0);
	SEAL_TRY(name_paths(key, reference, err));
	SEAL_TRY(vault_source_take(source, &worker, err));
	SEAL_TRY(read_key(key, worker, deadline_ms, &key->info, &key->old, err));
	key->now = key->info;
	key->overhead = overhead_of(key->info.type);
	transit_key_saw(key, key->info.latest_version);
	atomic_store(&key->read_ms, clock_mono_ms());
	*out = &key->base;
out:
	vault_source_give(source, worker);
	if (rc != SEAL_OK)
		free_key(&key->base);
	return rc;
}
