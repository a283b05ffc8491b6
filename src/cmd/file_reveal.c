/* `file reveal`: a container becomes the file again, or a part of it. */
#include <unistd.h>

#include "cmd/file_use.h"
#include "files/file_reveal.h"

struct reveal_options {
	const char *key, *output, *range;
	bool force;
};

#define AT(member) .offset = offsetof(struct reveal_options, member)
static const struct opt_row rows[] = {
	FILE_KEY_ROW(struct reveal_options, key),
	{.name = "output",
	 .letter = 'o',
	 .help = "where the file goes; - is standard output; default: FILE without its .seal",
	 .arg = "OUT",
	 .type = OPT_STRING,
	 AT(output)},
	{.name = "force", .help = "replace OUT when it is there already", .type = OPT_FLAG, AT(force)},
	{.name = "range",
	 .help = "only LENGTH bytes from OFFSET on (no LENGTH: to the end), to standard output; only their chunks "
		 "are "
		 "read",
	 .arg = "OFFSET:LENGTH",
	 .type = OPT_STRING,
	 AT(range)},
	OPT_END};

static enum seal_status parse_range(const char *text, struct file_reveal *how, struct seal_err *err)
{
	const char *colon = strchr(text, ':');

	how->part = true;
	how->length = UINT64_MAX;
	if (colon == NULL || !bytes_to_u64(bytes_of(text, (size_t)(colon - text)), UINT64_MAX, &how->offset) ||
	    (colon[1] != '\0' && !bytes_to_u64(bytes_str(colon + 1), UINT64_MAX, &how->length)))
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "--range wants OFFSET:LENGTH in bytes, as in 1048576:4096 or 1048576:");
	return SEAL_OK;
}

/* FILE without .seal beside it; a part, and what came from a pipe, go to one, but not to a terminal by itself. */
static enum seal_status output_of(const struct command_call *call, const char *file, const char **output,
				  struct seal_err *err)
{
	const struct reveal_options *options = call->options;
	const size_t len = strlen(file), suffix = strlen(FILE_SUFFIX);

	*output = options->output;
	if (*output != NULL)
		return SEAL_OK;
	if (strcmp(file, "-") == 0 || options->range != NULL) {
		*output = "-";
		if (isatty(STDOUT_FILENO))
			return err_set(
				err, SEAL_USAGE, SEAL_E_USAGE,
				"this may be no text for a terminal; name a file with -o, or insist with -o -");
		return SEAL_OK;
	}
	if (len <= suffix || strcmp(file + len - suffix, FILE_SUFFIX) != 0 || file[len - suffix - 1] == '/')
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "%s does not end in " FILE_SUFFIX "; say with -o where the file should go", file);
	*output = arena_strndup(call->arena, file, len - suffix);
	return *output != NULL ? SEAL_OK : err_memory(err);
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct reveal_options *options = call->options;
	const char *file = call->n_args > 0 ? call->args[0] : "-", *output;
	struct file_target target = {.fd = -1, .dirfd = -1};
	struct file_input in = {.fd = -1};
	struct file_reveal how = {.in = &in, .out = &target};
	struct file_key key = {.key = NULL};
	struct key_call ask;
	enum seal_status rc;
	int64_t mtime_ns;

	if (options->range != NULL)
		SEAL_TRY(parse_range(options->range, &how, err));
	SEAL_TRY(output_of(call, file, &output, err));
	SEAL_TRY(file_input_open(file, stop_requested, &in, err));
	audit_use_streams(call->global, file, output);
	SEAL_TRY(file_key_open(call, options->key, true, &key, err));
	SEAL_TRY(file_target_open(output, options->force, &target, err));
	ask = file_key_call(call);
	how.kek = key.session;
	how.derived = key.derived;
	how.call = &ask;
	audit_files_begun(key.audit);
	SEAL_TRY(file_reveal(&how, &mtime_ns, err));
	SEAL_TRY(file_target_keep(&target, how.part ? INT64_MIN : mtime_ns, err));
	audit_files_done(key.audit, target.written);
out:
	file_target_close(&target);
	file_key_close(&key);
	file_input_close(&in);
	return stop_before_start(rc, exit_code, err) ? SEAL_OK : rc;
}

const struct command command_file_reveal = {
	.name = "reveal",
	.usage = "[FILE|-]",
	.summary = "Get a protected file back",
	.details = "OUT appears when the last chunk has been verified, with mode 0600 and the time that the file "
		   "had; a run that is killed (kill -9, a power cut) leaves .OUT.PID.N.tmp beside it, with what was "
		   "revealed so far in clear: remove it. To "
		   "standard output each chunk goes once it is verified; when a later one turns out to be missing or "
		   "changed, the command says that what it wrote is not the whole file and ends with 65. The name "
		   "inside the container is not used.\n"
		   "With --range only a part is read and written; it is verified as the whole would be, but says "
		   "nothing of the rest.",
	.examples = "sealstream file reveal --key local:pii report.csv.seal\n"
		    "sealstream file reveal --key vault:transit/pii -o - photos.seal | tar x\n"
		    "sealstream file reveal --key local:pii --range 0:512 disk.img.seal | xxd\n",
	.options = rows,
	.options_size = sizeof(struct reveal_options),
	.args_max = 1,
	.keys = true,
	.run = run,
};
