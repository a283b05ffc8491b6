/*
 * `key copy`: all versions of a key from one store to another, in order.
 *
 *   there already   each version is proved to be the same key by use; any other key: refused
 *   missing         export ──secret memory──▶ proved to be what the source uses ──▶ import ──▶ proved by use
 *                   or, with --unwrapped, all ──▶ restore ──▶ proved by use
 *   at last         the minimum encryption version
 *
 * So a copy that was interrupted goes on where it stopped, and one after a rotation takes the new versions only.
 */
#include "cmd/key_use.h"
#include "keys/keyring_type.h"
#include "keys/proof.h"

struct copy_options {
	bool exportable, hmac_key, unwrapped;
};

#define AT(member) .offset = offsetof(struct copy_options, member)
static const struct opt_row rows[] = {
	{.name = "exportable",
	 .help = "let `key export` show the copy where it is new",
	 .type = OPT_FLAG,
	 AT(exportable)},
	{.name = "hmac",
	 .help = "copy the HMAC keys that a server keeps beside the versions of a key, as a key of type hmac",
	 .type = OPT_FLAG,
	 AT(hmac_key)},
	{.name = "unwrapped",
	 .help = "make a derived key in Transit by restoring it; on its way its material is protected by TLS alone",
	 .type = OPT_FLAG,
	 AT(unwrapped)},
	OPT_END};

struct copy {
	struct managed_key from, to;
	struct key_admin_info source, target; /* target.latest_version 0: not there yet */
	struct key_admin_new how;
	uint32_t copied;
	bool unwrapped;
};

/* Only versions that decrypt can be exported, and a copy without the first ones would have other numbers. */
static enum seal_status check_source(const struct copy *c, struct seal_err *err)
{
	if (c->source.min_decryption_version > 1)
		return err_set(
			err, SEAL_DENIED, SEAL_E_KEY_MINIMUM,
			"versions below %u of %s cannot be exported, and a copy must have them all; lower its "
			"minimum for the copy (`sealstream key config %s --min-decryption-version 1`) and raise "
			"it on both sides afterwards",
			c->source.min_decryption_version, c->from.text, c->from.text);
	return SEAL_OK;
}

static enum seal_status check_target(const struct copy *c, struct seal_err *err)
{
	const struct key_admin_info *t = &c->target;

	if (strcmp(t->type, c->how.type) != 0)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_EXISTS,
			       "%s is there already, with type %s instead of %s; copy to another name", c->to.text,
			       t->type, c->how.type);
	if (t->derived != c->how.derived || t->convergent != c->how.convergent)
		return err_set(err, SEAL_USAGE, SEAL_E_KEY_EXISTS,
			       "%s is there already, and it is %s, unlike %s; copy to another name", c->to.text,
			       key_kind_words(t->derived, t->convergent), c->from.text);
	if (t->latest_version > c->source.latest_version)
		return err_set(
			err, SEAL_USAGE, SEAL_E_KEY_EXISTS,
			"%s is there already and has %u versions, %s only %u; copy the other way or to another "
			"name",
			c->to.text, t->latest_version, c->from.text, c->source.latest_version);
	if (t->min_decryption_version > 1)
		return err_set(
			err, SEAL_DENIED, SEAL_E_KEY_MINIMUM,
			"%s is there already, and whether its versions below %u are the same cannot be proved; "
			"lower its minimum for the copy (`sealstream key config %s --min-decryption-version 1`)",
			c->to.text, t->min_decryption_version, c->to.text);
	return SEAL_OK;
}

static enum seal_status look(struct copy *c, struct seal_err *err)
{
	enum seal_status rc;

	SEAL_TRY(c->from.ops->show(&c->from.on, c->from.reference, &c->source, err));
	SEAL_TRY(check_source(c, err));
	c->how.type = c->from.on.hmac_key ? "hmac" : c->source.type;
	c->how.derived = c->source.derived && !c->from.on.hmac_key;
	c->how.convergent = c->source.convergent && !c->from.on.hmac_key;
	rc = c->to.ops->show(&c->to.on, c->to.reference, &c->target, err);
	if (rc == SEAL_USAGE && err->code == SEAL_E_KEY_UNKNOWN) {
		err_clear(err);
		c->target = (struct key_admin_info){.latest_version = 0};
		rc = SEAL_OK;
	} else if (rc == SEAL_OK) {
		rc = check_target(c, err);
	}
out:
	return rc;
}

static enum seal_status prove(const struct copy *c, uint32_t version, struct seal_bytes material,
			      struct seal_err *err)
{
	const struct key_material proof = {c->how.type, c->how.derived, c->how.convergent, version, material};
	enum seal_status rc = key_prove(c->to.on.source, c->to.reference, &proof, c->to.on.deadline_ms, err);

	if (rc != SEAL_OK)
		err_prefix(err, "%s version %u", c->to.text, version);
	return rc;
}

/* The material of a version, if it really is what the source uses: Vault 1.13 exports something else for HMAC keys. */
static enum seal_status take(const struct copy *c, uint32_t version, struct secret *out, struct seal_err *err)
{
	struct key_material proof = {c->how.type, c->how.derived, c->how.convergent, version, BYTES_EMPTY};
	const struct keyring_type *type = keyring_type_by_name(bytes_str(c->how.type));
	struct seal_err failure = SEAL_ERR_INIT;
	enum seal_status rc;

