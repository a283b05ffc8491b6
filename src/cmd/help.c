/* Help from the tables: columns, wrapping, nothing that is not in a row. */
#include "cmd/help.h"

#include "cmd/parse.h"
#include "cmd/platform.h"

#define COLUMN_LABEL 2
#define COLUMN_HELP 30
#define COLUMN_END 79

void help_wrap(FILE *to, const char *text, int column, int indent)
{
	bool fresh = true; /* nothing of this line yet */

	while (*text != '\0') {
		int word = (int)strcspn(text, " ");

		if (!fresh && column + 1 + word > COLUMN_END) {
			fprintf(to, "\n%*s", indent, "");
			column = indent;
			fresh = true;
		}
		fprintf(to, "%s%.*s", fresh ? "" : " ", word, text);
		column += word + !fresh;
		fresh = false;
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', to);
}

static void two_columns(FILE *to, const char *label, const char *text)
{
	int width = (int)strlen(label);

	fprintf(to, "%*s%s", COLUMN_LABEL, "", label);
	if (COLUMN_LABEL + width + 2 > COLUMN_HELP)
		fprintf(to, "\n%*s", COLUMN_HELP, "");
	else
		fprintf(to, "%*s", COLUMN_HELP - COLUMN_LABEL - width, "");
	help_wrap(to, text, COLUMN_HELP, COLUMN_HELP);
}

const char *help_option_arg(const struct opt_row *row)
{
	if (row->type == OPT_FLAG)
		return NULL;
	return row->arg ? row->arg : row->choices ? row->choices : "VALUE";
}

/* Appends to a text of fixed room; what does not fit is cut. */
static void add_part(char *out, size_t room, size_t *used, const char *text)
{
	size_t len = strlen(text);

	if (len > room - 1 - *used)
		len = room - 1 - *used;
	memcpy(out + *used, text, len);
	*used += len;
	out[*used] = '\0';
}

static void add(char *out, size_t room, size_t *used, const char *first, const char *second)
{
	add_part(out, room, used, first);
	add_part(out, room, used, second);
}

/* "a|b|c" as "a, b, c", which can be wrapped. */
static void add_choices(char *out, size_t room, size_t *used, const char *choices)
{
	for (; *choices != '\0'; choices++) {
		char c[] = {*choices, '\0'};

		add_part(out, room, used, *choices == '|' ? ", " : c);
	}
}

size_t help_option_label(const struct opt_row *rows, const struct opt_row *row, char *out, size_t room)
{
	char letter[] = {'-', row->letter, ',', ' ', '\0'};
	size_t used = 0;

	out[0] = '\0';
	add(out, room, &used, row->letter ? letter : "    ", "");
	add(out, room, &used, "--", row->name);
	for (const struct opt_row *alias = row + 1; alias->name != NULL; alias++)
		if (option_is_alias(alias) && option_main_row(rows, alias) == row)
			add(out, room, &used, ", --", alias->name);
	if (help_option_arg(row) != NULL)
		add(out, room, &used, " ", help_option_arg(row));
	return used;
}

size_t help_option_notes(const struct opt_row *row, char *out, size_t room)
{
	size_t used = 0;

	out[0] = '\0';
	if (row->required)
		add(out, room, &used, "required", "");
	if (row->choices != NULL && row->arg != NULL) {
		add(out, room, &used, used ? "; " : "", "one of ");
		add_choices(out, room, &used, row->choices);
	}
	if (row->type == OPT_LIST)
		add(out, room, &used, used ? "; " : "", "may be repeated");
	if (row->def != NULL && row->type != OPT_FLAG && !row->secret)
		add(out, room, &used, used ? "; default: " : "default: ", row->def);
	if (row->env != NULL)
		add(out, room, &used, used ? "; environment: " : "environment: ", row->env);
	return used;
}

static void options(FILE *to, const char *title, const struct opt_row *rows)
{
	if (rows == NULL || rows->name == NULL)
		return;
	fprintf(to, "\n%s:\n", title);
	for (const struct opt_row *row = rows; row->name != NULL; row++) {
		char label[160], notes[240], text[600];

		if (option_is_alias(row))
			continue;
		help_option_label(rows, row, label, sizeof(label));
		help_option_notes(row, notes, sizeof(notes));
		snprintf(text, sizeof(text), notes[0] ? "%s (%s)" : "%s", row->help, notes);
		two_columns(to, label, text);
	}
}

static void commands_list(FILE *to, const struct command *const *commands)
{
	fputs("\nCommands:\n", to);
	for (; *commands != NULL; commands++)
		if (!(*commands)->hidden)
			two_columns(to, (*commands)->name, (*commands)->summary);
}

void help_program(FILE *to, const struct command *const *commands)
{
	fputs("Usage: sealstream COMMAND [OPTION]... [ARGUMENT]...\n\n"
	      "Protects the fields of records before they enter an event stream, and gives them\n"
	      "back to those who may read them.\n",
	      to);
	commands_list(to, commands);
	options(to, "Options of every command", global_rows);
	fputs("\nsealstream COMMAND --help says more; so does the manual: man sealstream-COMMAND\n", to);
}

/* Paragraphs parted by newlines. */
static void paragraphs(FILE *to, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");
		char paragraph[2000];

		snprintf(paragraph, sizeof(paragraph), "%.*s", (int)len, text);
		fputc('\n', to);
		help_wrap(to, paragraph, 0, 0);
		text += len + (text[len] == '\n');
	}
}

