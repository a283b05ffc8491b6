/*
 * Whose credentials: found where Google's own programs find them, in their order. Inside src/google only.
 *
 *   1  the file that the caller names, or GOOGLE_APPLICATION_CREDENTIALS
 *   2  $CLOUDSDK_CONFIG/application_default_credentials.json, else under ~/.config/gcloud
 *   3  the metadata server (metadata.c), if this machine has one
 */
#ifndef GOOGLE_CREDENTIALS_H
#define GOOGLE_CREDENTIALS_H

#include "base/arena.h"
#include "crypto/rsa.h"

#define CREDENTIALS_FILE_MAX (64u << 10)
#define CREDENTIALS_PLACES_MAX 400

enum credentials_kind { CREDENTIALS_NONE, CREDENTIALS_SERVICE_ACCOUNT, CREDENTIALS_USER, CREDENTIALS_METADATA };

struct google_credentials {
	enum credentials_kind kind;
	struct arena arena; /* all strings; no secrets */
	const char *source; /* for messages: the file, or the metadata server's name */
	const char *project, *quota_project; /* NULL: not known, none */
	/* Of a service account. */
	const char *email, *key_id; /* key_id NULL: none */
	struct rsa_key key;
	/* Of a user. Each secret ends with a zero byte. */
	const char *token_uri, *client_id;
	struct secret client_secret, refresh_token;
};

void credentials_init(struct google_credentials *credentials);
void credentials_clear(struct google_credentials *credentials);

/*
 * Reads the text of a file. SEAL_USAGE/SEAL_E_CONFIG: what is missing in it, or a type that is not known here (external and impersonated
 * accounts). On failure it is as after credentials_init.
 */
SEAL_MUST_USE enum seal_status credentials_read(struct seal_bytes text, const char *source,
						struct google_credentials *out, struct seal_err *err);

/*
 * Steps 1 and 2. `file` NULL: as the environment says. kind CREDENTIALS_NONE: there is no file; `places` says in words where it was looked.
 * SEAL_DENIED: a file that is named is not there, or cannot be read.
 */
SEAL_MUST_USE enum seal_status credentials_find(const char *file, struct google_credentials *out,
						char places[CREDENTIALS_PLACES_MAX], struct seal_err *err);

#endif
