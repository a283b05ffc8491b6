/* `policy`: the group, and what its subcommands share. */
#include "cmd/policy.h"

#include <errno.h>

#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/registry.h"

#define STDIN_NAME "(standard input)"

enum seal_status policy_command_file(const struct command_call *call, const char **file, struct seal_err *err)
{
	const struct policy_options *options = call->options;

	*file = call->n_args > 0 ? call->args[0] : options->file;
	if (*file != NULL)
		return SEAL_OK;
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
		       "which policy? Give FILE, or set it with -p or SEALSTREAM_POLICY");
}

static enum seal_status read_stdin(struct seal_buf *text, struct seal_err *err)
{
	enum seal_status rc;
	size_t n;

	do {
		rc = buf_reserve(text, 4096, err);
		if (rc != SEAL_OK)
			return rc;
		n = fread(text->ptr + text->len, 1, 4096, stdin);
		text->len += n;
	} while (n > 0);
	if (ferror(stdin))
		return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot read the policy from standard input");
	return SEAL_OK;
}

enum seal_status policy_command_read(const char *file, struct policy_findings *findings, struct policy **out,
				     struct seal_err *err)
{
	struct seal_buf text = BUF_INIT(POLICY_FILE_MAX + 8192); /* policy_load tells when it is too much */
	enum seal_status rc;

	if (strcmp(file, "-") != 0)
		return policy_load_file(file, &registry_schema, findings, out, err);
	*out = NULL;
	SEAL_TRY(read_stdin(&text, err));
	SEAL_TRY(policy_load(buf_bytes(&text), STDIN_NAME, &registry_schema, findings, out, err));
out:
	buf_clear(&text);
	return rc;
}

enum seal_status policy_command_load(const char *file, struct policy **out, struct seal_err *err)
{
	struct policy_findings findings;
	enum seal_status rc;

	policy_findings_init(&findings);
	rc = policy_command_read(file, &findings, out, err);
	for (const struct policy_finding *one = findings.first; rc == SEAL_OK && one != NULL; one = one->next)
		log_say(LOG_WARNING, "%s:%u:%u: %s", file, one->mark.line, one->mark.column, one->text);
	policy_findings_clear(&findings);
	return rc;
}

enum seal_status policy_command_print(const struct seal_buf *text, struct seal_err *err)
{
	if (fwrite(text->ptr, 1, text->len, stdout) != text->len)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot write to standard output");
	return SEAL_OK;
}

static const struct command *const subs[] = {
	&command_policy_lint, &command_policy_test,   &command_policy_explain,
	&command_policy_diff, &command_policy_schema, NULL,
};

const struct command command_policy = {
	.name = "policy",
	.usage = "lint|test|explain|diff|schema",
	.summary = "Check, test and explain a policy",
	.details = "A policy says which fields of which topics are protected, how and with which key. docs/POLICY.md "
		   "describes the file.",
	.subs = subs,
};
