/*
 * A role at start. Role and transformation are read where the token may: then a policy that asks for what the server does
 * not do ends the start, with what to correct on which side. Where it may not, the first record shows.
 */
#include <fnmatch.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "vault/transform.h"

#define LIST_MAX 64 /* names that a message or a search for the nearest looks at */

/* An answer that is looked at whatever its status. */
struct looked {
	unsigned status;
	struct seal_err denied; /* of a 403: what is the matter with the token */
	json_t *data; /* the answer's `data`, or NULL; the caller's */
	char text[VAULT_QUOTE_MAX + 1]; /* of its errors */
};

static void looked_clear(struct looked *looked)
{
	json_decref(looked->data);
	looked->data = NULL;
}

static enum seal_status take_data(struct transform_role *role, const struct vault_call *call, struct looked *out,
				  struct seal_err *err)
{
	json_t *whole = call->answer.len == 0 ? NULL : vault_json_load(call->answer, NULL);

	out->status = call->status;
	out->data = json_incref(json_object_get(whole, "data"));
	json_decref(whole);
	if (call->status == 200 && !json_is_object(out->data))
		return vault_call_nonsense(role->source->client, call, "no data", err);
	if (call->status != 200 && vault_answer_errors(call->answer, out->text) == SEAL_FATAL)
		return err_memory(err);
	return SEAL_OK;
}

/*
 * GET `path`, or POST with a body. Answers 200, 400, 403 and 404 are the caller's to look at; all else is an error.
 */
static enum seal_status look_at(struct transform_role *role, const char *path, const char *body, uint64_t deadline_ms,
				struct looked *out, struct seal_err *err)
{
	struct vault_call call = {.method = body != NULL ? "POST" : "GET",
				  .path = path,
				  .body = body != NULL ? bytes_str(body) : BYTES_EMPTY,
				  .capability = body != NULL ? "update" : "read",
				  .look = true};
	struct vault_worker *worker = NULL;
	enum seal_status rc;

	memset(out, 0, sizeof(*out));
	SEAL_TRY(vault_source_take(role->source, &worker, err));
	SEAL_TRY(vault_start(worker, &call, deadline_ms, err));
	SEAL_INVARIANT(vault_next(worker) == &call);
	rc = call.status == 403 ? SEAL_OK : call.err.status;
	out->denied = call.err;
	if (rc != SEAL_OK && err != NULL)
		*err = call.err;
	else if (rc == SEAL_OK && call.status != 200 && call.status != 400 && call.status != 403 &&
		 call.status != 404)
		rc = vault_call_error(role->source->client, &call, err);
	if (rc == SEAL_OK)
		rc = take_data(role, &call, out, err);
	vault_call_clear(&call);
out:
	vault_source_give(role->source, worker);
	if (rc != SEAL_OK)
		looked_clear(out);
	return rc;
}

/* "MOUNT/what/NAME" in the arena. */
static char *path_of(struct arena *arena, const char *mount, const char *what, const char *name)
{
	return arena_printf(arena, "%s/%s/%s", mount, what, name);
}

/* What a server says where no Transform is mounted: nothing at all, or another engine. */
static bool is_no_engine(const struct looked *looked)
{
	return strstr(looked->text, "no handler for route") != NULL ||
	       strstr(looked->text, "unsupported path") != NULL ||
	       strstr(looked->text, "unsupported operation") != NULL ||
	       strstr(looked->text, "plugin not found") != NULL;
}

static enum seal_status no_engine(const struct transform_role *role, struct seal_err *err)
{
	return err_set(
		err, SEAL_USAGE, SEAL_E_KEY_UNKNOWN,
		"there is no Transform engine at %s of %s; correct 'mount', or enable it with `vault secrets enable "
		"-path=%s transform`, which Vault Enterprise with the ADP module has, and neither OpenBao nor Vault "
		"without a licence",
		role->mount, vault_client_name(role->source->client), role->mount);
}

