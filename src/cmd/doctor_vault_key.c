/*
 * `doctor --vault`: a key of Transit: is it there, can it do what is asked of it, may the token, does a text come back.
 *
 *   values      encrypt ──▶ decrypt                 a test text
 *   data keys   datakey/plaintext ──▶ decrypt       a data key; no value is ever shown to the server
 *   HMACs       hmac
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cmd/doctor_vault.h"
#include "keys/kek.h"
#include "vault/reference.h"
#include "vault/vault.h"

static const struct seal_bytes test_text = {(const uint8_t *)"sealstream doctor", 17};
static const struct seal_bytes test_place = {(const uint8_t *)"sealstream doctor: place", 24};

/* What is done with the key, and what the token may of it: yes where nothing needs it. */
struct trial {
	struct vault_visit *visit;
	const char *subject; /* "transit/pii" */
	const char *mount, *name;
	unsigned uses; /* VISIT_… */
	enum vault_right encrypt, data_key, decrypt, hmac;
};

static const char *path_of(const struct trial *trial, const char *what)
{
	const char *path = arena_printf(trial->visit->arena, "%s/%s/%s", trial->mount, what, trial->name);

	return path != NULL ? path : "";
}

static const char *hmac_path(const struct trial *trial)
{
	const char *path = arena_printf(trial->visit->arena, "%s/hmac/%s/sha2-256", trial->mount, trial->name);

	return path != NULL ? path : "";
}

static void tell_key(const struct trial *trial, const struct key_info *info)
{
	const unsigned needs = ((trial->uses & (VISIT_VALUES | VISIT_DATA_KEYS)) != 0 ? KEY_ENCRYPT : 0) |
			       ((trial->uses & VISIT_HMAC) != 0 ? KEY_HMAC : 0);
	const bool can = (info->uses & needs) == needs;

	visit_tell(trial->visit, can ? DOCTOR_OK : DOCTOR_FAIL, trial->subject, "key",
		   can ? NULL : "name a key of type aes256-gcm96 (hmac for hash), or create one",
		   "%s%s, version %u%s%s", info->type,
		   info->convergent ? ", convergent"
		   : info->derived  ? ", derived"
				    : "",
		   info->latest_version,
		   info->min_decryption_version > 1
			   ? arena_printf(trial->visit->arena, ", reveals from version %u on",
					  info->min_decryption_version)
			   : "",
		   can ? "" : "; it cannot do what is asked of it");
}

/* Encrypting under a name that is not there makes the key, where the token may: a slip would go unnoticed elsewhere. */
static void warn_of_create(const struct trial *trial)
{
	bool creates;

	if (vault_probe_right(trial->visit->probe, path_of(trial, "encrypt"), "update", trial->visit->deadline_ms,
			      &creates) != VAULT_RIGHT_UNKNOWN &&
	    creates)
		visit_tell(trial->visit, DOCTOR_WARN, trial->subject, "policy",
			   "take `create` off: `update` is all that encrypting needs",
			   "the token may create on %s: for others that use it, a mistyped name would make a new key",
			   path_of(trial, "encrypt"));
}

/* True: of what writes and what reads, the token may neither. */
static bool may_nothing(const struct trial *trial)
{
	return (trial->uses & (VISIT_VALUES | VISIT_DATA_KEYS)) != 0 && trial->decrypt == VAULT_RIGHT_NONE &&
	       ((trial->uses & VISIT_VALUES) == 0 || trial->encrypt == VAULT_RIGHT_NONE) &&
	       ((trial->uses & VISIT_DATA_KEYS) == 0 || trial->data_key == VAULT_RIGHT_NONE);
}

