/*
 * `store rekey`: every token's row under new store keys and a new name, while others read and write. What was cut off goes on where
 * it was, here or elsewhere.
 */
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "cmd/output.h"
#include "cmd/store_find.h"
#include "cmd/stream_open.h"
#include "cmd/token_use.h"

#define STEP_ROWS 500
#define WAIT_MS 250
#define TELL_MS 10000

struct rekey_options {
	struct token_options token; /* first */
	int64_t retry_ms;
};

static const struct opt_row rows[] = {TOKEN_ROWS, RETRY_FOR_ROW(struct rekey_options, retry_ms, "5m"), OPT_END};

struct progress {
	uint64_t moved, told_ms, waiting_since_ms; /* 0: not waiting */
};

/* A store or a key that is away is waited for: true to try again. */
static bool wait_for(const struct rekey_options *options, struct progress *progress, enum seal_status rc,
		     struct seal_err *err)
{
	const uint64_t now_ms = clock_mono_ms();

	if (rc != SEAL_RETRY || stop_requested() != 0)
		return false;
	if (progress->waiting_since_ms == 0) {
		progress->waiting_since_ms = now_ms;
		output_waiting(err);
	}
	if (options->retry_ms > 0 && now_ms - progress->waiting_since_ms >= (uint64_t)options->retry_ms)
		return false;
	err_clear(err);
	(void)nanosleep(&(struct timespec){.tv_nsec = WAIT_MS * 1000000}, NULL);
	return true;
}

static void went_on(struct progress *progress)
{
	const uint64_t now_ms = clock_mono_ms();

	if (progress->waiting_since_ms != 0)
		output_resumed(now_ms - progress->waiting_since_ms);
	progress->waiting_since_ms = 0;
	if (now_ms - progress->told_ms < TELL_MS && !stop_progress_asked())
		return;
	progress->told_ms = now_ms;
	log_say(LOG_INFO, "%llu token%s moved", (unsigned long long)progress->moved, plural_s(progress->moved));
}

static enum seal_status step(struct token_use *use, struct progress *progress, bool *done, struct seal_err *err)
{
	const struct key_call call = token_use_call(use);
	uint64_t moved = 0;
	enum seal_status rc;

	rc = tokens_rekey_step(use->tokens, use->open.session, STEP_ROWS, &moved, done, &call, err);
	progress->moved += moved;
	arena_reset(&use->arena);
	return rc;
}

static enum seal_status begin(struct token_use *use, bool *resumed, struct seal_err *err)
{
	const struct key_call call = token_use_call(use);
	enum seal_status rc = tokens_rekey_begin(use->tokens, use->open.session, resumed, &call, err);

	arena_reset(&use->arena);
	return rc;
}

static enum seal_status rekey(struct token_use *use, struct seal_err *err)
{
	const struct rekey_options *options = use->call->options;
	const struct policy_method *method = use->target->method;
	struct progress progress = {.told_ms = clock_mono_ms()};
	bool resumed = false, done = false;
	enum seal_status rc;

	do
		rc = begin(use, &resumed, err);
	while (wait_for(options, &progress, rc, err));
	SEAL_TRY(rc);
	if (resumed)
		log_say(LOG_INFO, "key %s, store %s: a rekey is under way, and goes on", method->key->name,
			method->store->name);
	while (!done && stop_requested() == 0) {
		rc = step(use, &progress, &done, err);
		if (wait_for(options, &progress, rc, err))
			continue;
		SEAL_TRY(rc);
		went_on(&progress);
	}
	printf("key %s, store %s: %llu token%s moved%s\n", method->key->name, method->store->name,
	       (unsigned long long)progress.moved, plural_s(progress.moved),
	       done ? "; the old keys are gone" : "; stopped before the end, the next store rekey goes on");
out:
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	struct token_use use;
	enum seal_status rc;

	SEAL_TRY(token_use_begin(call, &use, err));
	for (size_t i = 0; i < use.n && stop_requested() == 0; i++) {
		SEAL_TRY(token_use_open(&use, i, false, err));
		SEAL_TRY(rekey(&use, err));
	}
	*exit_code = token_use_exit(&use, 0);
out:
	token_use_end(&use);
	return rc;
}

const struct command command_store_rekey = {
	.name = "rekey",
	.usage = "-p POLICY",
	.summary = "Put every token's row under new keys, while others read and write",
	.details = "For when somebody may have had the store's keys, or by the calendar. New store keys and new "
		   "names for "
		   "rows are made; each token is written anew under them, its old row is taken away, and at the end "
		   "the old "
		   "keys are. Tokens stay what they are, so records need no change. It may be stopped at any time, "
		   "and is "
		   "gone on with by running it again, on any machine; meanwhile everything reads and writes as "
		   "before. It does "
		   "not change the policy's key: a new version of that (key rotate) is taken up by itself. Keys of "
		   "people "
		   "(key: {per: …}) are not touched. Old rows stay in backups, replicas and the data base's logs "
		   "until these "
		   "go: docs/STORES.md.",
	.examples = "sealstream store rekey -p policy.yaml\n",
	.options = rows,
	.options_size = sizeof(struct rekey_options),
	.keys = true,
	.run = run,
};