/* The role's name that is nearest to `name`, in the arena; NULL: none, or they may not be listed. */
static const char *nearest(struct transform_role *role, uint64_t deadline_ms, struct arena *arena)
{
	const char *path = arena_printf(arena, "%s/role?list=true", role->mount), *words[LIST_MAX + 1] = {NULL},
		   *found;
	struct looked looked;
	size_t n = 0, i;
	json_t *name;

	if (path == NULL || look_at(role, path, NULL, deadline_ms, &looked, NULL) != SEAL_OK)
		return NULL;
	json_array_foreach(json_object_get(looked.data, "keys"), i, name)
	{
		if (json_is_string(name) && n < LIST_MAX)
			words[n++] = json_string_value(name);
	}
	found = word_nearest(words, bytes_str(role->name));
	found = found != NULL ? arena_strndup(arena, found, strlen(found)) : NULL;
	looked_clear(&looked);
	return found;
}

static enum seal_status no_role(struct transform_role *role, uint64_t deadline_ms, struct seal_err *err)
{
	struct arena arena;
	const char *near;

	arena_init(&arena, 0);
	near = nearest(role, deadline_ms, &arena);
	(void)err_set(
		err, SEAL_USAGE, SEAL_E_KEY_UNKNOWN,
		"there is no role %s at %s of %s%s%s%s; create it with `vault write %s/role/%s transformations=NAME`",
		role->name, role->mount, vault_client_name(role->source->client), near ? "; did you mean " : "",
		near ? near : "", near ? "?" : "", role->mount, role->name);
	arena_clear(&arena);
	return SEAL_USAGE;
}

/*
 * The role may not be read. That is fine for a token that may encode or decode; one that may do nothing, or is none, is told
 * now and not at the first record.
 */
static enum seal_status without_reading(struct transform_role *role, const struct seal_err *denied,
					uint64_t deadline_ms, struct seal_err *err)
{
	char body[1024];
	struct looked looked;
	const json_t *word;
	bool any = false;
	size_t i;
	enum seal_status rc = SEAL_OK;

	snprintf(body, sizeof(body), "{\"paths\":[\"%s\",\"%s\"]}", role->encode_path, role->decode_path);
	SEAL_TRY(look_at(role, "sys/capabilities-self", body, deadline_ms, &looked, err));
	for (unsigned path = 0; path < 2; path++)
		json_array_foreach(json_object_get(looked.data, path ? role->decode_path : role->encode_path), i,
				   word) any |= json_is_string(word) && strcmp(json_string_value(word), "deny") != 0;
	if (looked.status == 200 && !any)
		rc = err_set(err, SEAL_DENIED, SEAL_E_DENIED,
			     "%s lets this token neither encode nor decode with role %s; its policy must grant: path "
			     "\"%s\" { "
			     "capabilities = [\"update\"] }, and the same for decode",
			     vault_client_name(role->source->client), role->label, role->encode_path);
	else if (looked.status == 403)
		rc = err_set(err, SEAL_DENIED, denied->code, "%s", denied->text);
	else
		log_say(LOG_DEBUG,
			"the token may not read role %s: what the policy asks of it shows at the first value",
			role->label);
	looked_clear(&looked);
out:
	return rc;
}

/* *out is the role as the server has it; NULL: it may not be read. */
static enum seal_status read_role(struct transform_role *role, uint64_t deadline_ms, json_t **out,
				  struct seal_err *err)
{
	struct looked looked = {.status = 0};
	struct arena arena;
	const char *path;
	enum seal_status rc = SEAL_OK;

	*out = NULL;
	arena_init(&arena, 0);
	path = path_of(&arena, role->mount, "role", role->name);
	if (path == NULL) {
		rc = err_memory(err);
		goto out;
	}
	SEAL_TRY(look_at(role, path, NULL, deadline_ms, &looked, err));
	if (looked.status == 403)
		rc = without_reading(role, &looked.denied, deadline_ms, err);
	else if (looked.status != 200)
		rc = is_no_engine(&looked) || looked.status == 400 ? no_engine(role, err)
								   : no_role(role, deadline_ms, err);
	if (looked.status == 200)
		*out = json_incref(looked.data);
out:
	looked_clear(&looked);
	arena_clear(&arena);
	return rc;
}

