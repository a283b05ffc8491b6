/*
 * Cutting a lot into requests, keeping several under way, and finding the one item that spoils a request.
 *
 *   todo[]   stack of ranges not sent yet; a cut takes the first items off the top one, a refused request puts its two
 *            halves back
 *   slots[]  requests; a free one has no call under way
 *
 * A throttled request (429) goes back to todo: what is under way is waited for, and after a pause the rest is sent, as long as
 * each round gets something through. So a lot of more requests than a quota lets through at once ends all the same.
 *
 * Invariants: every item is in exactly one of todo, a slot under way, or done; when a run ends no call is under way and
 * every body is wiped.
 */
#include "vault/batch.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

#define BODY_OPEN "\"batch_input\":["
#define BODY_HARD_MAX (30u << 20) /* servers take 32 MiB */
#define BODY_KEEP (1u << 20) /* memory of a body that is kept from run to run */
#define SPREAD_MIN 64 /* a lot of twice as many is spread over connections, whatever the limit */
#define THROTTLED_MS 1000 /* between two rounds: quotas are mostly counted by the second */
#define ALONE_MAX 16 /* items refused one by one, and nothing else answered: it is not the items */

struct range {
	size_t first, n;
};

struct slot {
	struct vault_call call;
	struct seal_buf body;
	struct range range;
	bool busy;
};

/* An item that a server refused alone for a reason nobody knows; whose fault it is shows at the end. */
struct alone {
	size_t item;
	char text[VAULT_QUOTE_MAX + 1];
};

struct vault_batch {
	struct vault_client *client;
	struct vault_answer *answer;
	struct slot *slots;
	unsigned n_slots, under_way;
	struct range *todo;
	size_t n_todo, cap_todo;
	struct alone alone[ALONE_MAX];
	size_t n_alone;
	struct seal_err why; /* of the first of them, as the call's */
	bool answered; /* some request of this run had results */
	bool moved; /* … since the last pause */
	struct seal_err throttled; /* status SEAL_OK: nothing was since then */
	/* The run. */
	struct vault_worker *worker;
	const struct vault_job *job;
	uint64_t deadline_ms, patience_ms; /* each answer with results moves the deadline: patience from then on */
};

enum seal_status vault_batch_new(struct vault_client *client, struct vault_batch **out, struct seal_err *err)
{
	struct vault_batch *batch = mem_calloc(1, sizeof(*batch));
	enum seal_status rc;

	*out = NULL;
	if (batch == NULL)
		return err_memory(err);
	batch->client = client;
	batch->n_slots = vault_in_flight(client);
	batch->slots = mem_calloc(batch->n_slots, sizeof(*batch->slots));
	if (batch->slots == NULL) {
		rc = err_memory(err);
		goto out;
	}
	for (unsigned i = 0; i < batch->n_slots; i++)
		batch->slots[i].body = (struct seal_buf)BUF_INIT(BODY_HARD_MAX);
	SEAL_TRY(vault_answer_new(&batch->answer, err));
out:
	if (rc != SEAL_OK)
		vault_batch_free(batch);
	else
		*out = batch;
	return rc;
}

void vault_batch_free(struct vault_batch *batch)
{
	if (batch == NULL)
		return;
	for (unsigned i = 0; batch->slots != NULL && i < batch->n_slots; i++)
		buf_clear(&batch->slots[i].body);
	mem_free(batch->slots);
	mem_free(batch->todo);
	vault_answer_free(batch->answer);
	mem_free(batch);
}

static enum seal_status push(struct vault_batch *batch, size_t first, size_t n, struct seal_err *err)
{
	if (n == 0)
		return SEAL_OK;
	if (batch->n_todo == batch->cap_todo) {
		const size_t wanted = batch->cap_todo ? batch->cap_todo * 2 : 16;
		void *grown = mem_realloc_array(batch->todo, wanted, sizeof(*batch->todo));

		if (grown == NULL)
			return err_memory(err);
		batch->todo = grown;
		batch->cap_todo = wanted;
	}
	batch->todo[batch->n_todo++] = (struct range){first, n};
	return SEAL_OK;
}

