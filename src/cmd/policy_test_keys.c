/*
 * Stand-ins for keys.
 *
 *   local:cards                   ──▶ keyring: cards
 *   vault:transit/pii             ──▶ keyring: stand-in.… (of a hash: a reference is no key name)
 *   vault:transform/role/payments ──▶ the server, or a key that can do nothing
 */
#include "cmd/policy_test_keys.h"

#include "base/encode.h"
#include "base/mem.h"
#include "crypto/mac.h"
#include "keys/keyring.h"
#include "vault/reference.h"
#include "vault/vault.h"

#define VERSIONS_MADE_MAX 100
#define NAME_HEAD "stand-in."
#define NAME_HASHED 20 /* bytes of the hash */

struct key_name {
	char text[sizeof(NAME_HEAD) + 2 * NAME_HASHED];
};

static enum seal_status name_of(struct seal_bytes reference, struct key_name *name, struct seal_err *err)
{
	uint8_t digest[SHA256_LEN];
	enum seal_status rc;

	memcpy(name->text, NAME_HEAD, sizeof(NAME_HEAD) - 1);
	SEAL_TRY(sha256(reference, digest, err));
	hex_encode(bytes_of(digest, NAME_HASHED), name->text + sizeof(NAME_HEAD) - 1);
	name->text[sizeof(name->text) - 1] = '\0';
out:
	return rc;
}

static bool is_role(struct seal_bytes reference)
{
	struct vault_reference parsed;
	const char *why;

	return vault_reference_parse(reference, &parsed, &why) && parsed.role;
}

/* A role that nobody does: tests that need it are not run. */
static enum seal_status nobody_info(struct key *key, struct key_info *info, struct seal_err *err)
{
	*info = (struct key_info){.type = "transform", .uses = KEY_TRANSFORM};
	return SEAL_OK;
}

static enum seal_status nobody_transform(struct key_session *session, const struct key_transform *how, bool decode,
					 struct key_transform_item *items, size_t n, const struct key_call *call,
					 struct seal_err *err)
{
	return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE, "only the server does transform");
}

static void nobody_session_free(struct key_session *session)
{
	mem_free(session);
}

static const struct key_session_ops nobody_session_ops = {
	.size = sizeof(struct key_session_ops), .transform = nobody_transform, .free = nobody_session_free};

static enum seal_status nobody_session(struct key *key, struct key_session **out, struct seal_err *err)
{
	*out = mem_calloc(1, sizeof(**out));
	if (*out == NULL)
		return err_memory(err);
	(*out)->ops = &nobody_session_ops;
	return SEAL_OK;
}

static void nobody_free(struct key *key)
{
	mem_free(key);
}

static const struct key_ops nobody_ops = {
	.size = sizeof(struct key_ops), .info = nobody_info, .session = nobody_session, .free = nobody_free};

/* The key source "vault" of a run. */
struct test_source {
	struct key_source base;
	struct key_source *keyring;
	struct key_source *server; /* NULL: none */
};

static void test_free(struct key_source *base)
{
	struct test_source *source = (struct test_source *)base;

	if (source == NULL)
		return;
	if (source->keyring != NULL)
		keyring_source.free(source->keyring);
	if (source->server != NULL)
		vault_source.free(source->server);
	mem_free(source);
}

static const struct key_source_ops test_vault;

static enum seal_status test_open(const struct key_source_config *config, struct key_source **out,
				  struct seal_err *err)
{
	struct test_source *source = mem_calloc(1, sizeof(*source));
	enum seal_status rc;

	*out = NULL;
	if (source == NULL)
		return err_memory(err);
	source->base.ops = &test_vault;
	SEAL_TRY(keyring_source.open(config, &source->keyring, err));
	if (config->vault != NULL)
		SEAL_TRY(vault_source.open(config, &source->server, err));
out:
	if (rc != SEAL_OK)
		test_free(&source->base);
	else
		*out = &source->base;
	return rc;
}

static enum seal_status test_key(struct key_source *base, struct seal_bytes reference, struct key **out,
				 struct seal_err *err)
{
	struct test_source *source = (struct test_source *)base;
	struct key_name name;
	enum seal_status rc;

	*out = NULL;
	if (is_role(reference) && source->server != NULL)
		return vault_source.key(source->server, reference, out, err);
	if (is_role(reference)) {
		*out = mem_calloc(1, sizeof(**out));
		if (*out == NULL)
			return err_memory(err);
		(*out)->ops = &nobody_ops;
		return SEAL_OK;
	}
	SEAL_TRY(name_of(reference, &name, err));
	rc = keyring_source.key(source->keyring, bytes_str(name.text), out, err);
out:
	return rc;
}

static const struct key_source_ops test_vault = {
	.size = sizeof(struct key_source_ops),
	.name = "vault",
	.help = "stand-ins",
	.open = test_open,
	.key = test_key,
	.free = test_free,
};

