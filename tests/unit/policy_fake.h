/* A made-up schema for the tests of src/policy: kinds with every flag, rows of every type; no method does anything. */
#ifndef TESTS_POLICY_FAKE_H
#define TESTS_POLICY_FAKE_H

#include "base/mem.h"
#include "policy/policy.h"

struct fake_options {
	const char *alphabet;
	int64_t first, last, version, cache_bytes, ttl_ms;
	struct seal_bytes tweak;
	int output;
	bool legacy, carry;
	struct opt_list *words;
};

static const struct opt_row fake_fpe_rows[] = {
	{.name = "alphabet",
	 .help = "the characters that are encrypted",
	 .type = OPT_STRING,
	 .required = true,
	 .offset = offsetof(struct fake_options, alphabet)},
	{.name = "keep.first",
	 .help = "characters left at the start",
	 .type = OPT_INT,
	 .max = 64,
	 .offset = offsetof(struct fake_options, first)},
	{.name = "keep.last",
	 .help = "characters left at the end",
	 .type = OPT_INT,
	 .max = 64,
	 .offset = offsetof(struct fake_options, last)},
	{.name = "tweak", .help = "verbatim", .type = OPT_HEX, .offset = offsetof(struct fake_options, tweak)},
	{.name = "legacy", .help = "FF3-1", .type = OPT_FLAG, .offset = offsetof(struct fake_options, legacy)},
	OPT_END,
};

static const struct opt_row fake_hash_rows[] = {
	{.name = "output",
	 .help = "how it is written",
	 .def = "hex",
	 .choices = "hex|base64",
	 .type = OPT_CHOICE,
	 .offset = offsetof(struct fake_options, output)},
	{.name = "key_version",
	 .help = "fixed",
	 .def = "1",
	 .type = OPT_INT,
	 .min = 1,
	 .max = 1000,
	 .offset = offsetof(struct fake_options, version)},
	OPT_END,
};

static const struct opt_row fake_envelope_rows[] = {
	{.name = "cache", .help = "size", .type = OPT_SIZE, .offset = offsetof(struct fake_options, cache_bytes)},
	{.name = "ttl", .help = "age", .type = OPT_DURATION, .offset = offsetof(struct fake_options, ttl_ms)},
	{.name = "words", .help = "words", .type = OPT_LIST, .offset = offsetof(struct fake_options, words)},
	OPT_END,
};

static inline enum seal_status fake_check(const void *options, struct seal_err *err)
{
	const struct fake_options *fake = options;

	if (fake->first + fake->last > 64)
		return err_set(err, SEAL_USAGE, SEAL_E_CONFIG, "keep leaves nothing to encrypt");
	return SEAL_OK;
}

static const struct method_kind fake_encrypt = {
	.size = sizeof(struct method_kind),
	.name = "encrypt",
	.summary = "AES-256-GCM",
	.leaks = "length",
	.flags = METHOD_ENCRYPT_KEY | METHOD_BINDS | METHOD_TEXT_FORM | METHOD_BYTES,
};
static const struct method_kind fake_envelope = {
	.size = sizeof(struct method_kind),
	.name = "envelope",
	.summary = "a data key",
	.leaks = "length",
	.flags = METHOD_ENCRYPT_KEY | METHOD_DATA_KEYS | METHOD_BINDS | METHOD_TEXT_FORM | METHOD_BYTES | METHOD_PER,
	.options = fake_envelope_rows,
	.options_size = sizeof(struct fake_options),
};
static const struct method_kind fake_fpe = {
	.size = sizeof(struct method_kind),
	.name = "fpe",
	.summary = "FF1",
	.leaks = "equality, format",
	.flags = METHOD_FPE_KEY | METHOD_BINDS | METHOD_STABLE,
	.options = fake_fpe_rows,
	.options_size = sizeof(struct fake_options),
	.check = fake_check,
};
static const struct method_kind fake_hash = {
	.size = sizeof(struct method_kind),
	.name = "hash",
	.summary = "HMAC",
	.leaks = "equality",
	.flags = METHOD_HMAC_KEY | METHOD_ONE_WAY,
	.options = fake_hash_rows,
	.options_size = sizeof(struct fake_options),
};
static const struct method_kind fake_remove = {
	.size = sizeof(struct method_kind),
	.name = "remove",
	.summary = "gone",
	.leaks = "nothing",
	.flags = METHOD_ONE_WAY | METHOD_REMOVES,
};
static const struct method_kind fake_redact = {
	.size = sizeof(struct method_kind),
	.name = "redact",
	.summary = "stars",
	.leaks = "nothing",
	.flags = METHOD_ONE_WAY,
};

/* Names its key by an option of its own; `legacy` makes it one-way, `output: base64` gives it texts and nothing to bind. */
static inline enum seal_status fake_own_key(const void *options, struct seal_buf *out, struct seal_err *err)
{
	const struct fake_options *fake = options;

	return buf_printf(out, err, "vault:%s", fake->alphabet);
}

static inline unsigned fake_flags_of(const void *options)
{
	const struct fake_options *fake = options;

	return METHOD_TRANSFORM_KEY | (fake->legacy ? METHOD_ONE_WAY : 0) |
	       (fake->output ? METHOD_TEXT_FORM : METHOD_BINDS);
}

