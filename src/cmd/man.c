/*
 * `man` (hidden, used by the build): the manual in mdoc(7), from the tables. One page for the program, one for each
 * top-level command with its subcommands as subsections. Clean under mandoc -T lint.
 */
#include <errno.h>
#include <stdio.h>

#include "cmd/commands.h"
#include "cmd/docs.h"
#include "cmd/help.h"
#include "cmd/parse.h"
#include "cmd/platform.h"
#include "cmd/registry.h"

#define COLUMN_END 76

struct man_options {
	const char *dir;
};

static const struct opt_row rows[] = {
	{.name = "dir",
	 .help = "write all pages into this directory instead of one to standard output",
	 .arg = "DIR",
	 .type = OPT_STRING,
	 .offset = offsetof(struct man_options, dir)},
	OPT_END};

/* How a character is written, or NULL: as it is. */
static const char *escaped(char c)
{
	return c == '\\' ? "\\e" : c == '-' ? "\\-" : NULL;
}

static int word_width(const char *word, int len)
{
	int width = 2; /* for a "\&" before it */

	for (int i = 0; i < len; i++)
		width += escaped(word[i]) ? 2 : 1;
	return width;
}

/* One word, safe anywhere on a line of text. */
static void put_word(FILE *to, const char *word, int len, bool line_start)
{
	if (line_start && (*word == '.' || *word == '\''))
		fputs("\\&", to);
	for (int i = 0; i < len; i++) {
		if (escaped(word[i]) != NULL)
			fputs(escaped(word[i]), to);
		else
			fputc(word[i], to);
	}
}

static bool ends_sentence(const char *word, int len)
{
	while (len > 0 && strchr(")\"'", word[len - 1]) != NULL)
		len--;
	return len > 1 && strchr(".!?", word[len - 1]) != NULL;
}

/* Text in lines; a new sentence starts a new line, "\n" a new paragraph. */
static void put_text(FILE *to, const char *text)
{
	int column = 0;

	while (*text != '\0') {
		int len = (int)strcspn(text, " \n");

		if (column > 0 && column + 1 + word_width(text, len) > COLUMN_END) {
			fputc('\n', to);
			column = 0;
		}
		if (column > 0)
			fputc(' ', to);
		put_word(to, text, len, column == 0);
		column += 1 + word_width(text, len);
		if (ends_sentence(text, len)) {
			fputc('\n', to);
			column = 0;
		}
		text += len;
		if (*text == '\n') {
			fprintf(to, "%s.Pp\n", column > 0 ? "\n" : "");
			column = 0;
		}
		text += strspn(text, " \n");
	}
	if (column > 0)
		fputc('\n', to);
}

/* A summary, which has no full stop, and the paragraphs after it. */
static void put_description(FILE *to, const struct command *command)
{
	char text[200];

	snprintf(text, sizeof(text), "%s.", command->summary);
	put_text(to, text);
	if (command->details != NULL) {
		fputs(".Pp\n", to);
		put_text(to, command->details);
	}
}

/* An argument of a macro: quoted, as it may hold spaces or be a macro's name. */
static void put_argument(FILE *to, const char *text)
{
	fputs(" \"", to);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			fputs("\"\"", to);
		else if (*text == '\\')
			fputs("\\e", to);
		else
			fputc(*text, to);
	}
	fputc('"', to);
}

static void put_item(FILE *to, const struct opt_row *all, const struct opt_row *row)
{
	fputs(".It", to);
	if (row->letter)
		fprintf(to, " Fl %c ,", row->letter);
	fprintf(to, " Fl \\-%s", row->name);
	for (const struct opt_row *alias = row + 1; alias->name != NULL; alias++)
		if (option_is_alias(alias) && option_main_row(all, alias) == row)
			fprintf(to, " , Fl \\-%s", alias->name);
	if (help_option_arg(row) != NULL) {
		fputs(" Ar", to);
		put_argument(to, help_option_arg(row));
	}
	fputc('\n', to);
}

