/*
 * Transit's keys made, read and changed.
 *
 *   create   read ──404──▶ POST keys/NAME ──▶ read again: is it what was asked for?
 *   others   read (so that a name that is not there is told as such) ──▶ the change
 *
 * Reading first matters: POST keys/NAME on a key that is there answers 200 and changes nothing, whatever type was asked
 * for.
 */
#include "vault/admin.h"

#include <stdio.h>

#include "vault/client_work.h"

#define PATH_MAX_LEN (VAULT_REFERENCE_MAX + 64)
#define TYPE_DEFAULT "aes256-gcm96"
#define HMAC_KEY_SIZE 32

enum seal_status vault_admin_begin(const struct key_admin *on, struct seal_bytes reference, struct vault_admin_at *at,
				   struct seal_err *err)
{
	const char *why;

	*at = (struct vault_admin_at){.on = on, .source = (struct vault_source *)on->source};
	if (!vault_reference_parse(reference, &at->reference, &why))
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "this is not a key name: %s", why);
	if (at->reference.role)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			       "%.*s is a role of Transform; only keys of Transit are managed from here",
			       BYTES_FMT(reference));
	snprintf(at->name, sizeof(at->name), "%.*s", BYTES_FMT(reference));
	return vault_source_take(at->source, &at->worker, err);
}

void vault_admin_end(struct vault_admin_at *at)
{
	vault_source_give(at->source, at->worker);
	at->worker = NULL;
}

static const char *server(const struct vault_admin_at *at)
{
	return vault_client_name(at->source->client);
}

/* What a policy must grant for a method. */
static const char *capability_of(const char *method)
{
	return strcmp(method, "GET") == 0 ? "read" : strcmp(method, "DELETE") == 0 ? "delete" : "update";
}

enum seal_status vault_admin_ask(struct vault_admin_at *at, const char *method, const char *before, bool name,
				 const char *after, json_t *body, json_t **out, struct seal_err *err)
{
	const struct vault_reference *r = &at->reference;
	char path[PATH_MAX_LEN];
	json_t *answer = NULL;
	enum seal_status rc;

	snprintf(path, sizeof(path), "%.*s/%s%s%.*s%s%s", (int)r->mount.len, (const char *)r->mount.ptr, before,
		 name ? "/" : "", name ? (int)r->name.len : 0, (const char *)r->name.ptr, after != NULL ? "/" : "",
		 after != NULL ? after : "");
	rc = vault_ask(at->worker, method, path, capability_of(method), body, at->on->deadline_ms, &answer, err);
	vault_json_free(body);
	if (out != NULL)
		*out = answer;
	else
		vault_json_free(answer);
	return rc;
}

static uint64_t number_of(const json_t *data, const char *member)
{
	const json_t *value = json_object_get(data, member);

	return json_is_integer(value) && json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
}

static bool flag_of(const json_t *data, const char *member)
{
	return json_is_true(json_object_get(data, member));
}

static int by_version(const void *a, const void *b)
{
	const struct key_admin_version *x = a, *y = b;

	return x->version < y->version ? -1 : x->version > y->version;
}

/* "keys": {"1": seconds since 1970, …} of symmetric keys; an object each of others. */
static enum seal_status read_versions(const json_t *keys, struct arena *arena, struct key_admin_info *out,
				      struct seal_err *err)
{
	const size_t n = json_object_size(keys);
	const char *name;
	json_t *value;

	out->versions = arena_alloc(arena, n * sizeof(*out->versions), _Alignof(struct key_admin_version));
	if (out->versions == NULL)
		return err_memory(err);
	json_object_foreach((json_t *)(uintptr_t)keys, name, value)
	{
		uint64_t number;

		if (!bytes_to_u64(bytes_str(name), UINT32_MAX, &number))
			continue;
		out->versions[out->n_versions++] = (struct key_admin_version){
			.version = (uint32_t)number,
			.created_ms = json_is_integer(value) ? (uint64_t)json_integer_value(value) * 1000 : 0,
			.uses = KEY_ADMIN_USES_UNKNOWN,
		};
	}
	qsort(out->versions, out->n_versions, sizeof(*out->versions), by_version);
	if (out->n_versions > 0)
		out->created_ms = out->versions[0].created_ms;
	return SEAL_OK;
}

/*
 * Transit has ways that only its own past knows: the KDF in counter mode, which keys from before HKDF have and, to this
 * day, derived keys that were imported; and convergent nonces of version 1 and 2.
 */
