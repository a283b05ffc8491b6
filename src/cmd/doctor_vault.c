/*
 * `doctor --vault`: from the outside in, so that the first line that fails is the one to look at.
 *
 *   address ─▶ server ─▶ login ─▶ each key: there? ─▶ what the token may ─▶ a test text and back
 *
 * What fails early ends the visit: the rest would fail for the same reason. Nothing secret is shown: not the token, not
 * its accessor.
 */
#include "cmd/doctor_vault.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "cmd/key_use.h"
#include "cmd/policy.h"
#include "vault/vault.h"

#define VISIT_MS 60000
#define SHORT_S 600 /* a token that ends so soon */

void visit_tell(struct vault_visit *visit, enum doctor_status status, const char *subject, const char *what,
		const char *hint, const char *fmt, ...)
{
	struct doctor_result result = {.status = status};
	char name[300];
	va_list args;

	va_start(args, fmt);
	vsnprintf(result.text, sizeof(result.text), fmt, args);
	va_end(args);
	err_plain(result.text); /* it may quote the server */
	snprintf(result.hint, sizeof(result.hint), "%s", hint != NULL ? hint : "");
	snprintf(name, sizeof(name), "%s%s%s", subject, what[0] != '\0' ? ": " : "", what);
	doctor_tell(visit->report, name, &result);
}

enum vault_right visit_needs(struct vault_visit *visit, const char *subject, const char *path, const char *capability,
			     const char *to, enum doctor_status otherwise)
{
	const enum vault_right right = vault_probe_right(visit->probe, path, capability, visit->deadline_ms, NULL);
	char line[300];

	if (right != VAULT_RIGHT_NONE)
		return right;
	snprintf(line, sizeof(line), "add to the token's policy: path \"%s\" { capabilities = [\"%s\"] }", path,
		 capability);
	visit_tell(visit, otherwise, subject, "policy", line, "the token may not %s", to);
	return right;
}

/* Makes the probe. "https://vault:8200, checked against the system's authorities", and what is wrong with it. */
static bool visit_address(struct vault_visit *visit, const struct vault_options *options)
{
	struct vault_address at;
	struct seal_err err = SEAL_ERR_INIT;
	const char *hint = NULL;

	if (vault_probe_address(options, visit->arena, &at, &err) != SEAL_OK ||
	    vault_probe_new(options, &visit->probe, &err) != SEAL_OK) {
		visit_tell(visit, DOCTOR_FAIL, "address", "", NULL, "%s", err.text);
		return false;
	}
	if (at.tls && !at.checked)
		hint = "anybody in between can read and change everything; name the CA with VAULT_CACERT instead";
	else if (!at.tls && at.unix_socket == NULL)
		hint = "unless it is this machine, the token and all values go over the network in clear: use https";
	visit_tell(visit, hint != NULL ? DOCTOR_WARN : DOCTOR_OK, "address", "", hint, "%s%s%s%s%s%s%s%s", at.base,
		   at.unix_socket ? " over the socket " : "", at.unix_socket ? at.unix_socket : "",
		   !at.tls	? ", no TLS"
		   : at.checked ? ", its certificate checked against "
				: ", its certificate not checked",
		   !at.tls || !at.checked ? ""
		   : at.authorities	  ? at.authorities
					  : "the system's authorities",
		   at.proxy ? ", by the proxy " : "", at.proxy ? at.proxy : "",
		   at.client_certificate ? ", with a client certificate" : "");
	return true;
}

/* False: there is nothing to talk to. */
static bool visit_server(struct vault_visit *visit)
{
	struct vault_health health;
	struct seal_err err = SEAL_ERR_INIT;

	if (vault_probe_health(visit->probe, visit->deadline_ms, &health, &err) != SEAL_OK)
		visit_tell(visit, DOCTOR_FAIL, "server", "", NULL, "%s", err.text);
	else if (!health.known)
		/* An Agent or a proxy may be told to pass only some paths. */
		visit_tell(visit, DOCTOR_WARN, "server", "", "is it Vault or OpenBao that answers there, or a proxy?",
			   "sys/health answers %u, and nothing that Vault says", health.status);
	else if (!health.initialized)
		visit_tell(visit, DOCTOR_FAIL, "server", "", "initialise it: vault operator init",
			   "version %s, not initialised", health.version);
	else if (health.sealed)
		visit_tell(visit, DOCTOR_FAIL, "server", "", "unseal it: vault operator unseal",
			   "version %s, sealed: it does nothing until it is unsealed", health.version);
	else
		visit_tell(visit, DOCTOR_OK, "server", "", NULL, "version %s, unsealed, %s", health.version,
			   health.performance_standby ? "performance standby"
			   : health.standby	      ? "standby"
						      : "active");
	return err.status == SEAL_OK && (!health.known || (health.initialized && !health.sealed));
}

/* "ends in 32 min, renewable". */
static void life_of(const struct vault_token_facts *token, char out[64])
{
	const char *renewable = token->renewable ? "renewable" : "not renewable";

	if (token->ttl_s == 0)
		snprintf(out, 64, "does not end");
	else if (token->ttl_s >= 2 * 86400)
		snprintf(out, 64, "ends in %lld days, %s", (long long)token->ttl_s / 86400, renewable);
	else if (token->ttl_s >= 7200)
		snprintf(out, 64, "ends in %lld h, %s", (long long)token->ttl_s / 3600, renewable);
	else
		snprintf(out, 64, "ends in %lld min, %s", (long long)(token->ttl_s + 59) / 60, renewable);
}

