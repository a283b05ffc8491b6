/* What is told of keys in use: counts of a policy's methods, and of whole files, as lines since the last ones. */
#include <stdatomic.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/audit_run.h"
#include "engine/engine.h"

/* ---- a policy's methods ---- */

struct audit_policy {
	struct audit_meter meter; /* first */
	const struct audit_run *run;
	const struct plan *plan; /* NULL: not watched yet */
	char sha256[2 * SHA256_LEN + 1];
	struct plan_use told[]; /* by method: what lines have said */
};

/* What is audited is what uses keys, and what is kept in stores. */
static bool is_audited(const struct policy_method *method)
{
	return method->key != NULL || method->store != NULL;
}

static enum seal_status put_counts(struct seal_buf *members, const struct plan_use *now, const struct plan_use *told,
				   struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(audit_put_number(members, "protected", now->protected - told->protected, err));
	SEAL_TRY(audit_put_number(members, "revealed", now->revealed - told->revealed, err));
	SEAL_TRY(audit_put_number(members, "rewrapped", now->rewrapped - told->rewrapped, err));
	SEAL_TRY(audit_put_number(members, "failed", now->failed - told->failed, err));
	SEAL_TRY(audit_put_number(members, "passed", now->passed - told->passed, err));
out:
	return rc;
}

static enum seal_status write_method(struct audit_policy *use, struct audit *audit,
				     const struct policy_method *method, const struct plan_use *now,
				     struct seal_err *err)
{
	struct seal_buf members = BUF_INIT(AUDIT_MEMBERS_MAX);
	enum seal_status rc;

	SEAL_TRY(audit_put_text(&members, "policy", use->sha256, err));
	SEAL_TRY(audit_put_streams(use->run, &members, err));
	SEAL_TRY(audit_put_text(&members, "method", method->name, err));
	SEAL_TRY(audit_put_text(&members, "type", method->kind->name, err));
	if (method->key != NULL)
		SEAL_TRY(audit_put_key(&members, method->key->scheme, method->key->reference, err));
	if (method->store != NULL)
		SEAL_TRY(audit_put_text(&members, "store", method->store->name, err));
	SEAL_TRY(put_counts(&members, now, &use->told[method->index], err));
	SEAL_TRY(audit_append(audit, "use", buf_bytes(&members), err));
	use->told[method->index] = *now;
out:
	buf_clear(&members);
	return rc;
}

static enum seal_status read_policy(struct audit_meter *meter, struct audit *audit, struct seal_err *err)
{
	struct audit_policy *use = (struct audit_policy *)meter;
	const struct policy *policy = plan_policy(use->plan);
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; i < policy->n_methods; i++) {
		const struct plan_use *told = &use->told[i];
		struct plan_use now;

		plan_use_get(use->plan, i, &now);
		if (!is_audited(&policy->methods[i]) ||
		    (now.protected == told->protected && now.revealed == told->revealed &&
		     now.rewrapped == told->rewrapped && now.failed == told->failed && now.passed == told->passed))
			continue;
		SEAL_TRY(write_method(use, audit, &policy->methods[i], &now, err));
	}
out:
	return rc;
}

static enum seal_status write_policy(const struct audit_policy *use, struct audit_run *run, const char *file,
				     struct seal_err *err)
{
	struct seal_buf members = BUF_INIT(AUDIT_MEMBERS_MAX);
	enum seal_status rc;

	SEAL_TRY(audit_put_text(&members, "policy", use->sha256, err));
	SEAL_TRY(audit_put_text(&members, "file", file, err));
	SEAL_TRY(audit_put_streams(run, &members, err));
	SEAL_TRY(audit_append(run->audit, run->policies == 0 ? "policy" : "reload", buf_bytes(&members), err));
	run->policies++;
out:
	buf_clear(&members);
	return rc;
}

enum seal_status audit_policy_open(const struct global_options *global, const char *file, const struct policy *policy,
				   struct audit_policy **out, struct seal_err *err)
{
	struct audit_policy *use;
	enum seal_status rc;

	*out = NULL;
	if (global->audit == NULL)
		return SEAL_OK;
	use = mem_calloc(1, sizeof(*use) + policy->n_methods * sizeof(use->told[0]));
	if (use == NULL)
		return err_memory(err);
	use->meter.read = read_policy;
	use->run = global->audit;
	hex_encode(bytes_of(policy->sha256, sizeof(policy->sha256)), use->sha256);
	rc = write_policy(use, global->audit, file, err);
	if (rc != SEAL_OK) {
		mem_free(use);
		return rc;
	}
	*out = use;
	return SEAL_OK;
}