/* Those that a use of the key needs, each with its line where it is missing. */
static void ask_rights(struct trial *trial)
{
	struct vault_visit *visit = trial->visit;

	trial->encrypt = trial->data_key = trial->decrypt = trial->hmac = VAULT_RIGHT_YES;
	if ((trial->uses & VISIT_VALUES) != 0) {
		trial->encrypt = visit_needs(visit, trial->subject, path_of(trial, "encrypt"), "update",
					     "encrypt: protect will fail", DOCTOR_WARN);
		warn_of_create(trial);
	}
	if ((trial->uses & VISIT_DATA_KEYS) != 0)
		trial->data_key = visit_needs(visit, trial->subject, path_of(trial, "datakey/plaintext"), "update",
					      "make data keys: protect and send will fail", DOCTOR_WARN);
	if ((trial->uses & (VISIT_VALUES | VISIT_DATA_KEYS)) != 0)
		trial->decrypt =
			visit_needs(visit, trial->subject, path_of(trial, "decrypt"), "update",
				    (trial->uses & VISIT_PEOPLE) != 0
					    ? "decrypt: reveal will fail, and protect with a key for each person"
					    : "decrypt: reveal will fail",
				    DOCTOR_WARN);
	if ((trial->uses & VISIT_HMAC) != 0)
		trial->hmac = visit_needs(visit, trial->subject, hmac_path(trial), "update",
					  "make HMACs: hash will fail", DOCTOR_FAIL);
}

static void look_at_rights(struct trial *trial)
{
	struct vault_visit *visit = trial->visit;
	enum vault_right read = visit_needs(visit, trial->subject, path_of(trial, "keys"), "read",
					    "read the key, which is looked at at start", DOCTOR_FAIL);

	ask_rights(trial);
	if (may_nothing(trial))
		visit_tell(visit, DOCTOR_FAIL, trial->subject, "policy", NULL, "the token may neither %s nor decrypt",
			   (trial->uses & VISIT_VALUES) != 0 ? "encrypt" : "make data keys");
	else if (read == VAULT_RIGHT_UNKNOWN)
		visit_tell(visit, DOCTOR_WARN, trial->subject, "policy",
			   "add to its policy: path \"sys/capabilities-self\" { capabilities = [\"update\"] }",
			   "what the token may do is not told to it");
	else if (read == VAULT_RIGHT_YES && trial->encrypt == VAULT_RIGHT_YES && trial->data_key == VAULT_RIGHT_YES &&
		 trial->decrypt == VAULT_RIGHT_YES && trial->hmac == VAULT_RIGHT_YES)
		visit_tell(visit, DOCTOR_OK, trial->subject, "policy", NULL, "the token may do all that is needed");
}

/* `item`: the last that was asked for; NULL: the call tells all. */
static void tell_trip(const struct trial *trial, uint64_t since_ns, enum seal_status rc, const struct key_item *item,
		      const struct seal_err *err, const char *did)
{
	const struct seal_err *why = rc != SEAL_OK ? err : item != NULL ? item->err : NULL;

	if (why != NULL)
		visit_tell(trial->visit, DOCTOR_FAIL, trial->subject, "round trip", NULL, "%s: %s", did, why->text);
	else
		visit_tell(trial->visit, DOCTOR_OK, trial->subject, "round trip", NULL, "%s, in %.1f ms", did,
			   (double)(clock_mono_ns() - since_ns) / 1e6);
}

static void try_encrypt(const struct trial *trial, struct key_session *session)
{
	const struct key_call call = {.arena = trial->visit->arena, .deadline_ms = trial->visit->deadline_ms};
	struct key_item item = {.in = test_text, .aad = test_place};
	struct seal_err err = SEAL_ERR_INIT;
	const uint64_t since_ns = clock_mono_ns();
	enum seal_status rc;

	if (trial->encrypt == VAULT_RIGHT_NONE)
		return;
	rc = session->ops->encrypt(session, &item, 1, &call, &err);
	if (rc != SEAL_OK || item.err != NULL || trial->decrypt == VAULT_RIGHT_NONE) {
		tell_trip(trial, since_ns, rc, &item, &err, "a test text was encrypted");
		return;
	}
	item = (struct key_item){.in = item.out, .aad = test_place};
	rc = session->ops->decrypt(session, &item, 1, &call, &err);
	if (rc == SEAL_OK && item.err == NULL && !bytes_eq(item.out, test_text))
		visit_tell(trial->visit, DOCTOR_FAIL, trial->subject, "round trip", "is a proxy in between?",
			   "a test text came back as another one");
	else
		tell_trip(trial, since_ns, rc, &item, &err, "a test text was encrypted and decrypted");
}

