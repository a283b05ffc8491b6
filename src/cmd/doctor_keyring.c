/* `doctor`: the local keyring: does it open, is any key damaged. */
#include <stdio.h>

#include "cmd/doctor.h"
#include "keys/keyring.h"

static void look_at_keys(struct keyring *keyring, struct arena *arena, struct doctor_result *r)
{
	struct seal_err err = SEAL_ERR_INIT;
	const char *const *names;
	size_t n;

	if (keyring_names(keyring, arena, &names, &n, &err) != SEAL_OK) {
		r->status = DOCTOR_FAIL;
		snprintf(r->text, sizeof(r->text), "%s", err.text);
		return;
	}
	snprintf(r->text, sizeof(r->text), "%zu key%s in %s", n, n == 1 ? "" : "s", keyring_path(keyring));
	for (size_t i = 0; i < n; i++) {
		struct keyring_key_info info;

		err_clear(&err);
		if (keyring_info(keyring, bytes_str(names[i]), arena, &info, &err) == SEAL_OK)
			continue;
		r->status = DOCTOR_FAIL;
		snprintf(r->text, sizeof(r->text), "key %.60s: %s", names[i], err.text);
		snprintf(r->hint, sizeof(r->hint), "bring the file back from a backup of %s", keyring_path(keyring));
		return;
	}
}

void doctor_check_keyring(const struct command_call *call, struct doctor_result *r)
{
	struct key_source_config config = global_key_config(call->global);
	struct seal_err err = SEAL_ERR_INIT;
	struct keyring *keyring = NULL;

	if (keyring_open(&config, &keyring, &err) == SEAL_OK) {
		look_at_keys(keyring, call->arena, r);
	} else {
		/* None yet is no fault: policies may use other sources, or none was needed so far. */
		r->status = err.code == SEAL_E_NO_INPUT ? DOCTOR_OK : DOCTOR_FAIL;
		snprintf(r->text, sizeof(r->text), "%s", err.text);
	}
	keyring_close(keyring);
}
