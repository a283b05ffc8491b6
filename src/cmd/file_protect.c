/* `file protect`: a file becomes a container. */
#include <unistd.h>

#include "cmd/file_use.h"
#include "files/file_protect.h"
#include "files/media_type.h"

struct protect_options {
	const char *key, *output, *name, *media_type;
	int64_t chunk_size;
	bool force;
};

#define AT(member) .offset = offsetof(struct protect_options, member)
static const struct opt_row rows[] = {
	FILE_KEY_ROW(struct protect_options, key),
	{.name = "output",
	 .letter = 'o',
	 .help = "where the container goes; - is standard output; default: FILE with .seal after it",
	 .arg = "OUT",
	 .type = OPT_STRING,
	 AT(output)},
	{.name = "force", .help = "replace OUT when it is there already", .type = OPT_FLAG, AT(force)},
	FILE_CHUNK_SIZE_ROW(struct protect_options, chunk_size),
	{.name = "name",
	 .help = "the name that is kept, encrypted, in the container; default: that of FILE",
	 .arg = "NAME",
	 .type = OPT_STRING,
	 AT(name)},
	{.name = "media-type",
	 .help = "what kind of file it is; default: by the suffix of its name",
	 .arg = "TYPE",
	 .type = OPT_STRING,
	 AT(media_type)},
	OPT_END};

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* FILE.seal beside FILE; what came from a pipe goes to one, but not to a terminal by itself. */
static enum seal_status output_of(const struct command_call *call, const char *file, const char **output,
				  struct seal_err *err)
{
	const struct protect_options *options = call->options;

	*output = options->output;
	if (*output == NULL && strcmp(file, "-") != 0)
		*output = arena_printf(call->arena, "%s" FILE_SUFFIX, file);
	else if (*output == NULL && isatty(STDOUT_FILENO))
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "a container is no text for a terminal; name a file with -o, or insist with -o -");
	else if (*output == NULL)
		*output = "-";
	return *output != NULL ? SEAL_OK : err_memory(err);
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct protect_options *options = call->options;
	const char *file = call->n_args > 0 ? call->args[0] : "-", *output;
	const char *name = options->name ? options->name : strcmp(file, "-") == 0 ? "" : last_component(file);
	const char *type = options->media_type ? options->media_type : media_type_of(bytes_str(name));
	struct file_target target = {.fd = -1, .dirfd = -1};
	struct file_input in = {.fd = -1};
	struct file_key key = {.key = NULL};
	struct key_call ask;
	enum seal_status rc;

	SEAL_TRY(output_of(call, file, &output, err));
	SEAL_TRY(file_input_open(file, stop_requested, &in, err));
	audit_use_streams(call->global, file, output);
	SEAL_TRY(file_key_open(call, options->key, false, &key, err));
	SEAL_TRY(file_target_open(output, options->force, &target, err));
	ask = file_key_call(call);
	audit_files_begun(key.audit);
	SEAL_TRY(file_protect(&(struct file_protect){.in = &in,
						     .out = &target,
						     .name = bytes_str(name),
						     .media_type = bytes_str(type),
						     .chunk_size = (uint32_t)options->chunk_size,
						     .kek = key.session,
						     .derived = key.derived,
						     .call = &ask},
			      err));
	SEAL_TRY(file_target_keep(&target, INT64_MIN, err));
	audit_files_done(key.audit, target.written);
out:
	file_target_close(&target);
	file_key_close(&key);
	file_input_close(&in);
	return stop_before_start(rc, exit_code, err) ? SEAL_OK : rc;
}

const struct command command_file_protect = {
	.name = "protect",
	.usage = "[FILE|-]",
	.summary = "Encrypt a file under a key of its own",
	.details = "OUT appears when it is whole, with mode 0600; FILE is left as it is. Its name, size, time and "
		   "media type "
		   "are kept in the container, encrypted. The key is asked for one data key; the file stays here. "
		   "Memory does not grow with the file. A run that is killed (kill -9, a power cut) leaves "
		   ".OUT.PID.N.tmp beside OUT, which may be removed.",
	.examples = "sealstream file protect --key local:pii report.csv\n"
		    "tar c photos | sealstream file protect --key vault:transit/pii -o photos.seal\n",
	.options = rows,
	.options_size = sizeof(struct protect_options),
	.args_max = 1,
	.keys = true,
	.run = run,
};
