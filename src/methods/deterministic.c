/*
 * deterministic: Vault's convergent encryption, version 3. Equal values under equal places have equal text, so that joins,
 * compaction and partitioning work on what is protected.
 *
 *   HKDF-SHA-256(key version's material, info = place) ──▶ encryption key │ nonce key
 *   nonce = HMAC-SHA-256(nonce key, plaintext)[0..12)
 *   vault:vN: + base64(nonce ‖ ciphertext ‖ tag)           json+ before it as with encrypt
 *
 * The key source does all of that: its key must be derived and convergent, and the cell's place is its context. Never associated
 * data, which would put two tags under one nonce. What is left for the method is the version: a rotation must not change the text of equal
 * values, so the policy pins one. Text of every version reveals, and rewrap brings it to the pinned one.
 */
#include "methods/builtin.h"
#include "methods/simple.h"

struct deterministic_options {
	int64_t version;
};

static const struct opt_row rows[] = {
	{.name = "version",
	 .help = "version of the key, fixed so that a rotation does not make equal values look different; default 1",
	 .arg = "N",
	 .def = "1",
	 .min = 1,
	 .max = UINT32_MAX,
	 .offset = offsetof(struct deterministic_options, version),
	 .type = OPT_INT},
	OPT_END,
};

static enum seal_status check_key(struct key *key, int64_t version, struct seal_err *err)
{
	struct key_info info;
	enum seal_status rc;

	SEAL_TRY(key->ops->info(key, &info, err));
	if (!info.derived || !info.convergent) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			     "its key does not encrypt equal values to equal text; name a convergent one "
			     "(`sealstream key create NAME --convergent`; a key cannot be made so later)");
		goto out;
	}
	SEAL_TRY(key_has_version(key, version, err));
out:
	return rc;
}

static enum seal_status deterministic_open(const struct policy_method *spec, const struct method_needs *needs,
					   struct method **out, struct seal_err *err)
{
	const struct deterministic_options *options = spec->options;
	enum seal_status rc;

	*out = NULL;
	SEAL_TRY(check_key(needs->key, options->version, err));
	SEAL_TRY(simple_open(&method_deterministic, &encrypt_session_ops, spec, needs, out, err));
	((struct simple_method *)*out)->version = (uint32_t)options->version;
out:
	return rc;
}

/* The rest says how values are read, too. */
static const char *const write_options[] = {"version", NULL};

const struct method_ops method_deterministic = {
	.kind =
		{
			.size = sizeof(struct method_kind),
			.name = "deterministic",
			.summary =
				"equal values give equal text (Vault's convergent encryption), for joins and record "
				"keys; any value",
			.leaks = "equality, length",
			.flags = METHOD_ENCRYPT_KEY | METHOD_BINDS | METHOD_CONVERGENT_KEY | METHOD_TEXT_FORM |
				 METHOD_BYTES | METHOD_STABLE,
			.options = rows,
			.options_size = sizeof(struct deterministic_options),
			.write_options = write_options,
		},
	.open = deterministic_open,
	.session = simple_session_new,
	.free = simple_free,
};
