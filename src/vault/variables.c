/* What the environment says besides the option rows: what has no place on a command line, or never had one. */
#include "vault/options.h"

#include <stddef.h>

const struct vault_variable vault_variables[] = {
	{"VAULT_TOKEN",
	 "the token; where no --vault-token-file is given; counts before the token helper and ~/.vault-token"},
	{"VAULT_TOKEN_PATH", "the file that counts in the place of ~/.vault-token"},
	{"VAULT_CONFIG_PATH", "the file that names the token helper; default: ~/.vault"},
	{"VAULT_AGENT_ADDR", "address of an Agent or a Proxy; counts before VAULT_ADDR"},
	{"VAULT_CACERT_BYTES", "PEM text of certificates that may sign the server's, where no VAULT_CACERT is set"},
	{"VAULT_HTTP_PROXY", "as VAULT_PROXY_ADDR, which counts before it"},
	{"VAULT_DISABLE_REDIRECTS", "true: follow no redirect to the active node; it ends the run"},
	{"BAO_ADDR",
	 "as VAULT_ADDR, where that is not set; so each VAULT_X above and among the options has its BAO_X"},
	{"SEALSTREAM_VAULT_SECRET_ID", "the secret id of approle, where no --vault-secret-file is given"},
	{"SEALSTREAM_VAULT_PASSWORD", "the password of userpass and ldap, where no --vault-secret-file is given"},
	{"SEALSTREAM_VAULT_JWT", "the JWT of jwt, where no --vault-secret-file is given"},
	{NULL, NULL},
};