/* A data key from the server and back, in the way of data keys (keys/kek.c). */
static void try_data_key(const struct trial *trial, struct key_session *session, bool derived)
{
	const struct key_call call = {.arena = trial->visit->arena, .deadline_ms = trial->visit->deadline_ms};
	const struct seal_bytes context = kek_context(derived);
	struct key_item item = {.aad = context};
	struct secret plain = SECRET_INIT;
	struct seal_err err = SEAL_ERR_INIT;
	const uint64_t since_ns = clock_mono_ns();
	enum seal_status rc;

	if (trial->data_key == VAULT_RIGHT_NONE)
		return;
	rc = session->ops->data_key(session, DATA_KEY_LEN, context, &plain, &item.in, &call, &err);
	if (rc != SEAL_OK || trial->decrypt == VAULT_RIGHT_NONE) {
		tell_trip(trial, since_ns, rc, NULL, &err, "a data key was made");
		goto out;
	}
	rc = session->ops->decrypt(session, &item, 1, &call, &err);
	if (rc == SEAL_OK && item.err == NULL &&
	    (item.out.len != plain.len || !ct_equal(item.out.ptr, plain.ptr, plain.len)))
		visit_tell(trial->visit, DOCTOR_FAIL, trial->subject, "round trip", "is a proxy in between?",
			   "a data key came back as another one");
	else
		tell_trip(trial, since_ns, rc, &item, &err, "a data key was made and opened");
	mem_wipe((uint8_t *)item.out.ptr, item.out.len);
out:
	secret_clear(&plain);
}

static void try_hmac(const struct trial *trial, struct key_session *session, const struct key_info *info)
{
	const struct key_call call = {.arena = trial->visit->arena, .deadline_ms = trial->visit->deadline_ms};
	struct key_item item = {.in = test_text};
	struct seal_err err = SEAL_ERR_INIT;
	const uint64_t since_ns = clock_mono_ns();
	enum seal_status rc;

	if (trial->hmac == VAULT_RIGHT_NONE)
		return;
	rc = session->ops->hmac(session, info->latest_version, &item, 1, &call, &err);
	tell_trip(trial, since_ns, rc, &item, &err, "the HMAC of a test text was made");
}

static void try_key(const struct trial *trial, struct key *key, const struct key_info *info)
{
	struct key_session *session = NULL;
	struct seal_err err = SEAL_ERR_INIT;

	if (key->ops->session(key, &session, &err) != SEAL_OK) {
		visit_tell(trial->visit, DOCTOR_FAIL, trial->subject, "round trip", NULL, "%s", err.text);
		return;
	}
	if ((trial->uses & VISIT_VALUES) != 0 && (info->uses & KEY_ENCRYPT) != 0)
		try_encrypt(trial, session);
	if ((trial->uses & VISIT_DATA_KEYS) != 0 && (info->uses & KEY_ENCRYPT) != 0)
		try_data_key(trial, session, info->derived);
	if ((trial->uses & VISIT_HMAC) != 0 && (info->uses & KEY_HMAC) != 0)
		try_hmac(trial, session, info);
	session->ops->free(session);
}

void visit_key(struct vault_visit *visit, struct seal_bytes at, unsigned uses)
{
	struct trial trial = {.visit = visit, .uses = uses};
	struct seal_err err = SEAL_ERR_INIT;
	struct vault_reference reference;
	struct key_info info;
	struct key *key = NULL;
	const char *why;

	SEAL_INVARIANT(vault_reference_parse(at, &reference, &why)); /* it was checked */
	trial.subject = arena_strndup(visit->arena, (const char *)at.ptr, at.len);
	trial.mount = arena_strndup(visit->arena, (const char *)reference.mount.ptr, reference.mount.len);
	trial.name = arena_strndup(visit->arena, (const char *)reference.name.ptr, reference.name.len);
	if (trial.subject == NULL || trial.mount == NULL || trial.name == NULL) {
		visit_tell(visit, DOCTOR_FAIL, "key", "", NULL, "out of memory");
		return;
	}
	if (vault_source.key(visit->source, at, &key, &err) != SEAL_OK || key->ops->info(key, &info, &err) != SEAL_OK)
		visit_tell(visit, DOCTOR_FAIL, trial.subject, "key", NULL, "%s", err.text);
	else
		tell_key(&trial, &info);
	if (err.code == SEAL_E_KEY_UNKNOWN)
		return;
	look_at_rights(&trial);
	if (key != NULL && err.status == SEAL_OK)
		try_key(&trial, key, &info);
	if (key != NULL)
		key->ops->free(key);
}