static const char *foreign_of(const json_t *data)
{
	const char *kdf = json_string_value(json_object_get(data, "kdf"));
	const json_t *version = json_object_get(data, "convergent_encryption_version");

	if (flag_of(data, "derived") && kdf != NULL && strcmp(kdf, "hkdf_sha256") != 0)
		return "it derives by Transit's old KDF, as every derived key does that was imported there; the "
		       "keyring "
		       "knows HKDF alone";
	if (flag_of(data, "convergent_encryption") && json_is_integer(version) && json_integer_value(version) > 0 &&
	    json_integer_value(version) < 3)
		return "it is convergent in an old way of Transit's; rotate it and rewrap what it protects";
	return NULL;
}

static enum seal_status read_info(struct vault_admin_at *at, const json_t *data, struct key_admin_info *out,
				  struct seal_err *err)
{
	const char *type = json_string_value(json_object_get(data, "type"));

	*out = (struct key_admin_info){
		.latest_version = (uint32_t)number_of(data, "latest_version"),
		.min_decryption_version = (uint32_t)number_of(data, "min_decryption_version"),
		.min_encryption_version = (uint32_t)number_of(data, "min_encryption_version"),
		.auto_rotate = number_of(data, "auto_rotate_period"),
		.derived = flag_of(data, "derived"),
		.convergent = flag_of(data, "convergent_encryption"),
		.deletion_allowed = flag_of(data, "deletion_allowed"),
		.exportable = flag_of(data, "exportable"),
		.imported = flag_of(data, "imported_key"),
	};
	if (type == NULL || out->latest_version == 0)
		return err_set(
			err, SEAL_RETRY, SEAL_E_SERVICE,
			"what %s says of key %s is not what Transit says; is another engine mounted there, or a "
			"proxy in between?",
			server(at), at->name);
	if (out->min_decryption_version == 0)
		out->min_decryption_version = 1;
	at->foreign = foreign_of(data);
	snprintf(out->name, sizeof(out->name), "%s", at->name);
	snprintf(out->type, sizeof(out->type), "%s", type);
	err_plain(out->type); /* it is shown */
	return read_versions(json_object_get(data, "keys"), at->on->arena, out, err);
}

enum seal_status vault_admin_read(struct vault_admin_at *at, struct key_admin_info *out, struct seal_err *err)
{
	struct seal_err failure = SEAL_ERR_INIT;
	json_t *data = NULL;
	enum seal_status rc = vault_admin_ask(at, "GET", "keys", true, NULL, NULL, &data, &failure);

	if (rc == SEAL_OK)
		rc = read_info(at, data, out, err);
	else if (failure.code == SEAL_E_KEY_UNKNOWN && strstr(failure.text, "nothing is mounted") == NULL)
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_UNKNOWN,
			     "no key %s on %s; `sealstream key list vault:%.*s` shows those that are there", at->name,
			     server(at), BYTES_FMT(at->reference.mount));
	else if (err != NULL && err->status == SEAL_OK)
		*err = failure;
	vault_json_free(data);
	return rc;
}

enum seal_status vault_admin_check(const struct vault_admin_at *at, const struct key_admin_info *info,
				   const struct key_admin_new *how, struct seal_err *err)
{
	const char *type = how->type != NULL ? how->type : TYPE_DEFAULT;

	if (strcmp(info->type, type) == 0 && info->derived == how->derived && info->convergent == how->convergent)
		return SEAL_OK;
	return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
		       "key %s on %s has type %s and is %s, but %s and %s was asked for; use another name", at->name,
		       server(at), info->type, key_kind_words(info->derived, info->convergent), type,
		       key_kind_words(how->derived, how->convergent));
}

enum seal_status vault_admin_takes(const struct key_admin_new *how, struct seal_err *err)
{
	if (how->type != NULL && strcmp(how->type, "ff1") == 0)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			       "Transit has no format-preserving encryption and takes no ff1 keys; keep them in the "
			       "local keyring");
	if (how->convergent && !how->derived)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			       "a convergent key must be derived, too: its nonces come from the context's key");
	return SEAL_OK;
}

enum seal_status vault_admin_refuse_existing(struct vault_admin_at *at, struct seal_err *err)
{
	struct seal_err failure = SEAL_ERR_INIT;
	struct key_admin_info info;
	enum seal_status rc = vault_admin_read(at, &info, &failure);

	if (rc == SEAL_OK)
		return err_set(
			err, SEAL_USAGE, SEAL_E_KEY_EXISTS,
			"key %s is there already on %s; `sealstream key rotate vault:%s` gives it a new version",
			at->name, server(at), at->name);
	if (rc == SEAL_USAGE && failure.code == SEAL_E_KEY_UNKNOWN)
		return SEAL_OK;
	if (err != NULL)
		*err = failure;
	return rc;
}