	SEAL_TRY(c->from.ops->export(&c->from.on, c->from.reference, version, out, NULL, err));
	if (type == NULL || !keyring_type_takes(type, out->len)) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			     "%s has type %s and %zu bytes of material; no other store takes that", c->from.text,
			     c->how.type, out->len);
		goto out;
	}
	proof.bytes = secret_bytes(out);
	rc = key_prove(c->from.on.source, c->from.reference, &proof, c->from.on.deadline_ms, &failure);
	if (rc == SEAL_USAGE && failure.code == SEAL_E_KEY_EXISTS)
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_TYPE,
			     "what %s exports as version %u is not the key that it uses, so a copy would not agree; "
			     "nothing was copied of it",
			     c->from.text, version);
	else if (rc != SEAL_OK && err != NULL)
		*err = failure;
out:
	if (rc != SEAL_OK)
		secret_clear(out);
	return rc;
}

static void say_copied(struct copy *c, uint32_t version)
{
	printf("%s version %u -> %s version %u\n", c->from.text, version, c->to.text, version);
	fflush(stdout);
	c->copied++;
}

/* The next version of the target, which must get the number that it has at the source. */
static enum seal_status import(struct copy *c, uint32_t version, struct seal_bytes material, struct seal_err *err)
{
	enum seal_status rc;
	uint32_t number;

	SEAL_TRY(c->to.ops->import(&c->to.on, c->to.reference, &c->how, material, &number, err));
	if (number != version) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_KEY_EXISTS,
			     "%s has changed meanwhile: version %u of %s became version %u there", c->to.text,
			     version, c->from.text, number);
		goto out;
	}
	say_copied(c, version);
out:
	return rc;
}

static enum seal_status copy_version(struct copy *c, uint32_t version, struct seal_err *err)
{
	struct secret material = SECRET_INIT;
	enum seal_status rc;

	SEAL_TRY(take(c, version, &material, err));
	if (version > c->target.latest_version)
		SEAL_TRY(import(c, version, secret_bytes(&material), err));
	SEAL_TRY(prove(c, version, secret_bytes(&material), err));
out:
	secret_clear(&material);
	return rc;
}

/* All at once, and the key is new there: nothing to go on with later. */
static enum seal_status restore(struct copy *c, struct seal_err *err)
{
	const uint32_t n = c->source.latest_version;
	struct secret *versions = arena_alloc(c->to.on.arena, n * sizeof(*versions), _Alignof(struct secret));
	enum seal_status rc;
	uint32_t got = 0;

	if (c->to.ops->restore == NULL || !c->how.derived)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "--unwrapped is for derived keys on their way to Transit; leave it out");
	if (versions == NULL)
		return err_memory(err);
	for (; got < n; got++) {
		versions[got] = (struct secret)SECRET_INIT;
		SEAL_TRY(take(c, got + 1, &versions[got], err));
	}
	SEAL_TRY(c->to.ops->restore(&c->to.on, c->to.reference, &c->how, versions, n, err));
	for (uint32_t i = 0; i < n; i++) {
		SEAL_TRY(prove(c, i + 1, secret_bytes(&versions[i]), err));
		say_copied(c, i + 1);
	}
out:
	while (got > 0)
		secret_clear(&versions[--got]);
	return rc;
}

static enum seal_status copy_all(struct copy *c, struct seal_err *err)
{
	struct key_admin_change change = {
		.mask = KEY_SET_MIN_ENCRYPTION,
		.min_encryption_version = c->source.min_encryption_version,
	};
	const bool whole = c->unwrapped && c->target.latest_version == 0;
	enum seal_status rc = SEAL_OK;

	if (whole)
		SEAL_TRY(restore(c, err));
	for (uint32_t version = 1; !whole && version <= c->source.latest_version; version++)
		SEAL_TRY(copy_version(c, version, err));
	if (change.min_encryption_version != c->target.min_encryption_version)
		SEAL_TRY(c->to.ops->configure(&c->to.on, c->to.reference, &change, err));
	printf("%s: %u of %u version%s copied, %u there already\n", c->to.text, c->copied, c->source.latest_version,
	       c->source.latest_version == 1 ? "" : "s", c->source.latest_version - c->copied);
out:
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct copy_options *options = call->options;
	struct copy c = {.how.exportable = options->exportable, .unwrapped = options->unwrapped};
	enum seal_status rc;

	SEAL_TRY(key_use_find(call->args[0], &c.from, err));
	SEAL_TRY(key_use_find(call->args[1], &c.to, err));
	SEAL_TRY(key_use_open(call, false, &c.from, err));
	SEAL_TRY(key_use_open(call, true, &c.to, err));
	c.from.on.hmac_key = options->hmac_key;
	SEAL_TRY(look(&c, err));
	SEAL_TRY(copy_all(&c, err));
out:
	key_use_end(&c.to);
	key_use_end(&c.from);
	return rc;
}

const struct command command_key_copy = {
	.name = "copy",
	.usage = "FROM TO",
	.summary = "Copy all versions of a key to another store, or those that are missing there",
	.details =
		"FROM must be exportable. TO must not be there yet, or its versions must be the first ones of FROM: "
		"that is proved by use, and the missing ones are added. So an interrupted copy goes on when it is "
		"started again. Each copied version is proved, too: a text made on either side must open on the "
		"other. Into Transit keys are imported wrapped (RSA-OAEP and AES-KWP). It cannot take ff1 keys. "
		"Derived "
		"and convergent ones it can export, but not import so that both sides agree: make such a key there "
		"and "
		"copy it here, or restore it there once, with all versions, by --unwrapped.",
	.examples = "sealstream key copy pii vault:transit/pii\n"
		    "sealstream key copy vault:transit/pii local:pii\n",
	.options = rows,
	.options_size = sizeof(struct copy_options),
	.args_min = 2,
	.args_max = 2,
	.keys = true,
	.run = run,
};
