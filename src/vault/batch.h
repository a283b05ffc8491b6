/*
 * A lot as few requests: what Transit and Transform calls with `batch_input` have in common.
 *
 *   items ──▶ [ range | range | range | … ]  equal ones, within the server's limits by count and by bytes
 *                 │ built into JSON, started; up to vault_in_flight() under way while the next one is built
 *                 ▼
 *             answers as they come ──▶ job->read(item, its result)
 *                 └─ refused as a whole: too much ──▶ limit learned, range halved
 *                                        one item's fault ──▶ halved until it stands alone ──▶ job->refused(item)
 *
 * The deadline is for the first answer; each one with results gives as long again. So a server that is slow, but works,
 * ends a lot of any size, and one that has stopped is noticed as soon.
 *
 * The call fails only as a whole: RETRY (away; an answer that is not what the engine gives), DENIED, USAGE, FATAL.
 */
#ifndef VAULT_BATCH_H
#define VAULT_BATCH_H

#include "vault/answer.h"
#include "vault/client.h"

/* Whose fault a text of the server's is. */
enum vault_blame {
	VAULT_BLAME_ITEM, /* one item's, of a kind that is known */
	VAULT_BLAME_CALL, /* the whole call's: `err` is filled */
	VAULT_BLAME_UNKNOWN
};

/* What the items are; all of it must live until the run is over. */
struct vault_job {
	const char *path; /* after /v1/: "transit/encrypt/pii" */
	const char *capability; /* that a policy must grant on it: "update" */
	const char *head; /* members before batch_input, each with its comma; "" */
	size_t n; /* items */
	bool once; /* the work is not the same when it is done twice: vault_call.once */
	void *arg;
	/* How long the item's object is at most. */
	size_t (*size)(void *arg, size_t item);
	/* Writes the item's object, at most so long; its end. */
	uint8_t *(*write)(void *arg, size_t item, uint8_t *to);
	/*
	 * Takes the item's result. SEAL_DATA: it is not what the engine gives, err says how; the call then ends with RETRY.
	 * Another failure ends the call as it is.
	 */
	enum seal_status (*read)(void *arg, size_t item, const struct vault_result *result, struct seal_err *err);
	/* This item alone is what the server refuses; `why` has class SEAL_DATA and lives only now. */
	enum seal_status (*refused)(void *arg, size_t item, const struct seal_err *why, struct seal_err *err);
	/* `text` is what the server said to a whole request of n items. NULL: nothing is known of its texts. */
	enum vault_blame (*blame)(void *arg, size_t first, size_t n, unsigned status, const char *text,
				  struct seal_err *err);
	/* Looks at each answer as a whole before its results are read. NULL: nothing to look at. */
	enum seal_status (*check)(void *arg, const struct vault_answer *answer, struct seal_err *err);
};

struct vault_batch;

/* Scratch for runs, one thread at a time. It is wiped between runs. */
SEAL_MUST_USE enum seal_status vault_batch_new(struct vault_client *client, struct vault_batch **out,
					       struct seal_err *err);
void vault_batch_free(struct vault_batch *batch);

SEAL_MUST_USE enum seal_status vault_batch_run(struct vault_batch *batch, struct vault_worker *worker,
					       const struct vault_job *job, uint64_t deadline_ms,
					       struct seal_err *err);

#endif
