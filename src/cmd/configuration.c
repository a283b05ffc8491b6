/*
 * `configuration` (hidden): docs/CONFIGURATION.md, from the tables: every option of every command, method, key source and
 * stream. A test compares the committed file with what this prints.
 */
#include <stdio.h>

#include "cmd/commands.h"
#include "cmd/docs.h"
#include "cmd/help.h"
#include "cmd/parse.h"
#include "cmd/platform.h"
#include "cmd/registry.h"
#include "streams/ndjson/ndjson.h"

/* Inside a table: a bar would end the cell. */
static void cell(const char *text)
{
	for (; *text != '\0'; text++)
		printf(*text == '|' ? "\\%c" : "%c", *text);
}

static void code_cell(const char *text)
{
	putchar('`');
	cell(text);
	putchar('`');
}

static const char *type_name(const struct opt_row *row)
{
	static const char *const names[] = {
		[OPT_FLAG] = "true or false",
		[OPT_INT] = "number",
		[OPT_SIZE] = "size: 4096, 64KiB, 16MiB",
		[OPT_DURATION] = "duration: 100ms, 30s, 5m",
		[OPT_STRING] = "text",
		[OPT_HEX] = "hex digits",
		[OPT_CHOICE] = "",
		[OPT_LIST] = "text, may be repeated",
	};

	return row->choices ? row->choices : names[row->type];
}

static void option_names(const struct opt_row *rows, const struct opt_row *row, bool flags)
{
	if (!flags) {
		code_cell(row->name);
		return;
	}
	if (row->letter)
		printf("`-%c`, ", row->letter);
	printf("`--%s`", row->name);
	for (const struct opt_row *alias = row + 1; alias->name != NULL; alias++)
		if (option_is_alias(alias) && option_main_row(rows, alias) == row)
			printf(", `--%s`", alias->name);
}

/* A table of rows; `flags`: as on a command line, with environment variables; else as keys of a file. */
static void table(const struct opt_row *rows, bool flags)
{
	if (rows == NULL || rows->name == NULL) {
		puts("No options of its own.\n");
		return;
	}
	puts(flags ? "| option | value | default | environment | what it does |\n| --- | --- | --- | --- | --- |"
		   : "| option | value | default | what it does |\n| --- | --- | --- | --- |");
	for (const struct opt_row *row = rows; row->name != NULL; row++) {
		if (option_is_alias(row))
			continue;
		fputs("| ", stdout);
		option_names(rows, row, flags);
		fputs(" | ", stdout);
		cell(row->type == OPT_FLAG && flags ? "" : type_name(row));
		fputs(" | ", stdout);
		if (row->required)
			fputs("required", stdout);
		else if (row->def != NULL && !row->secret)
			code_cell(row->def);
		fputs(" | ", stdout);
		if (flags && row->env != NULL)
			code_cell(row->env);
		fputs(flags ? " | " : "", stdout);
		cell(row->help);
		puts(" |");
	}
	putchar('\n');
}

static void command_section(void *arg, const struct command *command, const char *path)
{
	printf("### sealstream %s\n\n%s.", path, command->summary);
	if (command->subs != NULL) {
		puts("\n");
		return;
	}
	printf(" Arguments: %s.\n\n", command->usage && command->usage[0] ? command->usage : "none");
	if (command->keys)
		puts("Takes the [options for Vault and OpenBao](#options-for-vault-and-openbao) and\n"
		     "[for the audit trail](#options-for-the-audit-trail), too.\n");
	if (command->streams != 0)
		puts("Takes [addresses of streams, and their options](#sources-and-sinks), too.\n");
	if (command->options != NULL)
		table(command->options, true);
}

static void key_command(void *arg, const struct command *command, const char *path)
{
	bool *first = arg;

	if (command->keys)
		printf("%s`%s`", *first ? "" : ", ", path);
	*first &= !command->keys;
}

static void vault(void)
{
	bool first = true;

	puts("## " VAULT_ROWS_TITLE "\n");
	puts("Where keys of the scheme `vault:` are found; [VAULT.md](VAULT.md) says how to set it up. For every "
	     "`VAULT_X` there is\n`BAO_X`, which counts where the first is not set. Taken by the commands that open "
	     "keys:");
	docs_each_command(registry_commands, key_command, &first);
	puts(".\n");
	table(vault_rows, true);
	puts("Variables without an option:\n\n| environment | what it says |\n| --- | --- |");
	for (const struct vault_variable *at = vault_variables; at->name != NULL; at++)
		printf("| `%s` | %s |\n", at->name, at->help);
	putchar('\n');
}

static void audit(void)
{
	puts("## " AUDIT_ROWS_TITLE "\n");
	puts("Taken by the same commands; [AUDIT.md](AUDIT.md) says what the trail holds and how it is checked.\n");
	table(audit_rows, true);
}

static void methods(void)
{
	puts("## Methods\n\nWhat may stand beside `type:` in a policy; a name with a dot is a nested map (`keep: "
	     "{first: 6}` is\n"
	     "`keep.first`). POLICY.md says the rest.\n");
	for (const struct method_kind *const *at = registry_schema.methods; *at != NULL; at++) {
		const struct method_kind *kind = *at;

		printf("### type: %s\n\n%s.%s%s%s\n\n", kind->name, kind->summary,
		       (kind->flags & METHOD_ANY_KEY) != 0 && kind->own_key == NULL ? " Needs `key:`." : "",
		       kind->flags & METHOD_BINDS ? " Takes `bind:`." : "",
		       kind->flags & METHOD_ONE_WAY ? " One-way: cannot be revealed." : "");
		table(kind->options, false);
	}
}

