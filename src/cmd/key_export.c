/* `key export`: the raw material of an exportable key, to stdout. */
#include <unistd.h>

#include "base/encode.h"
#include "base/file.h"
#include "base/mem.h"
#include "cmd/key_use.h"

enum { FORMAT_BASE64, FORMAT_RAW };

struct export_options {
	int64_t version; /* 0: the latest */
	int format;
	bool yes, hmac_key;
};

#define AT(member) .offset = offsetof(struct export_options, member)
static const struct opt_row rows[] = {
	{.name = "version",
	 .help = "which version; the latest unless told otherwise",
	 .arg = "N",
	 .min = 1,
	 .max = UINT32_MAX,
	 .type = OPT_INT,
	 AT(version)},
	{.name = "format",
	 .help = "base64 and a line end, or the raw bytes",
	 .arg = "FORMAT",
	 .choices = "base64|raw",
	 .def = "base64",
	 .type = OPT_CHOICE,
	 AT(format)},
	{.name = "hmac",
	 .help = "the HMAC key that a server keeps beside each version of a key, not the key itself",
	 .type = OPT_FLAG,
	 AT(hmac_key)},
	{.name = "yes", .help = "print a key even on a terminal", .type = OPT_FLAG, AT(yes)},
	OPT_END};

/* Not through stdio: its buffer would keep a copy. */
static enum seal_status print_material(struct seal_bytes material, int format, struct seal_err *err)
{
	char text[BASE64_LEN(KEY_ADMIN_MATERIAL_MAX) + 1];
	struct seal_bytes out = material;
	enum seal_status rc;

	if (format == FORMAT_BASE64) {
		size_t n = base64_encode(material, text);

		text[n++] = '\n';
		out = bytes_of(text, n);
	}
	rc = file_write_all(STDOUT_FILENO, out, "stdout", err);
	mem_wipe(text, sizeof(text));
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct export_options *options = call->options;
	struct secret material = SECRET_INIT;
	struct managed_key key = {0};
	enum seal_status rc;

	if (!options->yes && isatty(STDOUT_FILENO)) {
		rc = err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			     "this would show a secret key on the terminal; send it to a file, or add --yes");
		goto out;
	}
	SEAL_TRY(key_use_begin(call, false, &key, err));
	key.on.hmac_key = options->hmac_key;
	SEAL_TRY(key.ops->export(&key.on, key.reference, (uint32_t)options->version, &material, NULL, err));
	SEAL_TRY(print_material(secret_bytes(&material), options->format, err));
out:
	secret_clear(&material);
	key_use_end(&key);
	return rc;
}

const struct command command_key_export = {
	.name = "export",
	.usage = "NAME",
	.summary = "Write the raw material of an exportable key to stdout",
	.examples = "sealstream key export pii --version 1 --format raw > pii.1.raw\n",
	.options = rows,
	.options_size = sizeof(struct export_options),
	.args_min = 1,
	.args_max = 1,
	.keys = true,
	.run = run,
};