void audit_policy_watch(struct audit_policy *use, const struct plan *plan)
{
	if (use == NULL)
		return;
	use->plan = plan;
	audit_meter_add(use->run->audit, &use->meter);
}

/* A line that fails here is the audit's failure, and that the run's. */
static void remove_meter(const struct audit_run *run, struct audit_meter *meter)
{
	struct seal_err kept = SEAL_ERR_INIT;
	enum seal_status ignored = audit_meter_remove(run->audit, meter, &kept);

	(void)ignored;
}

void audit_reload_failed(const struct global_options *global, const char *file, const struct seal_err *why)
{
	struct seal_buf members = BUF_INIT(AUDIT_MEMBERS_MAX);
	struct seal_err kept = SEAL_ERR_INIT;
	enum seal_status rc;

	if (global->audit == NULL)
		return;
	SEAL_TRY(audit_put_text(&members, "file", file, &kept));
	SEAL_TRY(audit_put_text(&members, "error", seal_code_name(why->code), &kept));
	rc = audit_append(global->audit->audit, "reload", buf_bytes(&members), &kept);
out:
	if (rc != SEAL_OK) {
		log_err(LOG_ERROR, &kept);
		audit_fail(global->audit->audit, &kept);
	}
	buf_clear(&members);
}

void audit_policy_close(struct audit_policy *use)
{
	if (use != NULL && use->plan != NULL)
		remove_meter(use->run, &use->meter);
	mem_free(use);
}

/* ---- whole files ---- */

struct audit_files {
	struct audit_meter meter; /* first */
	const struct audit_run *run;
	bool reveal;
	atomic_ullong begun, done, bytes;
	unsigned long long told_begun, told_done, told_bytes;
	char key[];
};

static enum seal_status read_files(struct audit_meter *meter, struct audit *audit, struct seal_err *err)
{
	struct audit_files *use = (struct audit_files *)meter;
	const unsigned long long begun = atomic_load(&use->begun), done = atomic_load(&use->done),
				 bytes = atomic_load(&use->bytes);
	struct seal_buf members = BUF_INIT(AUDIT_MEMBERS_MAX);
	enum seal_status rc = SEAL_OK;

	if (begun == use->told_begun && done == use->told_done)
		return SEAL_OK;
	SEAL_TRY(audit_put_streams(use->run, &members, err));
	SEAL_TRY(audit_put_text(&members, "type", use->reveal ? "file reveal" : "file protect", err));
	SEAL_TRY(audit_put_text(&members, "key", use->key, err));
	SEAL_TRY(audit_put_number(&members, "begun", begun - use->told_begun, err));
	SEAL_TRY(audit_put_number(&members, "done", done - use->told_done, err));
	SEAL_TRY(audit_put_number(&members, "bytes", bytes - use->told_bytes, err));
	SEAL_TRY(audit_append(audit, "use", buf_bytes(&members), err));
	use->told_begun = begun;
	use->told_done = done;
	use->told_bytes = bytes;
out:
	buf_clear(&members);
	return rc;
}

enum seal_status audit_files_open(const struct global_options *global, const char *key, bool reveal,
				  struct audit_files **out, struct seal_err *err)
{
	const size_t len = strlen(key);
	struct audit_files *use;

	*out = NULL;
	if (global->audit == NULL)
		return SEAL_OK;
	use = mem_calloc(1, sizeof(*use) + len + 1);
	if (use == NULL)
		return err_memory(err);
	use->meter.read = read_files;
	use->run = global->audit;
	use->reveal = reveal;
	memcpy(use->key, key, len);
	audit_meter_add(global->audit->audit, &use->meter);
	*out = use;
	return SEAL_OK;
}

void audit_files_begun(struct audit_files *use)
{
	if (use != NULL)
		atomic_fetch_add(&use->begun, 1);
}

void audit_files_done(struct audit_files *use, uint64_t bytes)
{
	if (use == NULL)
		return;
	atomic_fetch_add(&use->bytes, bytes);
	atomic_fetch_add(&use->done, 1);
}

void audit_files_close(struct audit_files *use)
{
	if (use != NULL)
		remove_meter(use->run, &use->meter);
	mem_free(use);
}
