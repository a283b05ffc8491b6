/*
 * `completion`: words for the shell's TAB, from the tables. Each script finds the command in what was typed so far, then
 * offers its options, the values of the one before the cursor, and files.
 */
#include <stdio.h>

#include "cmd/commands.h"
#include "cmd/docs.h"
#include "cmd/help.h"
#include "cmd/parse.h"
#include "cmd/registry.h"

static bool is_dir(const struct opt_row *row)
{
	return row->arg != NULL && strcmp(row->arg, "DIR") == 0;
}

/* ---- bash ---- */

static void bash_path(void *arg, const struct command *command, const char *path)
{
	printf("\"%s\"|", path);
}

static void bash_row(const struct opt_row *row)
{
	if (row->letter)
		printf(" -%c", row->letter);
	printf(" --%s", row->name);
}

static void bash_rows(const struct opt_row *rows)
{
	for (const struct opt_row *row = rows; row != NULL && row->name != NULL; row++)
		bash_row(row);
}

static void bash_command(void *arg, const struct command *command, const char *path)
{
	printf("\t\"%s\") options=\"", path);
	bash_rows(command->options);
	bash_rows(command_vault_rows(command));
	bash_rows(command_audit_rows(command));
	bash_rows(docs_stream_rows(arg, command));
	fputs("\" commands=\"", stdout);
	for (const struct command *const *sub = command->subs; sub != NULL && *sub != NULL; sub++)
		if (!(*sub)->hidden)
			printf(" %s", (*sub)->name);
	fputs("\" ;;\n", stdout);
}

/* One case per option that takes a value: the words that it may be, directories, or files. */
static void bash_values(const struct opt_row *rows, const char *path)
{
	for (const struct opt_row *row = rows; row != NULL && row->name != NULL; row++) {
		if (row->type == OPT_FLAG)
			continue;
		printf("\t\"%s --%s\"", path, row->name);
		if (row->letter)
			printf("|\"%s -%c\"", path, row->letter);
		if (row->choices != NULL)
			docs_words(stdout, row->choices, ") COMPREPLY=($(compgen -W \"",
				   "\" -- \"$cur\")); return ;;\n");
		else
			printf(") COMPREPLY=($(compgen %s -- \"$cur\")); return ;;\n", is_dir(row) ? "-d" : "-f");
	}
}

static void bash_command_values(void *arg, const struct command *command, const char *path)
{
	bash_values(command->options, path);
	bash_values(docs_stream_rows(arg, command), path);
}

/* The same for options whatever the command. */
static void bash_any_values(const struct opt_row *rows)
{
	for (const struct opt_row *row = rows; row->name != NULL; row++) {
		if (row->type == OPT_FLAG)
			continue;
		printf("\t--%s) COMPREPLY=($(compgen ", row->name);
		if (row->choices != NULL)
			docs_words(stdout, row->choices, "-W \"", "\"");
		else
			fputs(is_dir(row) ? "-d" : "-f", stdout);
		fputs(" -- \"$cur\")); return ;;\n", stdout);
	}
}

static void bash(struct docs *docs)
{
	fputs("# bash completion for sealstream, made by: sealstream completion bash\n"
	      "_sealstream()\n"
	      "{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	      "\tlocal path= word i options= commands=\n"
	      "\tCOMPREPLY=()\n"
	      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "\t\tword=${path:+$path }${COMP_WORDS[i]}\n"
	      "\t\tcase \"$word\" in\n"
	      "\t\t",
	      stdout);
	docs_each_command(registry_commands, bash_path, docs);
	fputs("\"\") path=$word ;;\n"
	      "\t\tesac\n"
	      "\tdone\n"
	      "\tcase \"$path $prev\" in\n",
	      stdout);
	docs_each_command(registry_commands, bash_command_values, docs);
	fputs("\tesac\n"
	      "\tcase \"$prev\" in\n",
	      stdout);
	bash_any_values(global_rows);
	bash_any_values(vault_rows);
	bash_any_values(audit_rows);
	fputs("\tesac\n"
	      "\tcase \"$path\" in\n"
	      "\t\"\") commands=\"",
	      stdout);
	for (const struct command *const *at = registry_commands; *at != NULL; at++)
		if (!(*at)->hidden)
			printf(" %s", (*at)->name);
	fputs("\" ;;\n", stdout);
	docs_each_command(registry_commands, bash_command, docs);
	fputs("\tesac\n"
	      "\tif [[ $cur == -* ]]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W \"$options",
	      stdout);
	bash_rows(global_rows);
	fputs("\" -- \"$cur\"))\n"
	      "\telif [[ -n $commands ]]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W \"$commands\" -- \"$cur\"))\n"
	      "\telse\n"
	      "\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
	      "\tfi\n"
	      "}\n"
	      "complete -o filenames -F _sealstream sealstream\n",
	      stdout);
}

/* ---- zsh ---- */

