/*
 * Rewrapping: the server does it itself, so that no plaintext leaves it, except for what is bound to associated data,
 * which its rewrap does not take.
 *
 *   text of the wanted version            stays
 *   other, unbound or of a derived key    Transit's rewrap
 *   other, bound to associated data       decrypt, encrypt (keys/by_encryption.h)
 *
 * Wanted is the version that the call asks for, or the newest: that of the key as read a moment ago, or a newer one that the
 * server has used since.
 */
#include "keys/by_encryption.h"
#include "vault/transit.h"

#define READ_AGAIN_MS 5000 /* how long a rotation may stay unseen */

struct others {
	struct transit_lot server;
	struct key_item **bound;
	struct key_item *scratch; /* as many as bound */
	size_t n_bound;
};

static enum seal_status sort(struct others *others, struct key_item *items, size_t n, struct seal_err *err)
{
	const struct transit_key *key = others->server.session->key;
	const uint32_t asked = others->server.version, wanted = asked != 0 ? asked : atomic_load(&key->latest);
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < n; i++) {
		struct key_item *item = &items[i];
		uint32_t version;

		item->err = NULL;
		item->out = BYTES_EMPTY;
		version = transit_text_version(&others->server, item);
		if (version == 0)
			continue;
		if (version == wanted)
			item->out = item->in;
		else if (item->aad.len > 0 && !key->info.derived)
			others->bound[others->n_bound++] = item;
		else
			SEAL_TRY(transit_lot_add(&others->server, item, err));
	}
out:
	return rc;
}

static enum seal_status read_again(struct transit_key *key, const struct key_call *call, struct seal_err *err)
{
	struct vault_worker *worker = NULL;
	enum seal_status rc;

	SEAL_TRY(vault_source_take(key->source, &worker, err));
	rc = transit_key_refresh(key, worker, READ_AGAIN_MS, call->deadline_ms, err);
	vault_source_give(key->source, worker);
out:
	return rc;
}

enum seal_status transit_rewrap(struct key_session *session, struct key_item *items, size_t n,
				const struct key_call *call, struct seal_err *err)
{
	struct others others = {.n_bound = 0};
	enum seal_status rc;

	SEAL_TRY(transit_lot_begin(&others.server, session, TRANSIT_REWRAP, n, call, err));
	others.server.version = call->version;
	others.bound = arena_alloc(call->arena, (n + 1) * sizeof(*others.bound), _Alignof(struct key_item *));
	others.scratch = arena_alloc(call->arena, (n + 1) * sizeof(*others.scratch), _Alignof(struct key_item));
	if (others.bound == NULL || others.scratch == NULL) {
		rc = err_memory(err);
		goto out;
	}
	SEAL_TRY(read_again(others.server.session->key, call, err));
	SEAL_TRY(sort(&others, items, n, err));
	SEAL_TRY(transit_lot_send(&others.server, err));
	if (others.n_bound > 0)
		SEAL_TRY(key_renew(session, others.bound, others.scratch, others.n_bound, call, err));
out:
	for (size_t i = 0; rc != SEAL_OK && i < n; i++)
		items[i].out = BYTES_EMPTY;
	return rc;
}