static void key_sources(void)
{
	puts("## Key sources\n\nWhat may stand in `keys:` of a policy.\n\n| scheme | what stands after the colon "
	     "|\n| --- | --- |");
	for (const struct key_scheme *at = registry_schema.schemes; at->name != NULL; at++)
		printf("| `%s:` | %s |\n", at->name, at->help);
	putchar('\n');
}

/* One that takes any address, for all options that streams have. */
static const struct command any_address = {.streams = COMMAND_READS | COMMAND_WRITES};

static enum seal_status streams(struct arena *arena, struct seal_err *err)
{
	struct platform *platforms;
	enum seal_status rc;

	SEAL_TRY(platforms_new(&registry_program, &any_address, arena, &platforms, err));
	puts("## Sources and sinks\n\nWhat commands read from and write to, by the address that they are given. "
	     "An address without a scheme is a topic of\nKafka, whose options are the commands' own; `-` is "
	     "standard input or output. Options of a stream that no address names are\na mistake, their variables "
	     "are not. `--group`, `--partition`, `--exit`, `--member` and `--offset` of a command are those of "
	     "the stream, where it\nhas any use for them. Each option may be said of one side alone, above what is "
	     "said of both: "
	     "`--from-kinesis-region`, `--to-kinesis-region`,\n`SEALSTREAM_TO_KINESIS_REGION`. "
	     "[PLATFORMS.md](PLATFORMS.md) says what each keeps of a "
	     "record.\n");
	for (const struct platform *p = platforms; p->scheme != NULL; p++) {
		char address[PLATFORM_ADDRESS_MAX];

		platform_address(p, address);
		printf("### %s\n\nAddress: `%s`; %s.\n\n", p->traits->title, address,
		       p->source == NULL ? "it is only written"
		       : p->sink == NULL ? "it is only read"
					 : "it is read and written");
		if (strcmp(p->scheme, PLATFORM_KAFKA) == 0)
			puts("Its options are those of the commands.\n");
		else
			table(p->rows, true);
	}
out:
	return rc;
}

/* ---- the table of docs/PLATFORMS.md ---- */

static const char *order_of(const struct stream_traits *traits)
{
	static const char *const names[] = {[STREAM_ORDER_NONE] = "none",
					    [STREAM_ORDER_KEY] = "within a key",
					    [STREAM_ORDER_PARTITION] = "within a partition"};

	return names[traits->order];
}

static void platform_row(const char *address, const struct stream_traits *traits)
{
	const char *const cells[] = {traits->key != NULL ? traits->key : "lost",
				     traits->headers != NULL ? traits->headers : "lost",
				     traits->timestamp != NULL ? traits->timestamp : "none",
				     traits->null != NULL ? traits->null : "kept",
				     traits->text ? "text; other bytes as base64" : "bytes",
				     order_of(traits),
				     traits->limit != NULL ? traits->limit : "none"};

	printf("| %s: ", traits->title);
	code_cell(address);
	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		fputs(" | ", stdout);
		cell(cells[i]);
	}
	puts(" |");
}

static enum seal_status platforms_table(struct arena *arena, struct seal_err *err)
{
	struct platform *platforms;
	enum seal_status rc;

	SEAL_TRY(platforms_new(&registry_program, &any_address, arena, &platforms, err));
	puts("| platform | key | headers | timestamp | tombstone | value | order | longest record |\n"
	     "| --- | --- | --- | --- | --- | --- | --- | --- |");
	for (const struct platform *p = platforms; p->scheme != NULL; p++) {
		char address[PLATFORM_ADDRESS_MAX];

		platform_address(p, address);
		platform_row(address, p->traits);
		if (p->traits->special != NULL) {
			snprintf(address, sizeof(address), "%s:%s", p->scheme, p->traits->special->address);
			platform_row(address, p->traits->special);
		}
		if (strcmp(p->scheme, PLATFORM_FILE) == 0)
			platform_row("file:PATH --file-envelopes, --file-layout envelope", &ndjson_envelope_traits);
	}
out:
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	enum seal_status rc;

	if (call->n_args > 0)
		return platforms_table(call->arena, err);

	puts("# Configuration\n\n"
	     "<!-- Made from the option tables by: build/sealstream configuration > docs/CONFIGURATION.md -->\n\n"
	     "Precedence: an option on the command line, then its environment variable, then a file, then the "
	     "default. What says where a\nprogram runs and with what has a variable; what one call does, such as "
	     "`--count`, has none, and what takes protection away\n(`--plain`, `--reveal`) must stand on the command "
	     "line, where it is seen.\n\n"
	     "## Options of every command\n");
	table(global_rows, true);
	vault();
	audit();
	puts("## Commands\n");
	docs_each_command(registry_commands, command_section, NULL);
	methods();
	key_sources();
	SEAL_TRY(streams(call->arena, err));
	puts("## Exit codes\n\n| code | sysexits | meaning |\n| --- | --- | --- |");
	for (const struct exit_code_row *row = exit_code_rows; row->text != NULL; row++)
		printf("| %d | %s | %s |\n", row->code, row->name, row->text);
out:
	return rc;
}

const struct command command_configuration = {
	.name = "configuration",
	.usage = "[platforms]",
	.summary = "Print docs/CONFIGURATION.md, or the table of docs/PLATFORMS.md",
	.args_max = 1,
	.hidden = true,
	.run = run,
};
