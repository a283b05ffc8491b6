/* `store init`: makes a store that is not there yet, so that who protects needs no right to make tables. */
#include "cmd/store_find.h"

static const struct opt_row rows[] = {STORE_ROWS, OPT_END};

/* *there: it was made before, and is as it should be. */
static enum seal_status init(const struct store_ref *ref, bool *there, struct seal_err *err)
{
	struct store *store = NULL;
	struct seal_err none = SEAL_ERR_INIT;
	enum seal_status rc = ref->ops->open(ref->address, &(struct store_config){.create = false}, &store, &none);

	*there = rc == SEAL_OK;
	if (rc != SEAL_OK && none.code != SEAL_E_NO_INPUT) {
		*err = none;
		return rc;
	}
	if (!*there)
		SEAL_TRY(ref->ops->open(ref->address, &(struct store_config){.create = true}, &store, err));
	ref->ops->free(store);
out:
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	struct store_find found;
	enum seal_status rc;
	bool there;

	SEAL_TRY(store_find(call, &found, err));
	for (size_t i = 0; i < found.n; i++) {
		SEAL_TRY(init(&found.refs[i], &there, err));
		printf("%s: %s\n", found.refs[i].address, there ? "is there already" : "made");
	}
out:
	store_find_clear(&found);
	return rc;
}

const struct command command_store_init = {
	.name = "init",
	.usage = "[ADDRESS]",
	.summary = "Make a store that is not there yet",
	.details = "What protects makes a store by itself, too; this is for when the user who protects may not make "
		   "files "
		   "or tables. A store that is there stays as it is.",
	.examples = "sealstream store init sqlite:tokens.db\n"
		    "sealstream store init -p policy.yaml\n",
	.options = rows,
	.options_size = sizeof(struct store_options),
	.args_max = 1,
	.run = run,
};