/* "a, b, c", for a message. */
static void join(const json_t *names, char *out, size_t room)
{
	const json_t *name;
	size_t i, len = 0;

	out[0] = '\0';
	json_array_foreach(names, i, name)
	{
		const int n = snprintf(out + len, room - len, "%s%.80s", i ? ", " : "",
				       json_is_string(name) ? json_string_value(name) : "?");

		if (n < 0 || (size_t)n >= room - len)
			break;
		len += (size_t)n;
	}
}

/* Which of the role's transformations is asked for: in *name, a view of `how` or of `data`. */
static enum seal_status choose(const struct transform_role *role, const json_t *data, const struct key_transform *how,
			       const char **name, struct seal_err *err)
{
	const json_t *names = json_object_get(data, "transformations"), *one;
	char all[160];
	size_t i;

	*name = how->transformation;
	join(names, all, sizeof(all));
	if (*name == NULL && json_array_size(names) == 1)
		*name = json_string_value(json_array_get(names, 0));
	if (*name == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "role %s has %s%s%s; say which with 'transformation'",
			       role->label,
			       json_array_size(names) == 0 ? "no transformation" : "several transformations (", all,
			       all[0] != '\0' ? ")" : "");
	json_array_foreach(names, i, one)
	{
		if (json_is_string(one) && strcmp(json_string_value(one), *name) == 0)
			return SEAL_OK;
	}
	return err_set(
		err, SEAL_USAGE, SEAL_E_CONFIG,
		"role %s does not have transformation %s (it has %s); correct the policy, or add it to the role",
		role->label, *name, all[0] != '\0' ? all : "none");
}

static bool text_is(const json_t *object, const char *member, const char *text)
{
	const char *found = json_string_value(json_object_get(object, member));

	return found != NULL && strcmp(found, text) == 0;
}

/* Seconds: 3600 or "3600", as servers write durations that they were given in seconds. */
static uint64_t seconds_of(const json_t *value)
{
	const char *text = json_string_value(value);
	uint64_t seconds = 0;

	if (json_is_integer(value) && json_integer_value(value) > 0)
		return (uint64_t)json_integer_value(value);
	if (text == NULL || !bytes_to_u64(bytes_of(text, strspn(text, "0123456789")), UINT64_MAX, &seconds))
		return 0;
	return seconds;
}

static void read_facts(const json_t *data, struct transform_facts *facts)
{
	const json_int_t most = json_integer_value(json_object_get(data, "max_tweak_len"));

	if (text_is(data, "type", "fpe"))
		facts->type = TRANSFORM_FPE;
	else if (text_is(data, "type", "masking"))
		facts->type = TRANSFORM_MASKING;
	else if (text_is(data, "type", "tokenization"))
		facts->type = TRANSFORM_TOKENIZATION;
	facts->tweak = text_is(data, "tweak_source", "internal")    ? KEY_TWEAK_INTERNAL
		       : text_is(data, "tweak_source", "generated") ? KEY_TWEAK_GENERATED
								    : KEY_TWEAK_SUPPLIED;
	facts->ff1 = text_is(data, "fpe_algorithm", "ff1");
	facts->max_tweak = most > 0 ? (size_t)most : 0;
	facts->convergent = json_is_true(json_object_get(data, "convergent"));
	facts->max_ttl_s = seconds_of(json_object_get(data, "max_ttl"));
}

static bool allows(const struct transform_role *role, const json_t *data)
{
	const json_t *roles = json_object_get(data, "allowed_roles"), *one;
	size_t i;

	json_array_foreach(roles, i, one)
	{
		if (json_is_string(one) && fnmatch(json_string_value(one), role->name, 0) == 0)
			return true;
	}
	return !json_is_array(roles);
}

static const char *const tweak_words[] = {"internal", "supplied", "generated"};

