/* redact: a fixed text, or null, in the value's stead. One-way; takes any value. */
#include "methods/builtin.h"
#include "methods/simple.h"

struct redact_options {
	const char *with;
	bool null;
};

static const struct opt_row rows[] = {
	{.name = "with",
	 .help = "the text that stands in the value's stead",
	 .arg = "TEXT",
	 .def = "[redacted]",
	 .offset = offsetof(struct redact_options, with),
	 .type = OPT_STRING},
	{.name = "null",
	 .help = "true: null stands in the value's stead, not a text; default false",
	 .offset = offsetof(struct redact_options, null),
	 .type = OPT_FLAG},
	OPT_END,
};

static enum seal_status protect(struct method_session *session, struct lot *lot, struct seal_err *err)
{
	const struct redact_options *options = simple_options(session);
	const struct seal_bytes with = options->null ? BYTES_LIT("null") : bytes_str(options->with);

	for (size_t i = 0; i < lot->n; i++) {
		lot->cells[i].out = with;
		lot->cells[i].form = options->null ? FORM_JSON : FORM_STRING;
	}
	return SEAL_OK;
}

static const struct method_session_ops session_ops = {
	.size = sizeof(struct method_session_ops),
	.protect = protect,
	.free = simple_session_free,
};

static enum seal_status redact_open(const struct policy_method *spec, const struct method_needs *needs,
				    struct method **out, struct seal_err *err)
{
	return simple_open(&method_redact, &session_ops, spec, needs, out, err);
}

static bool could_be(const void *base, bool string, struct seal_bytes text)
{
	const struct redact_options *options = base;

	return bytes_eq_str(text, options->null ? "null" : options->with) && (string || options->null);
}

const struct method_ops method_redact = {
	.kind =
		{
			.size = sizeof(struct method_kind),
			.name = "redact",
			.summary = "a fixed text or null in the value's stead; one-way; any value",
			.leaks = "nothing",
			.flags = METHOD_ONE_WAY | METHOD_BYTES,
			.options = rows,
			.options_size = sizeof(struct redact_options),
			.could_be = could_be,
		},
	.open = redact_open,
	.session = simple_session_new,
	.free = simple_free,
};