static enum seal_status new_body(const struct key_admin_new *how, json_t **out, struct seal_err *err)
{
	const char *type = how->type != NULL ? how->type : TYPE_DEFAULT;
	json_t *body = json_pack("{s:s,s:b,s:b,s:b}", "type", type, "derived", how->derived, "convergent_encryption",
				 how->convergent, "exportable", how->exportable);

	/* Vault has no default for it, in spite of its documentation */
	if (body != NULL && strcmp(type, "hmac") == 0 &&
	    json_object_set_new(body, "key_size", json_integer(HMAC_KEY_SIZE)) != 0) {
		json_decref(body);
		body = NULL;
	}
	*out = body;
	return body != NULL ? SEAL_OK : err_memory(err);
}

static enum seal_status admin_create(const struct key_admin *on, struct seal_bytes reference,
				     const struct key_admin_new *how, struct seal_err *err)
{
	struct vault_admin_at at;
	struct key_admin_info info;
	enum seal_status rc;
	json_t *body;

	SEAL_TRY(vault_admin_begin(on, reference, &at, err));
	SEAL_TRY(vault_admin_takes(how, err));
	SEAL_TRY(vault_admin_refuse_existing(&at, err));
	SEAL_TRY(new_body(how, &body, err));
	SEAL_TRY(vault_admin_ask(&at, "POST", "keys", true, NULL, body, NULL, err));
	SEAL_TRY(vault_admin_read(&at, &info, err));
	SEAL_TRY(vault_admin_check(&at, &info, how, err));
out:
	vault_admin_end(&at);
	return rc;
}

static enum seal_status admin_show(const struct key_admin *on, struct seal_bytes reference,
				   struct key_admin_info *out, struct seal_err *err)
{
	struct vault_admin_at at;
	enum seal_status rc;

	SEAL_TRY(vault_admin_begin(on, reference, &at, err));
	SEAL_TRY(vault_admin_read(&at, out, err));
out:
	vault_admin_end(&at);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

/* "MOUNT/NAME" of each; folders ("import/") are none, and no Transit key has another kind of name. */
static enum seal_status take_names(const json_t *keys, struct seal_bytes mount, struct arena *arena,
				   const char *const **out, size_t *n, struct seal_err *err)
{
	const size_t room = json_array_size(keys);
	const char **names = arena_alloc(arena, (room + 1) * sizeof(*names), _Alignof(const char *));

	if (names == NULL)
		return err_memory(err);
	for (size_t i = 0; i < room; i++) {
		const char *name = json_string_value(json_array_get(keys, i));

		if (name == NULL || !bytes_is_name(bytes_str(name)))
			continue;
		names[*n] = arena_printf(arena, "%.*s/%s", BYTES_FMT(mount), name);
		if (names[(*n)++] == NULL)
			return err_memory(err);
	}
	names[*n] = NULL;
	qsort(names, *n, sizeof(*names), by_name);
	*out = names;
	return SEAL_OK;
}

/* 404 means that there are no keys, or that nothing is mounted there. */
static enum seal_status ask_names(struct vault_admin_at *at, const char *path, json_t **out, struct seal_err *err)
{
	static const char no_mount[] = "no handler for route";
	struct vault_call call = {.method = "GET", .path = path, .capability = "list", .ok_status = 404};
	enum seal_status rc;

	SEAL_TRY(vault_start(at->worker, &call, at->on->deadline_ms, err));
	client_wait(at->worker, &call);
	rc = call.err.status;
	if (rc != SEAL_OK && err != NULL)
		*err = call.err;
	if (rc == SEAL_OK && call.status == 404 && call.answer.len > 0 &&
	    memmem(call.answer.ptr, call.answer.len, no_mount, sizeof(no_mount) - 1) != NULL)
		rc = vault_call_error(at->source->client, &call, err);
	else if (rc == SEAL_OK && (*out = vault_json_load(call.answer, NULL)) == NULL)
		rc = vault_call_nonsense(at->source->client, &call, "no list", err); /* which is not an empty one */
	vault_call_clear(&call);
out:
	return rc;
}

static enum seal_status admin_list(const struct key_admin *on, struct seal_bytes under, const char *const **out,
				   size_t *n, struct seal_err *err)
{
	struct vault_admin_at at = {.on = on, .source = (struct vault_source *)on->source};
	struct vault_reference reference;
	char path[PATH_MAX_LEN], probe[VAULT_REFERENCE_MAX + 8];
	json_t *answer = NULL;
	enum seal_status rc;
	const char *why;

	*n = 0;
	while (under.len > 0 && under.ptr[under.len - 1] == '/')
		under.len--;
	snprintf(probe, sizeof(probe), "%.*s/x", BYTES_FMT(under));
	if (under.len == 0 || under.len > VAULT_REFERENCE_MAX - 2 ||
	    !vault_reference_parse(bytes_str(probe), &reference, &why))
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "say which mount's keys to list: vault:MOUNT, as in vault:transit");
	SEAL_TRY(vault_source_take(at.source, &at.worker, err));
	snprintf(path, sizeof(path), "%.*s/keys?list=true", BYTES_FMT(under));
	SEAL_TRY(ask_names(&at, path, &answer, err));
	SEAL_TRY(take_names(json_object_get(json_object_get(answer, "data"), "keys"), under, on->arena, out, n, err));
out:
	vault_json_free(answer);
	vault_admin_end(&at);
	return rc;
}