const struct key_source_ops *const test_keys_sources[] = {&keyring_source, &test_vault, NULL};

static const char *key_type_of(unsigned flags)
{
	if (flags & METHOD_FPE_KEY)
		return "ff1";
	return flags & METHOD_HMAC_KEY ? "hmac" : "aes256-gcm96";
}

/* The version of its key that a method is fixed to: 1 when it has no such option. */
static int64_t key_version_of(const struct policy_method *method)
{
	const struct opt_row *row =
		method->kind->options ? opt_find(method->kind->options, BYTES_LIT("version")) : NULL;
	const void *member = row ? (const uint8_t *)method->options + row->offset : NULL;

	return row != NULL && row->type == OPT_INT ? *(const int64_t *)member : 1;
}

/* What the methods of a policy together need of a key. */
struct key_wanted {
	bool convergent;
	int64_t versions;
};

static struct key_wanted wanted_of(const struct policy *policy, const struct policy_key *key)
{
	struct key_wanted wanted = {.versions = 1};

	for (size_t i = 0; i < policy->n_methods; i++) {
		const struct policy_method *method = &policy->methods[i];

		if (method->key == NULL || strcmp(method->key->scheme, key->scheme) != 0 ||
		    !bytes_eq(method->key->reference, key->reference))
			continue;
		wanted.convergent |= (method->flags & METHOD_CONVERGENT_KEY) != 0;
		if (wanted.versions < key_version_of(method))
			wanted.versions = key_version_of(method);
	}
	return wanted;
}

/* Makes the method's key, unless it was made for another method. */
static enum seal_status make_key(struct keyring *keyring, const struct policy *policy,
				 const struct policy_method *method, struct seal_err *err)
{
	const struct key_wanted wanted = wanted_of(policy, method->key);
	const struct key_admin_new how = {
		.type = key_type_of(method->flags), .derived = wanted.convergent, .convergent = wanted.convergent};
	const bool local = strcmp(method->key->scheme, keyring_source.name) == 0;
	struct seal_bytes name = method->key->reference;
	struct seal_err there = SEAL_ERR_INIT;
	struct key_name hashed;
	uint32_t version = 1;
	enum seal_status rc;

	if (!local) {
		SEAL_TRY(name_of(name, &hashed, err));
		name = bytes_str(hashed.text);
	}
	if (wanted.versions > VERSIONS_MADE_MAX) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "policy test makes at most %d versions of key %s",
			     VERSIONS_MADE_MAX, method->key->name);
		goto out;
	}
	rc = keyring_create(keyring, name, &how, &there);
	if (rc != SEAL_OK) {
		if (there.code == SEAL_E_KEY_EXISTS)
			rc = SEAL_OK;
		else
			*err = there;
		goto out;
	}
	while (rc == SEAL_OK && version < wanted.versions)
		rc = keyring_rotate(keyring, name, &version, err);
out:
	return rc;
}

/* Can the roles be used? SEAL_OK and why->status set: no. */
static enum seal_status try_role(const struct policy_key *key, const struct key_source_config *config,
				 struct seal_err *why, struct seal_err *err)
{
	struct key_source *source = NULL;
	struct key *role = NULL;
	enum seal_status rc;

	SEAL_TRY(vault_source.open(config, &source, why));
	SEAL_TRY(vault_source.key(source, key->reference, &role, why));
	role->ops->free(role);
out:
	if (source != NULL)
		vault_source.free(source);
	if (rc == SEAL_OK || rc == SEAL_RETRY || rc == SEAL_DENIED)
		return SEAL_OK;
	*err = *why;
	err_prefix(err, "%s", key->name);
	return rc;
}

enum seal_status test_keys_make(const struct policy *policy, const char *directory,
				const struct vault_options *server, struct key_source_config *config,
				struct seal_err *why, struct seal_err *err)
{
	struct keyring *keyring = NULL;
	enum seal_status rc;

	*config = (struct key_source_config){
		.keyring_dir = directory, .create = true, .create_stores = true, .vault = server};
	SEAL_TRY(keyring_open(config, &keyring, err));
	for (size_t i = 0; i < policy->n_methods; i++)
		if (policy->methods[i].key != NULL && (policy->methods[i].flags & METHOD_TRANSFORM_KEY) == 0)
			SEAL_TRY(make_key(keyring, policy, &policy->methods[i], err));
	for (size_t i = 0; i < policy->n_keys && why->status == SEAL_OK; i++) {
		if (!policy->keys[i].own)
			continue;
		if (server == NULL)
			(void)err_set(why, SEAL_USAGE, SEAL_E_CONFIG,
				      "only the server does transform; set VAULT_ADDR and log in to run these tests");
		else
			SEAL_TRY(try_role(&policy->keys[i], config, why, err));
	}
	if (why->status != SEAL_OK)
		config->vault = NULL;
out:
	keyring_close(keyring);
	return rc;
}