static void put_rows(FILE *to, const struct opt_row *all)
{
	if (all == NULL || all->name == NULL)
		return;
	fputs(".Bl -tag -width Ds\n", to);
	for (const struct opt_row *row = all; row->name != NULL; row++) {
		char notes[240], text[600];

		if (option_is_alias(row))
			continue;
		put_item(to, all, row);
		help_option_notes(row, notes, sizeof(notes));
		snprintf(text, sizeof(text), notes[0] ? "%s (%s)." : "%s.", row->help, notes);
		put_text(to, text);
	}
	fputs(".El\n", to);
}

static void put_exit_codes(FILE *to)
{
	fputs(".Sh EXIT STATUS\n.Bl -tag -width Ds -compact\n", to);
	for (const struct exit_code_row *row = exit_code_rows; row->text != NULL; row++) {
		fprintf(to, ".It %d\n", row->code);
		put_text(to, row->text);
	}
	fputs(".El\n", to);
}

static void put_head(FILE *to, const char *name, const char *summary)
{
	fprintf(to, ".Dd %s\n.Dt ", SEALSTREAM_DATE);
	for (const char *at = name; *at != '\0'; at++)
		fputc(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at, to);
	fprintf(to, " 1\n.Os\n.Sh NAME\n.Nm %s\n.Nd %s\n", name, summary);
}

static void put_usage(FILE *to, const char *path, const struct command *command)
{
	fprintf(to, ".Nm sealstream %s\n.Op Ar OPTION ...\n", path);
	if (command->usage != NULL && command->usage[0] != '\0') {
		fputs(".Ar", to);
		put_argument(to, command->usage);
		fputc('\n', to);
	}
}

/* Command lines as they are typed. */
static void put_examples(FILE *to, const char *lines)
{
	for (; lines != NULL && *lines != '\0'; lines += strcspn(lines, "\n") + 1) {
		put_word(to, lines, (int)strcspn(lines, "\n"), true);
		fputc('\n', to);
	}
}

/* The variables that the command's own options name. */
static void put_variables(FILE *to, const struct opt_row *rows_of)
{
	for (const struct opt_row *row = rows_of; row != NULL && row->name != NULL; row++)
		if (row->env != NULL)
			fprintf(to, ".It Ev %s\nSets\n.Fl \\-%s .\n", row->env, row->name);
}

/* One of its commands does: they share a page. */
static bool takes_keys(const struct command *command)
{
	bool takes = command->keys;

	for (const struct command *const *sub = command->subs; sub != NULL && *sub != NULL; sub++)
		takes |= (*sub)->keys;
	return takes;
}

static void put_key_variables(FILE *to)
{
	put_variables(to, audit_rows);
	put_variables(to, vault_rows);
	for (const struct vault_variable *at = vault_variables; at->name != NULL; at++) {
		fprintf(to, ".It Ev %s\n", at->name);
		put_text(to, at->help);
	}
}

static bool has_variables(const struct opt_row *rows_of)
{
	while (rows_of != NULL && rows_of->name != NULL && rows_of->env == NULL)
		rows_of++;
	return rows_of != NULL && rows_of->name != NULL;
}

static void put_command_environment(FILE *to, const struct command *command, const struct opt_row *streams)
{
	fputs(".Sh ENVIRONMENT\n", to);
	if (has_variables(command->options) || has_variables(streams) || takes_keys(command)) {
		fputs(".Bl -tag -width Ds\n", to);
		put_variables(to, command->options);
		put_variables(to, streams);
		if (takes_keys(command))
			put_key_variables(to);
		fputs(".El\n.Pp\n", to);
	}
	fputs("The variables and files of every command are in\n.Xr sealstream 1 .\n", to);
}

static void put_command_examples(FILE *to, const struct command *command)
{
	fputs(".Sh EXAMPLES\n.Bd -literal -offset indent\n", to);
	put_examples(to, command->examples);
	for (const struct command *const *sub = command->subs; sub != NULL && *sub != NULL; sub++)
		put_examples(to, (*sub)->examples);
	fputs(".Ed\n", to);
}