static enum seal_status admin_rotate(const struct key_admin *on, struct seal_bytes reference, uint32_t *version,
				     struct seal_err *err)
{
	struct vault_admin_at at;
	struct key_admin_info info;
	enum seal_status rc;

	SEAL_TRY(vault_admin_begin(on, reference, &at, err));
	SEAL_TRY(vault_admin_read(&at, &info, err));
	SEAL_TRY(vault_admin_ask(&at, "POST", "keys", true, "rotate", NULL, NULL, err));
	SEAL_TRY(vault_admin_read(&at, &info, err));
	if (version != NULL)
		*version = info.latest_version;
out:
	vault_admin_end(&at);
	return rc;
}

static json_t *change_body(const struct key_admin_change *c)
{
	json_t *body = json_object();
	char period[32];
	bool fine = body != NULL;

	snprintf(period, sizeof(period), "%llus", (unsigned long long)c->auto_rotate);
	if (fine && (c->mask & KEY_SET_MIN_DECRYPTION))
		fine = json_object_set_new(body, "min_decryption_version", json_integer(c->min_decryption_version)) ==
		       0;
	if (fine && (c->mask & KEY_SET_MIN_ENCRYPTION))
		fine = json_object_set_new(body, "min_encryption_version", json_integer(c->min_encryption_version)) ==
		       0;
	if (fine && (c->mask & KEY_SET_DELETION_ALLOWED))
		fine = json_object_set_new(body, "deletion_allowed", json_boolean(c->deletion_allowed)) == 0;
	if (fine && (c->mask & KEY_SET_EXPORTABLE))
		fine = json_object_set_new(body, "exportable", json_boolean(c->exportable)) == 0;
	if (fine && (c->mask & KEY_SET_AUTO_ROTATE))
		fine = json_object_set_new(body, "auto_rotate_period", json_string(period)) == 0;
	if (fine)
		return body;
	json_decref(body);
	return NULL;
}

static enum seal_status admin_configure(const struct key_admin *on, struct seal_bytes reference,
					const struct key_admin_change *change, struct seal_err *err)
{
	struct vault_admin_at at;
	struct key_admin_info info;
	enum seal_status rc;
	json_t *body;

	SEAL_TRY(vault_admin_begin(on, reference, &at, err));
	SEAL_TRY(vault_admin_read(&at, &info, err));
	body = change_body(change);
	if (body == NULL) {
		rc = err_memory(err);
		goto out;
	}
	SEAL_TRY(vault_admin_ask(&at, "POST", "keys", true, "config", body, NULL, err));
out:
	vault_admin_end(&at);
	return rc;
}

static enum seal_status admin_destroy(const struct key_admin *on, struct seal_bytes reference, struct seal_err *err)
{
	struct vault_admin_at at;
	struct key_admin_info info;
	enum seal_status rc;

	SEAL_TRY(vault_admin_begin(on, reference, &at, err));
	SEAL_TRY(vault_admin_read(&at, &info, err));
	if (!info.deletion_allowed) {
		rc = err_set(err, SEAL_DENIED, SEAL_E_DENIED,
			     "key %s may not be deleted; `sealstream key config vault:%s --deletion-allowed true` "
			     "permits it",
			     at.name, at.name);
		goto out;
	}
	SEAL_TRY(vault_admin_ask(&at, "DELETE", "keys", true, NULL, NULL, NULL, err));
out:
	vault_admin_end(&at);
	return rc;
}

static const char *admin_where(struct key_source *source)
{
	return vault_client_name(((struct vault_source *)source)->client);
}

const struct key_admin_ops vault_admin = {
	.size = sizeof(vault_admin),
	.place = "server",
	.where = admin_where,
	.create = admin_create,
	.show = admin_show,
	.list = admin_list,
	.rotate = admin_rotate,
	.configure = admin_configure,
	.destroy = admin_destroy,
	.export = vault_admin_export,
	.import = vault_admin_import,
	.restore = vault_admin_restore,
};