static const struct opt_row fake_role_rows[] = {
	{.name = "role",
	 .help = "whose",
	 .type = OPT_STRING,
	 .required = true,
	 .offset = offsetof(struct fake_options, alphabet)},
	{.name = "legacy", .help = "for ever", .type = OPT_FLAG, .offset = offsetof(struct fake_options, legacy)},
	{.name = "output",
	 .help = "how it is written",
	 .def = "hex",
	 .choices = "hex|base64",
	 .type = OPT_CHOICE,
	 .offset = offsetof(struct fake_options, output)},
	OPT_END,
};

static const struct method_kind fake_role = {
	.size = sizeof(struct method_kind),
	.name = "role",
	.summary = "a role's",
	.leaks = "equality",
	.flags = METHOD_TRANSFORM_KEY | METHOD_BINDS,
	.options = fake_role_rows,
	.options_size = sizeof(struct fake_options),
	.own_key = fake_own_key,
	.flags_of = fake_flags_of,
};

static const struct method_kind fake_token = {
	.size = sizeof(struct method_kind),
	.name = "token",
	.summary = "a stand-in",
	.leaks = "nothing",
	.flags =
		METHOD_ENCRYPT_KEY | METHOD_DATA_KEYS | METHOD_BINDS | METHOD_TEXT_FORM | METHOD_BYTES | METHOD_STORE,
};

/* Fit for record keys unless it is `loose`; with `carry` for values alone. */
static inline unsigned fake_same_flags(const void *options)
{
	const struct fake_options *fake = options;

	return METHOD_ENCRYPT_KEY | METHOD_BINDS | METHOD_BYTES | METHOD_PER | (fake->legacy ? 0 : METHOD_STABLE) |
	       (fake->carry ? METHOD_CARRIES : 0);
}

static const struct opt_row fake_same_rows[] = {
	{.name = "loose", .help = "differs", .type = OPT_FLAG, .offset = offsetof(struct fake_options, legacy)},
	{.name = "carry", .help = "beside it", .type = OPT_FLAG, .offset = offsetof(struct fake_options, carry)},
	OPT_END,
};

static const struct method_kind fake_same = {
	.size = sizeof(struct method_kind),
	.name = "same",
	.summary = "equal stays equal",
	.leaks = "equality",
	.flags = METHOD_ENCRYPT_KEY | METHOD_BINDS | METHOD_BYTES | METHOD_PER | METHOD_STABLE | METHOD_CARRIES,
	.options = fake_same_rows,
	.options_size = sizeof(struct fake_options),
	.flags_of = fake_same_flags,
};

static const struct method_kind *const fake_methods[] = {
	&fake_encrypt, &fake_envelope, &fake_fpe,   &fake_hash, &fake_remove,
	&fake_redact,  &fake_role,     &fake_token, &fake_same, NULL};

static inline bool fake_reference(struct seal_bytes reference, const char **why)
{
	if (reference.len > 0)
		return true;
	*why = "the name of a key stands after local:";
	return false;
}

static const struct key_scheme fake_schemes[] = {
	{"local", "NAME", fake_reference}, {"vault", "MOUNT/NAME", fake_reference}, {NULL, NULL, NULL}};

static inline bool fake_address(struct seal_bytes address, const char **why)
{
	if (address.ptr[address.len - 1] != ':')
		return true;
	*why = "a file stands after lite:";
	return false;
}

static const struct key_scheme fake_stores[] = {
	{"lite", "FILE", fake_address}, {"server", "//HOST/DATABASE", NULL}, {NULL, NULL, NULL}};

static const struct policy_schema fake_schema = {fake_methods, fake_schemes, fake_stores};

/* The policy of the design, as a user would write it first. */
static const char fake_example[] = "version: 1\n"
				   "namespace: shop                      # part of what ciphertext is bound to\n"
				   "defaults: {on_error: reject, on_missing: ignore, on_protected: reject}\n"
				   "keys:                                # name: where it lives\n"
				   "  pii:   vault:transit/pii\n"
				   "  cards: local:cards\n"
				   "methods:\n"
				   "  secret: {type: encrypt, key: pii}\n"
				   "  card:   {type: fpe, key: cards, alphabet: digits, keep: {first: 6, last: 4}}\n"
				   "topics:\n"
				   "  - match: purchases                 # exact, glob, or /regex/\n"
				   "    format: json\n"
				   "    protect:\n"
				   "      $.Address: secret\n"
				   "      $.credit_card: card\n"
				   "      $.items[*].note: secret\n"
				   "      $.customer: {type: envelope, key: pii}     # a whole object is fine\n"
				   "      $.cvv: {type: remove}\n"
				   "tests:\n"
				   "  - topic: purchases\n"
				   "    in:  {Address: \"1 High St\", credit_card: \"4111-1111-1111-1111\"}\n"
				   "    out: {credit_card: {like: \"4111-11\\\\d\\\\d-\\\\d{4}-1111\"}}\n"
				   "    round_trip: true\n";

#endif
