/* Enabling and disabling an engine: one control call each. */
#include "vault/mount.h"

#include <stdio.h>

#include "vault/client.h"

#define PATH_MAX_BYTES 300

static enum seal_status ask(const struct vault_options *options, const char *method, const char *mount, json_t *body,
			    uint64_t deadline_ms, struct seal_err *err)
{
	struct vault_client *client = NULL;
	struct vault_worker *worker = NULL;
	json_t *answer = NULL;
	char path[PATH_MAX_BYTES];
	enum seal_status rc;

	snprintf(path, sizeof(path), "sys/mounts/%.200s", mount);
	SEAL_TRY(vault_client_new(options, &client, err));
	SEAL_TRY(vault_worker_new(client, &worker, err));
	rc = vault_ask(worker, method, path, strcmp(method, "POST") == 0 ? "create\", \"update" : "delete", body,
		       deadline_ms, &answer, err);
	json_decref(answer);
out:
	vault_worker_free(worker);
	vault_client_free(client);
	return rc;
}

enum seal_status vault_mount_transit(const struct vault_options *options, const char *mount, uint64_t deadline_ms,
				     bool *made, struct seal_err *err)
{
	json_t *body = json_pack("{s:s}", "type", "transit");
	struct seal_err why = SEAL_ERR_INIT;
	enum seal_status rc;

	*made = false;
	if (body == NULL)
		return err_memory(err);
	rc = ask(options, "POST", mount, body, deadline_ms, &why);
	json_decref(body);
	*made = rc == SEAL_OK;
	if (rc == SEAL_USAGE && strstr(why.text, "already in use") != NULL)
		return SEAL_OK;
	if (rc != SEAL_OK && err != NULL)
		*err = why;
	return rc;
}

enum seal_status vault_unmount(const struct vault_options *options, const char *mount, uint64_t deadline_ms,
			       struct seal_err *err)
{
	return ask(options, "DELETE", mount, NULL, deadline_ms, err);
}