/* The second half first, so that items are sent in their order. */
static enum seal_status push_halves(struct vault_batch *batch, struct range range, struct seal_err *err)
{
	const size_t half = range.n / 2;
	enum seal_status rc = push(batch, range.first + half, range.n - half, err);

	return rc != SEAL_OK ? rc : push(batch, range.first, half, err);
}

static enum seal_status refuse_large(struct vault_batch *batch, size_t item, struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;

	(void)err_set(
		&why, SEAL_DATA, SEAL_E_LIMIT,
		"the value is larger than the server takes in one call; raise the server's limits, or protect it "
		"under a local key");
	return batch->job->refused(batch->job->arg, item, &why, err);
}

/* How many of the range's items go into each of the requests that they need: equal ones. A lot is spread over connections. */
static size_t share(const struct vault_batch *batch, struct range range)
{
	const size_t limit = vault_batch_limit(batch->client), n = range.n;
	size_t requests = (n + limit - 1) / limit, spread = n == batch->job->n ? n / SPREAD_MIN : 0;

	if (spread > batch->n_slots)
		spread = batch->n_slots;
	if (requests < spread)
		requests = spread;
	return requests > 1 ? (n + requests - 1) / requests : n;
}

/*
 * Takes the next request's items off the stack; *bytes is how long their objects are at most. An item that no request can
 * hold is refused here; *range is empty when that was all.
 */
static enum seal_status cut(struct vault_batch *batch, struct range *range, size_t *bytes, struct seal_err *err)
{
	const struct range from = batch->todo[--batch->n_todo];
	const size_t most = share(batch, from), limit = vault_body_limit(batch->client);
	const size_t around = strlen(batch->job->head) + sizeof("{" BODY_OPEN "]}");
	const struct vault_job *job = batch->job;
	size_t n = 0, total = around;

	for (; n < most; n++) {
		const size_t size = job->size(job->arg, from.first + n) + 1;

		if (size > BODY_HARD_MAX - around && n == 0) {
			enum seal_status rc = refuse_large(batch, from.first, err);

			*range = (struct range){from.first, 0};
			return rc != SEAL_OK ? rc : push(batch, from.first + 1, from.n - 1, err);
		}
		if (n > 0 && (total > limit || size > limit - total))
			break;
		total += size;
	}
	*range = (struct range){from.first, n};
	*bytes = total;
	return push(batch, from.first + n, from.n - n, err);
}

static enum seal_status build(const struct vault_job *job, struct slot *slot, size_t bytes, struct seal_err *err)
{
	struct seal_buf *body = &slot->body;
	enum seal_status rc;
	uint8_t *to;

	buf_reset(body);
	SEAL_TRY(buf_reserve(body, bytes, err));
	SEAL_TRY(buf_append_u8(body, '{', err));
	SEAL_TRY(buf_append_str(body, job->head, err));
	SEAL_TRY(buf_append_str(body, BODY_OPEN, err));
	to = body->ptr + body->len;
	for (size_t i = 0; i < slot->range.n; i++) {
		if (i > 0)
			*to++ = ',';
		to = job->write(job->arg, slot->range.first + i, to);
	}
	*to++ = ']';
	*to++ = '}';
	body->len = (size_t)(to - body->ptr);
	SEAL_INVARIANT(body->len <= body->cap && body->len <= bytes);
out:
	return rc;
}

static enum seal_status start(struct vault_batch *batch, struct seal_err *err)
{
	struct slot *slot = batch->slots;
	enum seal_status rc;
	size_t bytes = 0;

