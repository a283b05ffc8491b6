/* Options that every command takes, and what they say about keys. */
#include "cmd/command.h"

#define GLOBAL(member) .offset = offsetof(struct global_options, member)

const struct opt_row global_rows[] = {
	{.name = "keyring",
	 .help = "directory of the local keyring; default: $XDG_DATA_HOME/sealstream/keyring",
	 .arg = "DIR",
	 .env = "SEALSTREAM_KEYRING",
	 .type = OPT_STRING,
	 GLOBAL(keyring)},
	{.name = "master-key-file",
	 .help = "file with the raw 32 bytes of the keyring's master key",
	 .arg = "FILE",
	 .env = "SEALSTREAM_MASTER_KEY_FILE",
	 .type = OPT_STRING,
	 GLOBAL(master_key_file)},
	{.name = "passphrase-file",
	 .help = "file with the passphrase that the keyring's master key is made from",
	 .arg = "FILE",
	 .env = "SEALSTREAM_PASSPHRASE_FILE",
	 .type = OPT_STRING,
	 GLOBAL(passphrase_file)},
	{.name = "log-level",
	 .help = "how much is said on stderr",
	 .choices = "error|warning|info|debug",
	 .arg = "LEVEL",
	 .def = "info",
	 .env = "SEALSTREAM_LOG_LEVEL",
	 .type = OPT_CHOICE,
	 GLOBAL(log_level)},
	{.name = "log-format",
	 .help = "how it is said; json: an object a line with ts, level, class, code, place and msg",
	 .choices = "text|json",
	 .arg = "FORMAT",
	 .def = "text",
	 .env = "SEALSTREAM_LOG_FORMAT",
	 .type = OPT_CHOICE,
	 GLOBAL(log_format)},
	{.name = "color",
	 .help = "colours: on a terminal, always or never; NO_COLOR is respected",
	 .choices = "auto|always|never",
	 .arg = "WHEN",
	 .def = "auto",
	 .env = "SEALSTREAM_COLOR",
	 .type = OPT_CHOICE,
	 GLOBAL(color)},
	{.name = "quiet", .letter = 'q', .help = "say nothing but errors", .type = OPT_FLAG, GLOBAL(quiet)},
	{.name = "help", .letter = 'h', .help = "print this help and end", .type = OPT_FLAG, GLOBAL(help)},
	{.name = "version", .letter = 'V', .help = "print the version and end", .type = OPT_FLAG, GLOBAL(version)},
	OPT_END};

#undef GLOBAL
#define AUDIT(member) .offset = offsetof(struct audit_choice, member)

const struct opt_row audit_rows[] = {{.name = "audit",
				      .help = "keep an audit trail of who used which key for what: a file, syslog "
					      "(or syslog:SOCKET), or topic:NAME; "
					      "the run ends when it cannot be written",
				      .arg = "TARGET",
				      .env = "SEALSTREAM_AUDIT",
				      .type = OPT_STRING,
				      AUDIT(target)},
				     {.name = "audit-interval",
				      .help = "how often what was done under each key is written",
				      .arg = "TIME",
				      .def = "1m",
				      .min = 10,
				      .max = 86400000,
				      .env = "SEALSTREAM_AUDIT_INTERVAL",
				      .type = OPT_DURATION,
				      AUDIT(interval_ms)},
				     {.name = "audit-config",
				      .help = "client settings for topic:NAME; default: those of the command",
				      .arg = "FILE",
				      .env = "SEALSTREAM_AUDIT_CONFIG",
				      .type = OPT_STRING,
				      AUDIT(config)},
				     OPT_END};

struct key_source_config global_key_config(const struct global_options *global)
{
	return (struct key_source_config){
		.keyring_dir = global->keyring,
		.master_key_file = global->master_key_file,
		.passphrase_file = global->passphrase_file,
		.metrics = global->key_metrics,
		.vault = &global->vault,
	};
}