static enum seal_status compare_fpe(const char *name, const struct transform_facts *facts,
				    const struct key_transform *how, struct seal_err *err)
{
	if (facts->tweak != how->tweak)
		return err_set(
			err, SEAL_USAGE, SEAL_E_CONFIG,
			"transformation %s has 'tweak_source: %s' on the server, and the policy says %s; correct the "
			"policy",
			name, tweak_words[facts->tweak], tweak_words[how->tweak]);
	if (how->ttl != NULL || how->expiration != NULL || how->metadata != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "'ttl', 'expiration' and 'metadata' are for tokenization, and transformation %s is "
			       "format-preserving",
			       name);
	if (how->tweak == KEY_TWEAK_SUPPLIED && !facts->ff1 && how->tweak_len != 7)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "transformation %s is FF3-1, whose tweaks have 7 bytes, and the policy's have %zu",
			       name, how->tweak_len);
	if (how->tweak == KEY_TWEAK_SUPPLIED && facts->max_tweak != 0 && how->tweak_len > facts->max_tweak)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "transformation %s takes tweaks of %zu bytes at most, and the policy's have %zu", name,
			       facts->max_tweak, how->tweak_len);
	return SEAL_OK;
}

static enum seal_status compare(const char *name, const struct transform_facts *facts,
				const struct key_transform *how, struct seal_err *err)
{
	const char *kind = facts->type == TRANSFORM_MASKING ? "masking" : "tokenization";
	uint64_t ttl_s = 0;

	if (facts->type == TRANSFORM_UNKNOWN)
		return SEAL_OK;
	if (facts->type == TRANSFORM_FPE)
		return compare_fpe(name, facts, how, err);
	if (how->tweak != KEY_TWEAK_INTERNAL)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "transformation %s is %s, which has no tweak; leave 'tweak_source' out of the policy",
			       name, kind);
	if (facts->type == TRANSFORM_MASKING &&
	    (how->ttl != NULL || how->expiration != NULL || how->metadata != NULL))
		return err_set(
			err, SEAL_USAGE, SEAL_E_CONFIG,
			"'ttl', 'expiration' and 'metadata' are for tokenization, and transformation %s is masking",
			name);
	if (how->decode_format != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "'decode_format' is for format-preserving transformations, and %s is %s", name, kind);
	if (how->ttl != NULL)
		(void)bytes_to_u64(bytes_of(how->ttl, strspn(how->ttl, "0123456789")), UINT64_MAX, &ttl_s);
	if (facts->max_ttl_s != 0 && ttl_s > facts->max_ttl_s)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			       "'ttl' is %llu s, and transformation %s allows %llu s at most",
			       (unsigned long long)ttl_s, name, (unsigned long long)facts->max_ttl_s);
	return SEAL_OK;
}

static enum seal_status remember(struct transform_role *role, const struct key_transform *how,
				 const struct transform_facts *facts, struct seal_err *err)
{
	const char *name = how->transformation != NULL ? how->transformation : "";
	struct transform_seen *seen;

	pthread_mutex_lock(&role->lock);
	for (seen = role->seen; seen != NULL && strcmp(seen->name, name) != 0; seen = seen->next)
		;
	if (seen == NULL && (seen = ARENA_NEW(&role->arena, struct transform_seen)) != NULL) {
		*seen = (struct transform_seen){role->seen, arena_strndup(&role->arena, name, strlen(name)), *facts};
		if (seen->name != NULL)
			role->seen = seen;
		else
			seen = NULL;
	}
	if (seen != NULL)
		seen->facts = *facts;
	pthread_mutex_unlock(&role->lock);
	return seen != NULL ? SEAL_OK : err_memory(err);
}

struct transform_facts transform_known(struct transform_role *role, const struct key_transform *how)
{
	const char *name = how->transformation != NULL ? how->transformation : "";
	struct transform_facts facts = {.type = TRANSFORM_UNKNOWN};

	pthread_mutex_lock(&role->lock);
	for (const struct transform_seen *seen = role->seen; seen != NULL; seen = seen->next)
		if (strcmp(seen->name, name) == 0)
			facts = seen->facts;
	pthread_mutex_unlock(&role->lock);
	return facts;
}

static enum seal_status look_at_transformation(struct transform_role *role, const char *name,
					       const struct key_transform *how, uint64_t deadline_ms,
					       struct transform_facts *facts, struct seal_err *err)
{
	struct looked looked = {.status = 0};
	struct arena arena;
	const char *path;
	enum seal_status rc;