	while (slot->busy)
		slot++;
	SEAL_TRY(cut(batch, &slot->range, &bytes, err));
	if (slot->range.n == 0)
		goto out;
	SEAL_TRY(build(batch->job, slot, bytes, err));
	slot->call = (struct vault_call){
		.method = "POST",
		.path = batch->job->path,
		.capability = batch->job->capability,
		.body = buf_bytes(&slot->body),
		.once = batch->job->once,
		.look = true,
		.user = slot,
	};
	SEAL_TRY(vault_start(batch->worker, &slot->call, batch->deadline_ms, err));
	slot->busy = true;
	batch->under_way++;
out:
	return rc;
}

/* What the reader says of an answer is about the answer, and about no item. */
static enum seal_status nonsense(struct vault_batch *batch, const struct slot *slot, const struct seal_err *why,
				 struct seal_err *err)
{
	return vault_call_nonsense(batch->client, &slot->call, why->text, err);
}

static enum seal_status read_results(struct vault_batch *batch, const struct slot *slot, struct seal_err *err)
{
	const struct vault_job *job = batch->job;
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc = SEAL_OK;

	batch->answered = true;
	batch->moved = true;
	if (batch->deadline_ms != DEADLINE_NONE)
		batch->deadline_ms = clock_mono_ms() + batch->patience_ms;
	if (vault_answer_results(batch->answer) != slot->range.n) {
		rc = err_set(&why, SEAL_DATA, SEAL_E_SYNTAX, "%zu results for %zu values",
			     vault_answer_results(batch->answer), slot->range.n);
		goto out;
	}
	for (size_t i = 0; i < slot->range.n; i++) {
		struct vault_result result;

		SEAL_TRY(vault_answer_result(batch->answer, i, &result, &why));
		result.status = slot->call.status;
		SEAL_TRY(job->read(job->arg, slot->range.first + i, &result, &why));
	}
out:
	if (rc == SEAL_DATA)
		return nonsense(batch, slot, &why, err);
	if (rc != SEAL_OK && err != NULL)
		*err = why;
	return rc;
}

/* What there is too much of, by what servers and proxies say. */
enum excess {
	EXCESS_NONE,
	EXCESS_ITEMS, /* in one request: fewer from now on */
	EXCESS_BYTES, /* in one body: fewer from now on */
	EXCESS_VALUE /* in one value, which has to be found: nothing to learn for the others */
};

/* Vault 1.21 and newer say it with status 500. */
static enum excess excess_of(unsigned status, const char *text)
{
	static const struct {
		const char *part;
		enum excess excess;
	} texts[] = {
		{"number of strings", EXCESS_ITEMS}, /* OpenBao: 1,000 */
		{"element count", EXCESS_ITEMS},
		{"token", EXCESS_ITEMS}, /* Vault 1.21 */
		{"memory", EXCESS_BYTES},
		{"body too large", EXCESS_BYTES},
		{"", EXCESS_VALUE}, /* "JSON string exceeds allowed length": Vault 1.21 takes 1 MiB */
	};
	const bool json = strstr(text, "JSON ") != NULL && strstr(text, "exceeds") != NULL;
	size_t i = 0;

	if (status == 413)
		return EXCESS_BYTES;
	if (!(json && (status == 400 || status == 500)) &&
	    !(status == 400 && (strstr(text, "high complexity") != NULL || strstr(text, "body too large") != NULL)))
		return EXCESS_NONE;
	while (strstr(text, texts[i].part) == NULL)
		i++;
	return texts[i].excess;
}

static enum seal_status halve(struct vault_batch *batch, const struct slot *slot, enum excess excess,
			      struct seal_err *err)
{
	if (slot->range.n == 1)
		return refuse_large(batch, slot->range.first, err);
	if (excess == EXCESS_BYTES)
		vault_body_refused(batch->client, slot->body.len);
	else if (excess == EXCESS_ITEMS)
		vault_batch_refused(batch->client, slot->range.n);
	return push_halves(batch, slot->range, err);
}