static void examples(FILE *to, const char *lines)
{
	fputs("\nExamples:\n", to);
	for (; *lines != '\0'; lines += strcspn(lines, "\n") + 1)
		fprintf(to, "  %.*s\n", (int)strcspn(lines, "\n"), lines);
}

/* Which streams there are; their options are many, and are shown when they are asked for. */
static void streams(FILE *to, const char *path, const struct platform *platforms)
{
	bool any = false;

	for (const struct platform *p = platforms; p->scheme != NULL; p++) {
		char label[PLATFORM_ADDRESS_MAX];

		if (!p->usable)
			continue;
		fputs(any ? "" : "\nStreams:\n", to);
		any = true;
		platform_address(p, label);
		two_columns(to, label, p->traits->title);
	}
	if (any)
		fprintf(to, "  sealstream help %s SCHEME, such as file, shows the options of one.\n", path);
}

void help_platform(FILE *to, const struct platform *platform, const char *path)
{
	char title[PLATFORM_TITLE_MAX], address[PLATFORM_ADDRESS_MAX];

	platform_address(platform, address);
	platform_title(platform, title);
	fprintf(to, "%s: %s\n", address, platform->traits->title);
	if (platform->rows[0].name == NULL)
		fprintf(to, "\nIts options are those of the command: sealstream help %s\n", path);
	options(to, title, platform->rows);
}

void help_command(FILE *to, const struct command *command, const char *path, const struct platform *platforms)
{
	if (command->subs != NULL)
		fprintf(to, "Usage: sealstream %s COMMAND [OPTION]... [ARGUMENT]...\n\n", path);
	else
		fprintf(to, "Usage: sealstream %s [OPTION]...%s%s\n\n", path,
			command->usage && command->usage[0] ? " " : "", command->usage ? command->usage : "");
	help_wrap(to, command->summary, 0, 0);
	if (command->details != NULL)
		paragraphs(to, command->details);
	if (command->subs != NULL)
		commands_list(to, command->subs);
	options(to, "Options", command->options);
	streams(to, path, platforms);
	if (command->examples != NULL)
		examples(to, command->examples);
	options(to, VAULT_ROWS_TITLE, command_vault_rows(command));
	options(to, AUDIT_ROWS_TITLE, command_audit_rows(command));
	options(to, "Options of every command", global_rows);
}
