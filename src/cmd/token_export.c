/*
 * `token export`: all tokens of one key and store as lines (token_line.h), values in clear. What it writes is encrypted by nothing:
 * it goes to a new file that only its owner reads, or to standard output, and only with --yes.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "cmd/token_line.h"
#include "cmd/token_use.h"

#define PAGE_BYTES_MAX ((size_t)1 << 30)

struct export_options {
	struct token_options token; /* first */
	const char *output; /* NULL: standard output */
	bool yes;
};

#define AT(member) .offset = offsetof(struct export_options, member)

static const struct opt_row rows[] = {
	TOKEN_ROWS,
	{.name = "output",
	 .letter = 'o',
	 .help = "a new file, which only you can read; default: standard output",
	 .arg = "FILE",
	 .type = OPT_STRING,
	 AT(output)},
	{.name = "yes", .help = "yes, write the values in clear", .type = OPT_FLAG, AT(yes)},
	OPT_END};

struct export
{
	int fd;
	const char *name;
	struct seal_buf lines; /* of one page */
	uint64_t n;
};

static enum seal_status write_page(struct token_use *use, struct token_record *records, size_t n, void *arg,
				   struct seal_err *err)
{
	struct export *export = arg;
	enum seal_status rc = SEAL_OK;

	buf_reset(&export->lines);
	for (size_t i = 0; i < n; i++)
		SEAL_TRY(token_line_write(&records[i], &use->arena, &export->lines, err));
	SEAL_TRY(file_write_all(export->fd, buf_bytes(&export->lines), export->name, err));
	export->n += n;
out:
	return rc;
}

static enum seal_status open_output(const struct export_options *options, struct export *export, struct seal_err *err)
{
	if (options->output == NULL)
		return SEAL_OK;
	export->name = options->output;
	export->fd = open(options->output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (export->fd >= 0)
		return SEAL_OK;
	return err_set_errno(err, SEAL_USAGE, SEAL_E_CREATE, errno, "cannot create %.200s", options->output);
}

/* A file that is not whole goes away. */
static enum seal_status close_output(const struct export_options *options, struct export *export, enum seal_status rc,
				     struct seal_err *err)
{
	if (options->output == NULL || export->fd < 0)
		return rc;
	if (rc == SEAL_OK && fsync(export->fd) != 0)
		rc = err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno, "cannot write %.200s", options->output);
	close(export->fd);
	if (rc != SEAL_OK || stop_requested() != 0)
		unlink(options->output);
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct export_options *options = call->options;
	struct export export = {.fd = STDOUT_FILENO, .name = "stdout", .lines = BUF_INIT(PAGE_BYTES_MAX)};
	struct token_use use;
	uint64_t bad = 0;
	enum seal_status rc;

	SEAL_TRY(token_use_begin(call, &use, err));
	SEAL_TRY(token_use_only(&use, err));
	if (!options->yes) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			     "this writes the values of all tokens in clear; add --yes, and encrypt what it writes "
			     "(sealstream file protect)");
		goto out;
	}
	SEAL_TRY(token_use_open(&use, 0, false, err));
	SEAL_TRY(open_output(options, &export, err));
	rc = close_output(options, &export, token_use_walk(&use, write_page, &export, &bad, err), err);
	SEAL_TRY(rc);
	log_say(LOG_INFO, "%llu token%s written, values in clear", (unsigned long long)export.n, plural_s(export.n));
	*exit_code = token_use_exit(&use, bad);
out:
	mem_wipe(export.lines.ptr, export.lines.cap);
	buf_clear(&export.lines);
	token_use_end(&use);
	return rc;
}

const struct command command_token_export = {
	.name = "export",
	.usage = "-p POLICY --yes",
	.summary = "Write all tokens with their values, in clear",
	.details =
		"To move tokens to another store, another key or another namespace: `token import` reads what this "
		"writes, one JSON object a line. It is encrypted by nothing, so it needs --yes; a file is made anew "
		"and "
		"only its owner can read it (mode 0600). Pipe it into `token import`, or encrypt it before it is "
		"kept.",
	.examples = "sealstream token export -p old.yaml --yes |\n"
		    "  sealstream token import -p new.yaml\n"
		    "sealstream token export -p policy.yaml --method card --yes -o cards.ndjson\n",
	.options = rows,
	.options_size = sizeof(struct export_options),
	.keys = true,
	.run = run,
};