static void put_environment(FILE *to)
{
	fputs(".Sh ENVIRONMENT\n", to);
	put_text(to, "An option wins over its environment variable, and that over its default. Each option names its "
		     "variable. Besides these:");
	fputs(".Bl -tag -width Ds\n"
	      ".It Ev NO_COLOR\n"
	      "No colours, if it is set and not empty.\n"
	      ".It Ev XDG_DATA_HOME\n"
	      "Where the local keyring lies if nothing else says so.\n"
	      ".El\n",
	      to);
}

static void put_files(FILE *to)
{
	fputs(".Sh FILES\n"
	      ".Bl -tag -width Ds\n"
	      ".It Pa $XDG_DATA_HOME/sealstream/keyring/\n"
	      "The local keyring, one file a key;\n"
	      ".Pa ~/.local/share\n"
	      "where the variable is not set.\n"
	      ".It Pa $XDG_DATA_HOME/sealstream/keyring/master.key\n"
	      "Its master key, unless it comes from elsewhere: back it up, in another place.\n"
	      ".El\n",
	      to);
}

/* The command that comes after `last` in the alphabet, or NULL. */
static const struct command *next_in_alphabet(const struct command *last)
{
	const struct command *best = NULL;

	for (const struct command *const *at = registry_commands; *at != NULL; at++)
		if (!(*at)->hidden && (last == NULL || strcmp((*at)->name, last->name) > 0) &&
		    (best == NULL || strcmp((*at)->name, best->name) < 0))
			best = *at;
	return best;
}

static void put_see_also(FILE *to)
{
	const struct command *command = next_in_alphabet(NULL);

	fputs(".Sh SEE ALSO\n", to);
	while (command != NULL) {
		const struct command *after = next_in_alphabet(command);

		fprintf(to, ".Xr sealstream-%s 1%s\n", command->name, after ? " ," : "");
		command = after;
	}
}

static void put_program(FILE *to)
{
	put_head(to, "sealstream", "protect fields of records before they enter an event stream");
	fputs(".Sh SYNOPSIS\n.Nm\n.Ar COMMAND\n.Op Ar OPTION ...\n.Op Ar ARGUMENT ...\n.Sh DESCRIPTION\n", to);
	put_text(
		to,
		"sealstream protects the fields of records before they enter an event stream, and gives them back to "
		"those who may read them. A policy says which fields of which topics are protected, how, and with "
		"which keys. All bytes that the policy does not name stay as they are. What cannot be protected does "
		"not pass.\nEach command has a page of its own, sealstream-COMMAND(1):");
	fputs(".Bl -tag -width Ds\n", to);
	for (const struct command *const *at = registry_commands; *at != NULL; at++) {
		if ((*at)->hidden)
			continue;
		fprintf(to, ".It Cm %s\n", (*at)->name);
		put_text(to, (*at)->summary);
	}
	fputs(".El\n.Sh OPTIONS\n", to);
	put_text(to, "Every command takes these:");
	put_rows(to, global_rows);
	put_environment(to);
	put_files(to);
	put_exit_codes(to);
	put_see_also(to);
}

/* Which streams the command's addresses may name, and their options. */
static enum seal_status put_streams(FILE *to, struct docs *docs, const struct command *command)
{
	struct platform *platforms;
	enum seal_status rc;

	SEAL_TRY(platforms_new(docs->program, command, docs->arena, &platforms, docs->err));
	for (const struct platform *p = platforms; p->scheme != NULL; p++) {
		char address[PLATFORM_ADDRESS_MAX], title[PLATFORM_TITLE_MAX];

		if (!p->usable)
			continue;
		platform_address(p, address);
		platform_title(p, title);
		fputs(".Pp\n", to);
		put_text(to, title);
		fputs(".Pq Ar", to);
		put_argument(to, address);
		fputs(p->rows[0].name != NULL ? " :\n" : "\n: those of the command.\n", to);
		put_rows(to, p->rows);
	}
out:
	return rc;
}

