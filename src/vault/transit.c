/*
 * Sessions of Transit keys: lots made into batch calls.
 *
 *   key_item[] ──▶ those that can be sent ──▶ vault_batch_run ──▶ results in the call's arena
 *                  └─ the others fail here: a damaged text must not cost its neighbours a round trip
 *
 * Invariant: a call that fails leaves no result behind.
 */
#include "vault/transit.h"

#include <stdio.h>

#include "base/mem.h"

static void empty_results(struct key_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		items[i].out = BYTES_EMPTY;
}

/* A server that does not know associated data would make texts that are bound to nothing, and open those of any place. */
static enum seal_status cannot_bind(const struct transit_key *key, struct seal_err *err)
{
	return err_set(
		err, SEAL_USAGE, SEAL_E_KEY_TYPE,
		"%s does not know associated data (Vault before 1.13), so values cannot be bound to their place; "
		"upgrade it, use a derived key, or say 'bind: none'",
		vault_client_name(key->source->client));
}

static enum seal_status check_bound(void *arg, const struct vault_answer *answer, struct seal_err *err)
{
	if (!vault_answer_ignored(answer, "associated_data"))
		return SEAL_OK;
	return cannot_bind(((const struct transit_lot *)arg)->session->key, err);
}

enum seal_status transit_lot_send(struct transit_lot *lot, struct seal_err *err)
{
	struct transit_session *session = lot->session;
	struct vault_source *source = session->key->source;
	const bool aad = lot->bound && !session->key->info.derived;
	struct vault_worker *worker = NULL;
	char head[64] = "";
	const struct vault_job job = {
		.path = session->key->paths[lot->what],
		.capability = "update",
		.head = head,
		.n = lot->n,
		.arg = lot,
		.size = transit_item_size,
		.write = transit_item_write,
		.read = transit_item_read,
		.refused = transit_item_refused,
		.blame = transit_blame,
		.check = aad ? check_bound : NULL,
	};
	enum seal_status rc = SEAL_OK;

	if (lot->n == 0)
		return SEAL_OK;
	if (aad && session->key->old)
		return cannot_bind(session->key, err);
	if (aad) /* means nothing beside batch_input, but a server that does not know it says so */
		snprintf(head, sizeof(head), "\"associated_data\":\"\",");
	else if (lot->version != 0 && lot->what == TRANSIT_HMAC) /* the others' items say it */
		snprintf(head, sizeof(head), "\"key_version\":%u,", lot->version);
	SEAL_TRY(vault_source_take(source, &worker, err));
	rc = vault_batch_run(session->batch, worker, &job, lot->call->deadline_ms, err);
	vault_source_give(source, worker);
out:
	mem_wipe(lot->aad_base64, sizeof(lot->aad_base64)); /* may hold a value of the record */
	return rc;
}

enum seal_status transit_lot_begin(struct transit_lot *lot, struct key_session *base, enum transit_call what,
				   size_t n, const struct key_call *call, struct seal_err *err)
{
	memset(lot, 0, sizeof(*lot));
	lot->session = (struct transit_session *)base;
	lot->session->failed = NULL;
	lot->call = call;
	lot->what = what;
	lot->items = arena_alloc(call->arena, (n + 1) * sizeof(*lot->items), _Alignof(struct key_item *));
	return lot->items != NULL ? SEAL_OK : err_memory(err);
}

enum seal_status transit_lot_add(struct transit_lot *lot, struct key_item *item, struct seal_err *err)
{
	const bool keyed = lot->what != TRANSIT_HMAC;

	if (keyed && lot->session->key->info.derived && item->aad.len == 0) {
		(void)transit_explain(lot->session->key, lot->what, lot->version, item, "missing 'context'", err);
		return SEAL_USAGE;
	}
	lot->bound |= keyed && item->aad.len > 0;
	lot->items[lot->n++] = item;
	return SEAL_OK;
}

/* `version`: of the key, to encrypt or to make HMACs. Text that cannot be Transit's fails here, so that it costs the others nothing. */
static enum seal_status run(struct key_session *base, enum transit_call what, uint32_t version,
			    struct key_item *items, size_t n, const struct key_call *call, struct seal_err *err)
{
	struct transit_lot lot;
	enum seal_status rc;

	SEAL_TRY(transit_lot_begin(&lot, base, what, n, call, err));
	lot.version = version;
	for (size_t i = 0; i < n; i++) {
		items[i].out = BYTES_EMPTY;
		items[i].err = NULL;
		if (what != TRANSIT_DECRYPT || transit_text_version(&lot, &items[i]) != 0)
			SEAL_TRY(transit_lot_add(&lot, &items[i], err));
	}
	SEAL_TRY(transit_lot_send(&lot, err));
out:
	if (rc != SEAL_OK)
		empty_results(items, n);
	return rc;
}

static enum seal_status encrypt(struct key_session *session, struct key_item *items, size_t n,
				const struct key_call *call, struct seal_err *err)
{
	return run(session, TRANSIT_ENCRYPT, call->version, items, n, call, err);
}

static enum seal_status decrypt(struct key_session *session, struct key_item *items, size_t n,
				const struct key_call *call, struct seal_err *err)
{
	return run(session, TRANSIT_DECRYPT, 0, items, n, call, err);
}

static enum seal_status hmac(struct key_session *session, uint32_t version, struct key_item *items, size_t n,
			     const struct key_call *call, struct seal_err *err)
{
	return run(session, TRANSIT_HMAC, version, items, n, call, err);
}

static const struct key_session_ops cipher_ops, hmac_ops;

static void free_session(struct key_session *base)
{
	struct transit_session *session = (struct transit_session *)base;

	if (session == NULL)
		return;
	vault_batch_free(session->batch);
	vault_answer_free(session->answer);
	mem_free(session);
}

enum seal_status transit_session_new(struct key *key, struct key_session **out, struct seal_err *err)
{
	struct transit_session *session = mem_calloc(1, sizeof(*session));
	enum seal_status rc;

	*out = NULL;
	if (session == NULL)
		return err_memory(err);
	session->key = (struct transit_key *)key;
	session->base.ops = (session->key->info.uses & KEY_ENCRYPT) != 0 ? &cipher_ops : &hmac_ops;
	SEAL_TRY(vault_batch_new(session->key->source->client, &session->batch, err));
	SEAL_TRY(vault_answer_new(&session->answer, err));
out:
	if (rc != SEAL_OK)
		free_session(&session->base);
	else
		*out = &session->base;
	return rc;
}

static const struct key_session_ops cipher_ops = {
	.size = sizeof(struct key_session_ops),
	.encrypt = encrypt,
	.decrypt = decrypt,
	.hmac = hmac,
	.rewrap = transit_rewrap,
	.data_key = transit_data_key,
	.free = free_session,
};

static const struct key_session_ops hmac_ops = {
	.size = sizeof(struct key_session_ops),
	.hmac = hmac,
	.free = free_session,
};