static enum seal_status refuse_alone(struct vault_batch *batch, size_t item, const char *text, struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;

	(void)err_set(&why, SEAL_DATA, SEAL_E_SERVICE, "%s refuses the value: \"%s\"",
		      vault_client_name(batch->client), text);
	return batch->job->refused(batch->job->arg, item, &why, err);
}

/* A request of one item, refused for a reason that is not known: the item's fault only if the server takes others. */
static enum seal_status stands_alone(struct vault_batch *batch, const struct slot *slot, const char *text,
				     struct seal_err *err)
{
	struct alone *alone;

	if (batch->answered)
		return refuse_alone(batch, slot->range.first, text, err);
	if (batch->n_alone == ALONE_MAX)
		return vault_call_error(batch->client, &slot->call, err);
	if (batch->n_alone == 0) {
		err_clear(&batch->why);
		(void)vault_call_error(batch->client, &slot->call, &batch->why);
	}
	alone = &batch->alone[batch->n_alone++];
	alone->item = slot->range.first;
	snprintf(alone->text, sizeof(alone->text), "%s", text);
	return SEAL_OK;
}

static enum seal_status settle_alone(struct vault_batch *batch, struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < batch->n_alone; i++)
		SEAL_TRY(refuse_alone(batch, batch->alone[i].item, batch->alone[i].text, err));
	batch->n_alone = 0;
out:
	return rc;
}

/* An answer without results: the request was refused as a whole. */
static enum seal_status refused(struct vault_batch *batch, const struct slot *slot, struct seal_err *err)
{
	const struct vault_job *job = batch->job;
	const unsigned status = slot->call.status;
	char text[VAULT_QUOTE_MAX + 1];
	struct seal_err why = SEAL_ERR_INIT;
	enum vault_blame blame = VAULT_BLAME_UNKNOWN;
	enum excess excess;
	const enum seal_status json = vault_answer_errors(slot->call.answer, text);

	if (json == SEAL_FATAL)
		return err_memory(err);
	excess = excess_of(status, text);
	if (excess != EXCESS_NONE)
		return halve(batch, slot, excess, err);
	if ((status != 400 && status != 500) || json != SEAL_OK || text[0] == '\0')
		return vault_call_error(batch->client, &slot->call, err);
	if (job->blame != NULL)
		blame = job->blame(job->arg, slot->range.first, slot->range.n, status, text, &why);
	if (blame == VAULT_BLAME_CALL) {
		if (err != NULL)
			*err = why;
		return why.status;
	}
	/*
	 * A 500 is the server's own trouble unless it says what is wrong with the input: its storage fails with words that
	 * stand in items' errors, too ("authentication failed").
	 */
	if (status == 500 && strstr(text, "failed to parse batch input") == NULL)
		return vault_call_error(batch->client, &slot->call, err);
	if (slot->range.n > 1)
		return push_halves(batch, slot->range, err);
	if (blame == VAULT_BLAME_ITEM)
		return refuse_alone(batch, slot->range.first, text, err);
	return stands_alone(batch, slot, text, err);
}

static enum seal_status look(struct vault_batch *batch, const struct slot *slot, struct seal_err *err)
{
	const bool good = slot->call.status >= 200 && slot->call.status < 300;
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc;

	rc = vault_answer_read(batch->answer, slot->call.answer, &why);
	if (rc == SEAL_DATA && good)
		return nonsense(batch, slot, &why, err);
	if (rc != SEAL_OK && rc != SEAL_DATA) {
		if (err != NULL)
			*err = why;
		return rc;
	}
	if (!good && vault_answer_results(batch->answer) == 0)
		return refused(batch, slot, err);
	if (batch->job->check != NULL)
		SEAL_TRY(batch->job->check(batch->job->arg, batch->answer, err));
	SEAL_TRY(read_results(batch, slot, err));
	SEAL_TRY(settle_alone(batch, err));
out:
	return rc;
}