static enum seal_status put_command(FILE *to, struct docs *docs, const struct command *command)
{
	char name[COMMAND_PATH_MAX];
	enum seal_status rc = SEAL_OK;

	snprintf(name, sizeof(name), "sealstream-%s", command->name);
	put_head(to, name, command->summary);
	fputs(".Sh SYNOPSIS\n", to);
	for (const struct command *const *sub = command->subs; sub != NULL && *sub != NULL; sub++) {
		char path[COMMAND_PATH_MAX];

		snprintf(path, sizeof(path), "%s %s", command->name, (*sub)->name);
		put_usage(to, path, *sub);
	}
	if (command->subs == NULL)
		put_usage(to, command->name, command);
	fputs(".Sh DESCRIPTION\n", to);
	put_description(to, command);
	for (const struct command *const *sub = command->subs; sub != NULL && *sub != NULL; sub++) {
		fprintf(to, ".Ss %s %s\n", command->name, (*sub)->name);
		put_description(to, *sub);
		put_rows(to, (*sub)->options);
		SEAL_TRY(put_streams(to, docs, *sub));
	}
	fputs(command->options || takes_keys(command) ? ".Sh OPTIONS\n" : "", to);
	put_rows(to, command->options);
	SEAL_TRY(put_streams(to, docs, command));
	if (takes_keys(command)) {
		fputs(".Ss " VAULT_ROWS_TITLE "\n", to);
		put_rows(to, vault_rows);
		fputs(".Ss " AUDIT_ROWS_TITLE "\n", to);
		put_rows(to, audit_rows);
	}
	put_command_environment(to, command, docs_stream_rows(docs, command));
	put_exit_codes(to);
	put_command_examples(to, command);
	fputs(".Sh SEE ALSO\n.Xr sealstream 1\n", to);
	rc = docs->rc;
out:
	return rc;
}

/* One page into `dir`. `command` NULL: the program's. */
static enum seal_status write_page(const char *dir, struct docs *docs, const struct command *command,
				   struct seal_err *err)
{
	enum seal_status rc = SEAL_OK;
	char path[4096];
	FILE *to;
	bool bad;

	snprintf(path, sizeof(path), "%s/sealstream%s%s.1", dir, command ? "-" : "", command ? command->name : "");
	to = fopen(path, "we");
	if (to == NULL)
		return err_set_errno(err, SEAL_FATAL, SEAL_E_CREATE, errno, "cannot create %s", path);
	if (command != NULL)
		rc = put_command(to, docs, command);
	else
		put_program(to);
	bad = ferror(to) != 0;
	if (fclose(to) != 0 || bad)
		return rc != SEAL_OK ? rc : err_set(err, SEAL_FATAL, SEAL_E_IO, "cannot write %s", path);
	return rc;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct man_options *options = call->options;
	struct docs docs = {.program = &registry_program, .arena = call->arena, .err = err};
	const struct command *const *at = registry_commands;
	enum seal_status rc;

	if (options->dir != NULL) {
		rc = write_page(options->dir, &docs, NULL, err);
		for (; *at != NULL && rc == SEAL_OK; at++)
			if (!(*at)->hidden)
				rc = write_page(options->dir, &docs, *at, err);
		return rc;
	}
	if (call->n_args == 0) {
		put_program(stdout);
		return SEAL_OK;
	}
	while (*at != NULL && strcmp((*at)->name, call->args[0]) != 0)
		at++;
	if (*at == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "there is no command %.40s; see sealstream --help",
			       call->args[0]);
	return put_command(stdout, &docs, *at);
}

const struct command command_man = {
	.name = "man",
	.usage = "[COMMAND]",
	.summary = "Print the manual in mdoc",
	.options = rows,
	.options_size = sizeof(struct man_options),
	.args_max = 1,
	.hidden = true,
	.run = run,
};