/* Between single quotes, inside an _arguments specification. */
static void zsh_text(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (strchr("[]:\\", *text) != NULL)
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void zsh_spec(const char *dashes, const char *name, const struct opt_row *row, const struct opt_row *main_row)
{
	printf("\t\t'%s%s%s[", row->type == OPT_LIST ? "*" : "", dashes, name);
	zsh_text(main_row->help);
	putchar(']');
	if (row->type != OPT_FLAG) {
		putchar(':');
		zsh_text(help_option_arg(main_row));
		if (main_row->choices != NULL)
			docs_words(stdout, main_row->choices, ":(", ")");
		else
			fputs(is_dir(main_row) ? ":_files -/" : ":_files", stdout);
	}
	fputs("' \\\n", stdout);
}

static void zsh_rows(const struct opt_row *rows)
{
	for (const struct opt_row *row = rows; row != NULL && row->name != NULL; row++) {
		char letter[] = {row->letter, '\0'};

		if (row->letter)
			zsh_spec("-", letter, row, option_main_row(rows, row));
		zsh_spec("--", row->name, row, option_main_row(rows, row));
	}
}

static void zsh_commands(const struct command *const *commands)
{
	fputs("\t\t'1:command:((", stdout);
	for (; *commands != NULL; commands++) {
		if ((*commands)->hidden)
			continue;
		printf("%s\\:\"", (*commands)->name);
		zsh_text((*commands)->summary);
		fputs("\" ", stdout);
	}
	fputs("))' \\\n", stdout);
}

static void zsh_command(void *arg, const struct command *command, const char *path)
{
	printf("\t\"%s\") _arguments -s \\\n", path);
	zsh_rows(command->options);
	zsh_rows(command_vault_rows(command));
	zsh_rows(command_audit_rows(command));
	zsh_rows(docs_stream_rows(arg, command));
	zsh_rows(global_rows);
	if (command->subs != NULL)
		zsh_commands(command->subs);
	else
		fputs("\t\t'*:file:_files' \\\n", stdout);
	fputs("\t\t;;\n", stdout);
}

static void zsh(struct docs *docs)
{
	fputs("#compdef sealstream\n"
	      "# zsh completion for sealstream, made by: sealstream completion zsh\n"
	      "_sealstream()\n"
	      "{\n"
	      "\tlocal path_= word\n"
	      "\tinteger i n=0\n"
	      "\tfor ((i = 2; i < CURRENT; i++)); do\n"
	      "\t\tword=${path_:+$path_ }${words[i]}\n"
	      "\t\tcase \"$word\" in\n"
	      "\t\t",
	      stdout);
	docs_each_command(registry_commands, bash_path, docs);
	fputs("\"\") path_=$word n=i-1 ;;\n"
	      "\t\tesac\n"
	      "\tdone\n"
	      "\twords=(sealstream \"${(@)words[n+2,-1]}\")\n"
	      "\t(( CURRENT -= n ))\n"
	      "\tcase \"$path_\" in\n"
	      "\t\"\") _arguments -s \\\n",
	      stdout);
	zsh_rows(global_rows);
	zsh_commands(registry_commands);
	fputs("\t\t;;\n", stdout);
	docs_each_command(registry_commands, zsh_command, docs);
	fputs("\tesac\n"
	      "}\n"
	      "_sealstream \"$@\"\n",
	      stdout);
}

/* ---- fish ---- */

/* Between single quotes. */
static void fish_text(const char *text)
{
	putchar('\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void fish_rows(const struct opt_row *rows, const char *condition)
{
	for (const struct opt_row *row = rows; row != NULL && row->name != NULL; row++) {
		const struct opt_row *main_row = option_main_row(rows, row);

		printf("complete -c sealstream%s -l %s", condition, row->name);
		if (row->letter)
			printf(" -s %c", row->letter);
		if (main_row->choices != NULL) {
			fputs(" -x -a ", stdout);
			docs_words(stdout, main_row->choices, "'", "'");
		} else if (is_dir(main_row)) {
			fputs(" -x -a '(__fish_complete_directories)'", stdout);
		} else if (row->type != OPT_FLAG) {
			fputs(" -r", stdout);
		}
		fputs(" -d ", stdout);
		fish_text(main_row->help);
		putchar('\n');
	}
}

/* " -n '…'": true when exactly the words of `path` were typed as commands. */
static void fish_condition(const char *path, char *out, size_t room)
{
	const char *space = strchr(path, ' ');

	if (space == NULL)
		snprintf(out, room, " -n '__fish_seen_subcommand_from %s'", path);
	else
		snprintf(out, room, " -n '__fish_seen_subcommand_from %.*s; and __fish_seen_subcommand_from %s'",
			 (int)(space - path), path, space + 1);
}

static void fish_command(void *arg, const struct command *command, const char *path)
{
	char condition[3 * COMMAND_PATH_MAX];
	const char *last = strrchr(path, ' ');

	if (last == NULL) {
		printf("complete -c sealstream -f -n __fish_use_subcommand -a %s -d ", command->name);
	} else {
		printf("complete -c sealstream -f -n '__fish_seen_subcommand_from %.*s' -a %s -d ",
		       (int)(last - path), path, command->name);
	}
	fish_text(command->summary);
	putchar('\n');
	fish_condition(path, condition, sizeof(condition));
	fish_rows(command->options, condition);
	fish_rows(command_vault_rows(command), condition);
	fish_rows(command_audit_rows(command), condition);
	fish_rows(docs_stream_rows(arg, command), condition);
}

static void fish(struct docs *docs)
{
	fputs("# fish completion for sealstream, made by: sealstream completion fish\n", stdout);
	docs_each_command(registry_commands, fish_command, docs);
	fish_rows(global_rows, "");
}

/* ---- the command ---- */

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	static const struct {
		const char *shell;
		void (*print)(struct docs *docs);
	} shells[] = {{"bash", bash}, {"zsh", zsh}, {"fish", fish}};
	struct docs docs = {.program = &registry_program, .arena = call->arena, .err = err};

	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(shells[i].shell, call->args[0]) == 0) {
			shells[i].print(&docs);
			return docs.rc;
		}
	}
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "there is no completion for %.40s; it is bash, zsh or fish",
		       call->args[0]);
}

const struct command command_completion = {
	.name = "completion",
	.usage = "bash|zsh|fish",
	.summary = "Print the completion script of a shell",
	.details = "For one session: source <(sealstream completion bash). The installed package brings the scripts "
		   "along.",
	.examples = "source <(sealstream completion bash)\n",
	.args_min = 1,
	.args_max = 1,
	.run = run,
};