	arena_init(&arena, 0);
	path = path_of(&arena, role->mount, "transformation", name);
	if (path == NULL) {
		rc = err_memory(err);
		goto out;
	}
	SEAL_TRY(look_at(role, path, NULL, deadline_ms, &looked, err));
	if (looked.status == 404) {
		rc = err_set(
			err, SEAL_USAGE, SEAL_E_CONFIG,
			"role %s names transformation %s, which does not exist; create it, or correct the policy",
			role->label, name);
	} else if (looked.status == 200 && !allows(role, looked.data)) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			     "transformation %s does not allow role %s; add it to the transformation's allowed_roles",
			     name, role->name);
	} else if (looked.status == 200) {
		read_facts(looked.data, facts);
		rc = compare(name, facts, how, err);
	} else {
		log_say(LOG_DEBUG, "the token may not read %s: whether the policy fits it shows at the first value",
			path);
	}
out:
	looked_clear(&looked);
	arena_clear(&arena);
	return rc;
}

enum seal_status transform_look(struct transform_role *role, const struct key_transform *how, uint64_t deadline_ms,
				struct transform_facts *facts, struct seal_err *err)
{
	const char *name = how->transformation;
	json_t *data = NULL;
	enum seal_status rc;

	*facts = (struct transform_facts){.type = TRANSFORM_UNKNOWN};
	SEAL_TRY(read_role(role, deadline_ms, &data, err));
	if (data != NULL)
		SEAL_TRY(choose(role, data, how, &name, err));
	if (name != NULL)
		SEAL_TRY(look_at_transformation(role, name, how, deadline_ms, facts, err));
	rc = remember(role, how, facts, err);
out:
	json_decref(data);
	return rc;
}

static enum seal_status check(struct key *key, const struct key_transform *how, struct seal_err *err)
{
	struct transform_facts facts;

	return transform_look((struct transform_role *)key, how, clock_mono_ms() + VAULT_START_MS, &facts, err);
}

static enum seal_status info(struct key *key, struct key_info *out, struct seal_err *err)
{
	*out = (struct key_info){.type = "transform", .uses = KEY_TRANSFORM};
	return SEAL_OK;
}

static void role_free(struct key *key)
{
	struct transform_role *role = (struct transform_role *)key;

	if (role == NULL)
		return;
	pthread_mutex_destroy(&role->lock);
	arena_clear(&role->arena);
	mem_free(role);
}

static const struct key_ops role_ops = {
	.size = sizeof(struct key_ops),
	.info = info,
	.session = transform_session_new,
	.free = role_free,
	.transform_check = check,
};

enum seal_status transform_role_open(struct vault_source *source, const struct vault_reference *reference,
				     struct key **out, struct seal_err *err)
{
	struct transform_role *role = mem_calloc(1, sizeof(*role));
	json_t *data = NULL;
	enum seal_status rc;

	*out = NULL;
	if (role == NULL)
		return err_memory(err);
	role->base.ops = &role_ops;
	role->source = source;
	arena_init(&role->arena, 0);
	SEAL_INVARIANT(pthread_mutex_init(&role->lock, NULL) == 0);
	role->mount = arena_strndup(&role->arena, (const char *)reference->mount.ptr, reference->mount.len);
	role->name = arena_strndup(&role->arena, (const char *)reference->name.ptr, reference->name.len);
	if (role->mount != NULL && role->name != NULL) {
		role->label = path_of(&role->arena, role->mount, "role", role->name);
		role->encode_path = path_of(&role->arena, role->mount, "encode", role->name);
		role->decode_path = path_of(&role->arena, role->mount, "decode", role->name);
	}
	if (role->label == NULL || role->encode_path == NULL || role->decode_path == NULL) {
		rc = err_memory(err);
		goto out;
	}
	SEAL_TRY(read_role(role, clock_mono_ms() + VAULT_START_MS, &data, err));
out:
	json_decref(data);
	if (rc != SEAL_OK)
		role_free(&role->base);
	else
		*out = &role->base;
	return rc;
}
