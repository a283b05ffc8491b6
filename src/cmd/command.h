/*
 * Subcommands: one file each, described by a table row and its option rows. Parser, --help, man pages and completion all
 * come from here. A group ("key", "policy") is a command with `subs` and no `run`.
 *
 * Option rows of commands: a row without `help` is another name of the nearest row above it with the same offset and
 * type ("bootstrap-server" for "brokers"). Precedence: flag, environment, default; a list that flags set takes nothing
 * from the environment. An options struct is zeroed before the defaults.
 */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include "base/arena.h"
#include "base/err.h"
#include "base/opt.h"
#include "engine/engine.h"
#include "vault/options.h"

struct platform;

struct command_call {
	const struct command *command;
	void *options; /* command->options_size bytes, filled: flag, environment, default */
	const struct global_options *global;
	const char *const *args; /* what stands after the options, ended by NULL */
	size_t n_args;
	struct arena *arena; /* lives as long as the call */
	struct platform
		*platforms; /* streams and their options, for a command that takes addresses; see platform.h */
	const char *const
		*given; /* its own options of those names that streams share, as they stand on the command line */
};

/* What a command does with the streams whose addresses it takes. */
enum { COMMAND_READS = 1, COMMAND_WRITES = 2 };

struct command {
	const char *name;
	const char *usage; /* arguments as in help: "[FILE]" */
	const char *summary; /* one line */
	const char *details; /* man page paragraphs, may be NULL */
	const char *examples; /* command lines, each ended by a newline; NULL for a group */
	const struct opt_row *options;
	size_t options_size;
	const struct command *const *subs; /* ended by NULL, for a group */
	size_t args_min, args_max;
	unsigned streams; /* COMMAND_READS …: takes addresses, and so the options of streams; 0: no address */
	bool keys; /* opens keys, and so takes the options of a key server and of the audit trail, too */
	bool hidden; /* works, but help, manual and completion don't name it */
	/*
	 * Returns SEAL_OK or fills err. *exit_code (0 before the call) is for an end that is not an error, such as 1 "finished,
	 * but some records failed" or 143; errors get theirs from err's code (exit_code_of).
	 */
	enum seal_status (*run)(struct command_call *call, int *exit_code, struct seal_err *err);
};

/* What --audit and its companions say: audit_rows. */
struct audit_choice {
	const char *target; /* NULL: no trail */
	const char *config;
	int64_t interval_ms;
};

struct audit_run;

/* Options that every command takes; their rows are added to each command's. */
struct global_options {
	const char *keyring; /* --keyring, SEALSTREAM_KEYRING */
	const char *master_key_file; /* --master-key-file, SEALSTREAM_MASTER_KEY_FILE */
	const char *passphrase_file; /* --passphrase-file, SEALSTREAM_PASSPHRASE_FILE */
	int log_level; /* --log-level error|warning|info|debug, SEALSTREAM_LOG_LEVEL */
	int log_format; /* --log-format text|json */
	int color; /* --color auto|always|never; NO_COLOR counts */
	bool quiet; /* -q: errors only */
	bool help, version; /* done before a command runs */
	const struct key_metrics *key_metrics; /* no option: where keys count in a run that is watched, or NULL */
	struct vault_options vault; /* vault_rows; only commands that open keys take them */
	struct audit_choice audit_choice; /* audit_rows; the same */
	struct audit_run *audit; /* the trail of the command that runs; NULL: none. See audit_use.h */
};

extern const struct opt_row global_rows[];

#define VAULT_ROWS_TITLE "Options for Vault and OpenBao"
/* The rows that a command takes besides its own and the global ones; NULL: none. */
static inline const struct opt_row *command_vault_rows(const struct command *command)
{
	return command->keys ? vault_rows : NULL;
}

extern const struct opt_row audit_rows[];

#define AUDIT_ROWS_TITLE "Options for the audit trail"
/* The same for these. */
static inline const struct opt_row *command_audit_rows(const struct command *command)
{
	return command->keys ? audit_rows : NULL;
}

struct key_source_config global_key_config(const struct global_options *global);

/* sysexits: see "Exit codes" in the manual. */
int exit_code_of(const struct seal_err *err);

/*
 * Set by the first SIGINT or SIGTERM (its number); streams look at it and drain. A second one ends the process.
 * SIGPIPE is ignored: whoever writes gets EPIPE (SEAL_E_PIPE), and the program ends with 141 without a word.
 */
int stop_requested(void);
/* True when `rc` is the failure of something that a stop request interrupted: err is cleared, *exit_code 130 or 143. */
bool stop_before_start(enum seal_status rc, int *exit_code, struct seal_err *err);
void stop_install(void);
/*
 * From now on SIGHUP asks for the policy to be loaded anew, where there is one, instead of ending the process. When it is the terminal that hangs
 * up, it is a stop request.
 */
void stop_take_reloads(void);
/* True once for each such SIGHUP. */
bool stop_reload_asked(void);
/* Asks for a stop from inside, as SIGTERM would. */
void stop_ask(void);
/* True once for each SIGUSR1: print a line of progress. */
bool stop_progress_asked(void);

#endif
