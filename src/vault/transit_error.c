/*
 * The texts of Transit's errors. They are matched by their telling part, since releases and products word the rest
 * differently; a text that nobody knows is never taken for a bad record.
 */
#include "keys/keyring_text.h"
#include "vault/transit.h"

enum trouble {
	TROUBLE_TAMPERED,
	TROUBLE_TOO_OLD,
	TROUBLE_TOO_NEW,
	TROUBLE_TRIMMED,
	TROUBLE_MALFORMED,
	/* From here on it is the whole call's. */
	TROUBLE_GONE,
	TROUBLE_SOFT_DELETED,
	TROUBLE_TYPE,
	TROUBLE_CONTEXT,
	TROUBLE_NO_VERSION,
	TROUBLE_BELOW_MINIMUM,
	TROUBLE_UNKNOWN
};

static const struct {
	const char *part;
	enum trouble trouble;
} texts[] = {
	{"message authentication failed", TROUBLE_TAMPERED},
	{"(too old)", TROUBLE_TOO_OLD},
	{"version is too old", TROUBLE_TOO_OLD},
	{"version is too new", TROUBLE_TOO_NEW},
	{"no HMAC key exists", TROUBLE_NO_VERSION},
	{"key version does not exist", TROUBLE_NO_VERSION},
	{"is higher than the latest key version", TROUBLE_NO_VERSION},
	{"less than the minimum encryption key version", TROUBLE_BELOW_MINIMUM},
	{"no such key version", TROUBLE_TRIMMED},
	{"old convergent encryption key", TROUBLE_TRIMMED},
	{"invalid ciphertext", TROUBLE_MALFORMED},
	{"key not found", TROUBLE_GONE},
	{"soft-deleted", TROUBLE_SOFT_DELETED},
	{"not supported for key type", TROUBLE_TYPE},
	{"non-AEAD", TROUBLE_TYPE},
	{"missing 'context'", TROUBLE_CONTEXT},
	{"context should be set", TROUBLE_CONTEXT},
};

static enum trouble find(const char *text)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strstr(text, texts[i].part) != NULL)
			return texts[i].trouble;
	return TROUBLE_UNKNOWN;
}

static enum seal_status explain_call(const struct transit_key *key, enum trouble trouble, struct seal_err *err)
{
	const char *server = vault_client_name(key->source->client);

	switch (trouble) {
	case TROUBLE_TOO_OLD:
	case TROUBLE_BELOW_MINIMUM:
		return err_set(
			err, SEAL_DENIED, SEAL_E_KEY_MINIMUM,
			"%s: this version of key %s is below its minimum version; lower that, or correct the version "
			"in the policy",
			server, key->name);
	case TROUBLE_NO_VERSION:
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_VERSION,
			       "%s: key %s has no such version; correct the version in the policy or rotate the key",
			       server, key->name);
	case TROUBLE_GONE:
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_UNKNOWN,
			       "key %s was there at start and is gone from %s now; restore it from a backup",
			       key->name, server);
	case TROUBLE_SOFT_DELETED:
		return err_set(err, SEAL_DENIED, SEAL_E_DENIED,
			       "key %s on %s is soft-deleted; restore it (keys/NAME/soft-delete-restore)", key->name,
			       server);
	case TROUBLE_TYPE:
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE, "key %s on %s cannot do this (type %s)", key->name,
			       server, key->info.type);
	default:
		return err_set(
			err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			"key %s on %s is derived and needs something to derive from: 'bind: none' cannot be used "
			"with it",
			key->name, server);
	}
}

static enum seal_status explain_item(const struct transit_key *key, enum trouble trouble, uint32_t version,
				     struct seal_err *err)
{
	switch (trouble) {
	case TROUBLE_TAMPERED:
		return err_set(
			err, SEAL_DATA, SEAL_E_TAMPERED,
			"does not authenticate under key %s: changed, moved from another place, or encrypted with "
			"another key",
			key->name);
	case TROUBLE_TOO_OLD:
		return err_set(
			err, SEAL_DATA, SEAL_E_KEY_MINIMUM,
			"version %u of key %s is below its minimum decryption version, which was raised on the "
			"server; lower that to read old data (`sealstream key config`), and rewrap before it is "
			"raised",
			version, key->name);
	case TROUBLE_TOO_NEW:
		return err_set(
			err, SEAL_DATA, SEAL_E_KEY_VERSION,
			"key %s has no version %u on this server; it was made by another one, or this one was put "
			"back to an older state",
			key->name, version);
	case TROUBLE_TRIMMED:
		return err_set(
			err, SEAL_DATA, SEAL_E_KEY_VERSION,
			"version %u of key %s is not on the server any more (trimmed, or of an old kind); nothing "
			"opens this value but a backup of the key",
			version, key->name);
	default:
		return err_set(err, SEAL_DATA, SEAL_E_SYNTAX,
			       "damaged: what stands after vault:vN: is not what key %s makes", key->name);
	}
}

enum seal_status transit_explain(const struct transit_key *key, enum transit_call what, uint32_t asked,
				 const struct key_item *item, const char *text, struct seal_err *err)
{
	enum trouble trouble = find(text);
	struct seal_bytes base64;
	uint32_t version = 0;

	if (what == TRANSIT_ENCRYPT && asked != 0 && trouble == TROUBLE_TRIMMED) /* the one that was asked for */
		trouble = TROUBLE_NO_VERSION;
	/* What is sent to be encrypted is any bytes, so that nothing can be wrong with it. */
	if (trouble == TROUBLE_UNKNOWN || (what == TRANSIT_ENCRYPT && trouble < TROUBLE_GONE))
		return SEAL_OK;
	if (trouble >= TROUBLE_GONE || what == TRANSIT_HMAC)
		return explain_call(key, trouble, err);
	if (item != NULL)
		(void)text_split(item->in, &version, &base64);
	return explain_item(key, trouble, version, err);
}

enum vault_blame transit_blame(void *arg, size_t first, size_t n, unsigned status, const char *text,
			       struct seal_err *err)
{
	const struct transit_lot *lot = arg;

	switch (transit_explain(lot->session->key, lot->what, lot->version, NULL, text, err)) {
	case SEAL_OK:
		return VAULT_BLAME_UNKNOWN;
	case SEAL_DATA:
		return VAULT_BLAME_ITEM;
	default:
		return VAULT_BLAME_CALL;
	}
}
