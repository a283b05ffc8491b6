/*
 * Sessions of Transform roles: a lot made into batch calls.
 *
 *   items ──▶ vault_batch_run ──▶ taken: result and tweak in the call's arena
 *                              └▶ refused: the item's error ── nothing at all taken? ──▶ look at role and transformation
 *
 * A token of a transformation that is not convergent is another one each time, so such calls are not repeated behind the
 * caller's back when an answer was lost: the caller encodes the lot again, and the lost tokens stay unused on the server.
 *
 * Invariant: a call that fails leaves no result behind.
 */
#include "vault/transform.h"

#include "base/clock.h"
#include "base/mem.h"
#include "json/string.h"

#define FINE_MS 5000 /* how long role and transformation are believed to be in order */

static void empty_results(struct key_transform_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		items[i].out = items[i].out_tweak = BYTES_EMPTY;
}

static size_t member_size(const char *name, const char *text)
{
	return text != NULL ? strlen(name) + 4 + json_string_written(bytes_str(text)) : 0;
}

/* ,"name":"text" */
static uint8_t *member(uint8_t *to, const char *name, const char *text)
{
	const size_t len = strlen(name);

	if (text == NULL)
		return to;
	*to++ = ',';
	*to++ = '"';
	memcpy(to, name, len);
	to += len;
	*to++ = '"';
	*to++ = ':';
	return to + json_string_write(bytes_str(text), to);
}

/* What stands in every item of the lot. */
static enum seal_status make_tail(struct transform_lot *lot, struct seal_err *err)
{
	const struct key_transform *how = lot->how;
	const struct {
		const char *name, *text;
	} members[] = {
		{"transformation", how->transformation},
		{"ttl", lot->decode ? NULL : how->ttl},
		{"expiration", lot->decode ? NULL : how->expiration},
		{"metadata", lot->decode ? NULL : how->metadata},
	};
	const size_t n = sizeof(members) / sizeof(members[0]);
	uint8_t *start, *to;
	size_t room = 1;

	for (size_t i = 0; i < n; i++)
		room += member_size(members[i].name, members[i].text);
	start = to = arena_alloc(lot->call->arena, room, 1);
	if (start == NULL)
		return err_memory(err);
	for (size_t i = 0; i < n; i++)
		to = member(to, members[i].name, members[i].text);
	lot->tail = bytes_of(start, (size_t)(to - start));
	return SEAL_OK;
}

/* Does the text speak of what the configuration is about? */
static bool speaks_of_configuration(const char *text)
{
	return strstr(text, "role") != NULL || strstr(text, "transformation") != NULL;
}

enum seal_status transform_doubt(struct transform_lot *lot, const char *said, bool *certain, struct seal_err *err)
{
	struct transform_session *session = lot->session;
	const uint64_t now_ms = clock_mono_ms();
	struct transform_facts facts;
	enum seal_status rc = SEAL_OK;

	*certain = true;
	if (session->fine_ms != 0 && now_ms - session->fine_ms < FINE_MS)
		return SEAL_OK;
	SEAL_TRY(transform_look(session->role, lot->how, lot->call->deadline_ms, &facts, err));
	*certain = facts.type != TRANSFORM_UNKNOWN;
	if (*certain)
		session->fine_ms = now_ms;
	else if (speaks_of_configuration(said) && (!session->worked || lot->n > 1))
		rc = err_set(err, SEAL_USAGE, SEAL_E_CONFIG,
			     "%s takes nothing for role %s: \"%s\"; correct the policy or the role (a token that may "
			     "read both "
			     "is told more)",
			     vault_client_name(session->role->source->client), session->role->label, said);
out:
	return rc;
}

/* Masked values don't come back; what the server would say is known without asking it. */
static enum seal_status refuse_masked(struct transform_lot *lot, struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;

	(void)err_set(&why, SEAL_DATA, SEAL_E_ONE_WAY,
		      "masked by role %s: nothing gives the value back; set 'one_way: true' to leave such values as "
		      "they are",
		      lot->session->role->label);
	for (size_t i = 0; i < lot->n; i++)
		transform_item_fail(lot, &lot->items[i], &why);
	return SEAL_OK;
}

static enum seal_status path_for(const struct transform_lot *lot, const char **out, struct seal_err *err)
{
	const struct transform_role *role = lot->session->role;

	*out = lot->decode ? role->decode_path : role->encode_path;
	if (lot->decode && lot->how->decode_format != NULL)
		*out = arena_printf(lot->call->arena, "%s/%s", role->decode_path, lot->how->decode_format);
	return *out != NULL ? SEAL_OK : err_memory(err);
}

static enum seal_status send(struct transform_lot *lot, const struct transform_facts *facts, struct seal_err *err)
{
	struct transform_session *session = lot->session;
	struct vault_worker *worker = NULL;
	struct vault_job job = {
		.capability = "update",
		.head = "",
		.n = lot->n,
		.arg = lot,
		.size = transform_item_size,
		.write = transform_item_write,
		.read = transform_item_read,
		.refused = transform_item_refused,
		.blame = transform_blame,
		.once = !lot->decode && (facts->type == TRANSFORM_UNKNOWN ||
					 (facts->type == TRANSFORM_TOKENIZATION && !facts->convergent)),
	};
	bool certain;
	enum seal_status rc;

	SEAL_TRY(path_for(lot, &job.path, err));
	SEAL_TRY(make_tail(lot, err));
	SEAL_TRY(vault_source_take(session->role->source, &worker, err));
	rc = vault_batch_run(session->batch, worker, &job, lot->call->deadline_ms, err);
	vault_source_give(session->role->source, worker);
	if (rc == SEAL_OK && lot->taken == 0 && lot->failed > 0)
		rc = transform_doubt(lot, lot->doubt, &certain, err);
	session->worked |= rc == SEAL_OK && lot->taken > 0;
out:
	return rc;
}

static enum seal_status transform(struct key_session *base, const struct key_transform *how, bool decode,
				  struct key_transform_item *items, size_t n, const struct key_call *call,
				  struct seal_err *err)
{
	struct transform_session *session = (struct transform_session *)base;
	const struct transform_facts facts = transform_known(session->role, how);
	struct transform_lot lot = {
		.session = session, .how = how, .call = call, .decode = decode, .items = items, .n = n};
	enum seal_status rc;

	for (size_t i = 0; i < n; i++)
		items[i].err = NULL;
	empty_results(items, n);
	if (n == 0)
		return SEAL_OK;
	if (decode && facts.type == TRANSFORM_MASKING)
		return refuse_masked(&lot, err);
	rc = send(&lot, &facts, err);
	if (rc != SEAL_OK)
		empty_results(items, n);
	return rc;
}

static void session_free(struct key_session *base)
{
	struct transform_session *session = (struct transform_session *)base;

	if (session == NULL)
		return;
	vault_batch_free(session->batch);
	mem_free(session);
}

static const struct key_session_ops session_ops = {
	.size = sizeof(struct key_session_ops),
	.transform = transform,
	.free = session_free,
};

enum seal_status transform_session_new(struct key *key, struct key_session **out, struct seal_err *err)
{
	struct transform_session *session = mem_calloc(1, sizeof(*session));
	enum seal_status rc;

	*out = NULL;
	if (session == NULL)
		return err_memory(err);
	session->base.ops = &session_ops;
	session->role = (struct transform_role *)key;
	SEAL_TRY(vault_batch_new(session->role->source->client, &session->batch, err));
out:
	if (rc != SEAL_OK)
		session_free(&session->base);
	else
		*out = &session->base;
	return rc;
}