static void tell_token(struct vault_visit *visit, const struct vault_options *options,
		       const struct vault_token_facts *token)
{
	const bool root = strcmp(token->policies, "root") == 0;
	const bool bare = options->auth == NULL || strcmp(options->auth, "token") == 0;
	const bool ends = bare && token->ttl_s > 0 && (token->ttl_s < SHORT_S || !token->renewable);
	const char *hint = NULL;
	char life[64];

	if (root)
		hint = "it may do everything; use one that may do what the policy needs, and no more";
	else if (ends)
		hint = "nothing can log in anew when it has ended: choose a --vault-auth for what runs longer";
	life_of(token, life);
	visit_tell(visit, hint != NULL ? DOCTOR_WARN : DOCTOR_OK, "login", "", hint,
		   "%s%.40s; its policies: %.200s; it %s", bare ? "a token" : "a token by ",
		   bare ? "" : options->auth, token->policies, life);
}

static bool visit_login(struct vault_visit *visit, const struct vault_options *options)
{
	struct vault_token_facts token;
	struct seal_err err = SEAL_ERR_INIT;

	if (vault_probe_token(visit->probe, visit->arena, visit->deadline_ms, &token, &err) == SEAL_OK) {
		tell_token(visit, options, &token);
		return true;
	}
	visit_tell(visit, DOCTOR_FAIL, "login", "", NULL, "%s", err.text);
	return false;
}

static unsigned uses_of_method(const struct policy_method *method)
{
	unsigned uses = ((method->flags & METHOD_HMAC_KEY) != 0 ? VISIT_HMAC : 0) |
			((method->flags & METHOD_TRANSFORM_KEY) != 0 ? VISIT_ROLE : 0);

	if ((method->flags & METHOD_DATA_KEYS) != 0)
		uses |= VISIT_DATA_KEYS | (method->per.text != NULL ? VISIT_PEOPLE : 0);
	else if ((method->flags & METHOD_ENCRYPT_KEY) != 0)
		uses |= VISIT_VALUES;
	return uses;
}

/* True when some method uses the key; *uses: all that they do with it. */
static bool uses_of(const struct policy *policy, const struct policy_key *key, unsigned *uses)
{
	bool any = false;

	*uses = 0;
	for (size_t i = 0; i < policy->n_methods; i++)
		if (policy->methods[i].key == key) {
			*uses |= uses_of_method(&policy->methods[i]);
			any = true;
		}
	return any;
}

static void visit_keys(struct vault_visit *visit)
{
	size_t n = 0;

	for (size_t i = 0; i < visit->policy->n_keys; i++) {
		const struct policy_key *key = &visit->policy->keys[i];
		unsigned uses;

		if (strcmp(key->scheme, vault_source.name) != 0 || !uses_of(visit->policy, key, &uses))
			continue;
		n++;
		if ((uses & VISIT_ROLE) != 0)
			visit_role(visit, key);
		else
			visit_key(visit, key->reference, uses);
	}
	if (n == 0)
		visit_tell(visit, DOCTOR_WARN, "policy", "", "write it as vault:transit/NAME",
			   "no method of the policy uses a key of this server");
}

/* With address, server and login in order. `file_key` ptr NULL: none. */
static enum seal_status visit_all_keys(struct vault_visit *visit, const struct vault_options *options,
				       struct seal_bytes file_key, struct seal_err *err)
{
	const struct key_source_config config = {.vault = options};
	enum seal_status rc = SEAL_OK;

	if (visit->policy == NULL && file_key.ptr == NULL) {
		visit_tell(visit, DOCTOR_OK, "policy", "",
			   "give one with -p, and each of its keys is tried; a key of files with --key",
			   "none given");
		return SEAL_OK;
	}
	SEAL_TRY(vault_source.open(&config, &visit->source, err));
	if (visit->policy != NULL)
		visit_keys(visit);
	if (file_key.ptr != NULL)
		visit_key(visit, file_key, VISIT_DATA_KEYS);
out:
	if (visit->source != NULL)
		vault_source.free(visit->source);
	return rc;
}

/* "vault:transit/files"; NULL stays none. */
static enum seal_status find_file_key(const char *text, struct seal_bytes *reference, struct seal_err *err)
{
	struct managed_key found = {.text = NULL};
	enum seal_status rc = SEAL_OK;

	*reference = BYTES_EMPTY;
	if (text == NULL)
		return SEAL_OK;
	SEAL_TRY(key_use_find(text, &found, err));
	*reference = found.reference;
	if (found.source != &vault_source)
		rc = err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			     "--key %s is not a key of a server; write it as vault:transit/NAME", text);
out:
	return rc;
}

enum seal_status doctor_vault(const struct command_call *call, const char *policy_file, const char *file_key,
			      struct doctor_report *report, struct seal_err *err)
{
	struct vault_options options = call->global->vault;
	struct vault_visit visit = {
		.report = report, .arena = call->arena, .deadline_ms = clock_mono_ms() + VISIT_MS};
	struct policy *policy = NULL;
	struct seal_bytes reference;
	enum seal_status rc = SEAL_OK;

	SEAL_TRY(find_file_key(file_key, &reference, err));
	if (policy_file != NULL)
		SEAL_TRY(policy_command_load(policy_file, &policy, err));
	visit.policy = policy;
	SEAL_TRY(vault_options_env(&options, call->arena, err));
	if (visit_address(&visit, &options) && visit_server(&visit) && visit_login(&visit, &options))
		SEAL_TRY(visit_all_keys(&visit, &options, reference, err));
out:
	vault_probe_free(visit.probe);
	policy_free(policy);
	return rc;
}
