/*
 * `doctor -p POLICY`: each store of the policy: is it there, is it ours, can it be read and written. Nothing is made or changed.
 */
#include <stdio.h>

#include "base/clock.h"
#include "cmd/doctor.h"
#include "cmd/policy.h"
#include "cmd/store_use.h"

#define LOOK_MS 15000
#define NO_SPACE "doctor" /* a space that has no rows */

/* Reads a row, and replaces one that is not there, which takes the right to write. */
static enum seal_status look(const struct store_ops *ops, const char *address, struct arena *arena,
			     struct seal_err *err)
{
	const struct store_config config = {.create = false};
	const struct store_call call = {.arena = arena, .deadline_ms = clock_mono_ms() + LOOK_MS};
	struct store_item item = {.key = BYTES_LIT("none")};
	struct store *store = NULL;
	struct store_session *session = NULL;
	bool swapped;
	enum seal_status rc;

	SEAL_TRY(ops->open(address, &config, &store, err));
	SEAL_TRY(ops->session(store, &session, err));
	SEAL_TRY(ops->get(session, NO_SPACE, &item, 1, &call, err));
	SEAL_TRY(ops->swap(session, NO_SPACE, item.key, item.key, item.key, false, &swapped, &call, err));
out:
	ops->session_free(session);
	if (store != NULL)
		ops->free(store);
	return rc;
}

enum seal_status doctor_stores(const struct command_call *call, const char *policy_file, struct doctor_report *report,
			       struct seal_err *err)
{
	struct policy *policy = NULL;
	enum seal_status rc;

	SEAL_TRY(policy_command_load(policy_file, &policy, err));
	for (size_t i = 0; i < policy->n_stores; i++) {
		const struct policy_store *store = &policy->stores[i];
		struct doctor_result result = {.status = DOCTOR_OK};
		struct seal_err why = SEAL_ERR_INIT;
		char name[80];

		snprintf(name, sizeof(name), "store %s", store->name);
		if (look(store_ops_of(store), store->address, call->arena, &why) == SEAL_OK) {
			snprintf(result.text, sizeof(result.text), "%.500s: can be read and written", store->address);
		} else {
			/* None yet is no fault: the first program that protects makes it. */
			result.status = why.code == SEAL_E_NO_INPUT ? DOCTOR_OK : DOCTOR_FAIL;
			snprintf(result.text, sizeof(result.text), "%s", why.text);
		}
		doctor_tell(report, name, &result);
	}
out:
	policy_free(policy);
	return rc;
}