/* No honest answer is many times the size of its question. */
static enum seal_status answer_too_large(struct vault_batch *batch, const struct slot *slot, struct seal_err *err)
{
	if (slot->range.n > 1)
		return push_halves(batch, slot->range, err);
	if (slot->body.len < HTTP_RESPONSE_MAX_DEFAULT / 4)
		return vault_call_nonsense(batch->client, &slot->call, "it is far too large", err);
	return refuse_large(batch, slot->range.first, err);
}

static enum seal_status put_back(struct vault_batch *batch, struct range range, struct seal_err *err)
{
	batch->throttled = *err;
	err_clear(err);
	return push(batch, range.first, range.n, err);
}

/* Nothing is under way, and something was throttled. */
static enum seal_status next_round(struct vault_batch *batch, struct seal_err *err)
{
	const struct timespec pause = {THROTTLED_MS / 1000, THROTTLED_MS % 1000 * 1000000};

	if (!batch->moved || clock_mono_ms() + THROTTLED_MS >= batch->deadline_ms) {
		*err = batch->throttled;
		return err->status;
	}
	(void)nanosleep(&pause, NULL);
	batch->moved = false;
	err_clear(&batch->throttled);
	return SEAL_OK;
}

static enum seal_status finish(struct vault_batch *batch, struct seal_err *err)
{
	struct vault_call *call = vault_next(batch->worker);
	struct slot *slot;
	enum seal_status rc;

	SEAL_INVARIANT(call != NULL);
	slot = call->user;
	slot->busy = false;
	batch->under_way--;
	rc = call->err.status;
	if (rc == SEAL_DATA) {
		rc = answer_too_large(batch, slot, err);
	} else if (rc != SEAL_OK) {
		if (err != NULL)
			*err = call->err;
	} else {
		rc = look(batch, slot, err);
	}
	if (rc == SEAL_RETRY && err->code == SEAL_E_BUSY)
		rc = put_back(batch, slot->range, err);
	vault_call_clear(call);
	buf_reset(&slot->body);
	return rc;
}

static void clean(struct vault_batch *batch)
{
	if (batch->under_way > 0)
		vault_drop(batch->worker);
	for (unsigned i = 0; i < batch->n_slots; i++) {
		struct slot *slot = &batch->slots[i];

		if (slot->busy)
			vault_call_clear(&slot->call);
		slot->busy = false;
		if (slot->body.cap > BODY_KEEP)
			buf_clear(&slot->body);
		else
			buf_reset(&slot->body);
	}
	batch->under_way = 0;
}

enum seal_status vault_batch_run(struct vault_batch *batch, struct vault_worker *worker, const struct vault_job *job,
				 uint64_t deadline_ms, struct seal_err *err)
{
	const uint64_t now_ms = clock_mono_ms();
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc;

	batch->worker = worker;
	batch->job = job;
	batch->deadline_ms = deadline_ms;
	batch->patience_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
	batch->n_todo = batch->n_alone = 0;
	batch->answered = batch->moved = false;
	err_clear(&batch->throttled);
	SEAL_TRY(push(batch, 0, job->n, &why));
	while (batch->n_todo > 0 || batch->under_way > 0) {
		const bool throttled = batch->throttled.status != SEAL_OK;

		if (throttled && batch->under_way == 0)
			SEAL_TRY(next_round(batch, &why));
		else if (!throttled && batch->n_todo > 0 && batch->under_way < batch->n_slots)
			SEAL_TRY(start(batch, &why));
		else
			SEAL_TRY(finish(batch, &why));
	}
	if (batch->n_alone > 0) { /* nothing else was answered: it may be any call's trouble */
		rc = batch->why.status;
		why = batch->why;
	}
out:
	clean(batch);
	if (rc != SEAL_OK && err != NULL)
		*err = why;
	return rc;
}
