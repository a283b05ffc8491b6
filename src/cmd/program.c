/*
 * One run of the program.
 *
 *   argv ─ leading global options ─ command words ─ options and arguments
 *                    │                    │                   │
 *               program_run          program_find      parse.c, environment ─▶ command->run ─▶ exit code
 */
#include "cmd/program.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/help.h"
#include "cmd/parse.h"
#include "cmd/platform.h"

#define WORDS_MAX 128

static const struct command *by_name(const struct command *const *commands, const char *name)
{
	for (; *commands != NULL; commands++)
		if (strcmp((*commands)->name, name) == 0)
			return *commands;
	return NULL;
}

static enum seal_status unknown_command(const struct command *const *commands, const char *path, const char *name,
					struct seal_err *err)
{
	const char *names[WORDS_MAX + 1];
	const char *nearest;
	size_t n = 0;

	for (; *commands != NULL && n < WORDS_MAX; commands++)
		if (!(*commands)->hidden)
			names[n++] = (*commands)->name;
	names[n] = NULL;
	nearest = word_nearest(names, bytes_str(name));
	if (nearest == NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "there is no command %s%s%.60s; see sealstream %s%s--help", path, path[0] ? " " : "",
			       name, path, path[0] ? " " : "");
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "there is no command %s%s%.60s; did you mean %s?", path,
		       path[0] ? " " : "", name, nearest);
}

enum seal_status program_find(const struct command *const *commands, const char *const *words, size_t *used,
			      const struct command **out, char *path, struct seal_err *err)
{
	const struct command *found = NULL;

	*used = 0;
	*out = NULL;
	path[0] = '\0';
	while (commands != NULL && words[*used] != NULL && words[*used][0] != '-') {
		size_t at = strlen(path);

		found = by_name(commands, words[*used]);
		if (found == NULL)
			return unknown_command(commands, path, words[*used], err);
		snprintf(path + at, COMMAND_PATH_MAX - at, "%s%s", at ? " " : "", found->name);
		commands = found->subs;
		(*used)++;
	}
	*out = found;
	return SEAL_OK;
}

/* "sealstream help pump sqs": the options of one kind of stream. */
static enum seal_status help_stream(const struct platform *platforms, const char *path, const char *scheme,
				    struct seal_err *err)
{
	const char *names[WORDS_MAX + 1], *nearest;
	size_t n = 0;

	for (const struct platform *p = platforms; p->scheme != NULL && n < WORDS_MAX; p++) {
		if (!p->usable)
			continue;
		if (strcmp(p->scheme, scheme) == 0) {
			help_platform(stdout, p, path);
			return SEAL_OK;
		}
		names[n++] = p->scheme;
	}
	names[n] = NULL;
	nearest = word_nearest(names, bytes_str(scheme));
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "%s has no %s %.60s%s%s; see sealstream %s --help", path,
		       n > 0 ? "stream" : "command", scheme, nearest ? "; did you mean " : "", nearest ? nearest : "",
		       path);
}

/* "sealstream help key rotate" is "sealstream key rotate --help". */
static enum seal_status help_words(const struct program *program, const char *const *words, struct arena *arena,
				   struct seal_err *err)
{
	const struct command *command;
	struct platform *platforms;
	char path[COMMAND_PATH_MAX];
	size_t used;
	enum seal_status rc;

	SEAL_TRY(program_find(program->commands, words, &used, &command, path, err));
	if (command == NULL) {
		help_program(stdout, program->commands);
		goto out;
	}
	SEAL_TRY(platforms_new(program, command, arena, &platforms, err));
	if (words[used] != NULL && words[used][0] != '-')
		rc = help_stream(platforms, path, words[used], err);
	else
		help_command(stdout, command, path, platforms);
out:
	return rc;
}

static enum seal_status check_arguments(const struct command *command, const char *path, size_t n,
					struct seal_err *err)
{
	if (n < command->args_min)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "%s needs %s; see sealstream %s --help", path,
			       command->usage, path);
	if (n > command->args_max && command->args_max == 0)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "%s takes options only; see sealstream %s --help", path,
			       path);
	if (n > command->args_max)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE,
			       "%s takes at most %zu argument%s; see sealstream %s --help", path, command->args_max,
			       command->args_max == 1 ? "" : "s", path);
	return SEAL_OK;
}

static void setup_log(struct global_options *global)
{
	if (global->quiet)
		global->log_level = LOG_ERROR;
	log_setup((enum log_level)global->log_level, (enum log_format)global->log_format);
}

/* The command's own words. */
static enum seal_status run_command(const struct program *program, const struct command *command, const char *path,
				    struct parse *parse, int argc, char *const *argv, struct global_options *global,
				    int *exit_code, struct seal_err *err)
{
	struct command_call call = {.command = command, .global = global, .arena = parse->arena};
	enum seal_status rc;

	call.options = arena_alloc(parse->arena, command->options_size + 1, _Alignof(max_align_t));
	if (call.options == NULL)
		return err_memory(err);
	memset(call.options, 0, command->options_size);
	parse->sets[0] = (struct option_set){.rows = command->options, .options = call.options};
	parse->sets[2] = (struct option_set){.rows = command_vault_rows(command), .options = &global->vault};
	parse->sets[3] = (struct option_set){.rows = command_audit_rows(command), .options = &global->audit_choice};
	SEAL_TRY(platforms_new(program, command, parse->arena, &call.platforms, err));
	SEAL_TRY(platforms_prepare(call.platforms, parse, err));
	SEAL_TRY(parse_words(parse, argc, argv, err));
	SEAL_TRY(platforms_note(call.platforms, parse, &call.given, err));
	if (global->help || (command->run == NULL && !global->version)) {
		help_command(global->help ? stdout : stderr, command, path, call.platforms);
		*exit_code = global->help ? 0 : 64;
		goto out;
	}
	if (global->version) {
		printf("sealstream %s\n", seal_version());
		goto out;
	}
	SEAL_TRY(parse_environment(parse, err));
	platforms_fill(call.platforms, parse);
	if (command->keys) /* what no row names: BAO_X, VAULT_AGENT_ADDR … */
		SEAL_TRY(vault_options_env(&global->vault, parse->arena, err));
	setup_log(global);
	SEAL_TRY(parse_required(parse, err));
	SEAL_TRY(check_arguments(command, path, parse->n_args, err));
	call.args = parse->args;
	call.n_args = parse->n_args;
	if (command->keys && program->run_with_keys != NULL)
		rc = program->run_with_keys(&call, global, path, exit_code, err);
	else
		rc = command->run(&call, exit_code, err);
out:
	return rc;
}

/* Everything but the report of an error. */
static enum seal_status run(const struct program *program, int argc, char *const *argv, struct arena *arena,
			    int *exit_code, struct seal_err *err)
{
	const struct command *const *commands = program->commands;
	struct global_options global = {0};
	struct parse parse = {.arena = arena, .stop_at_argument = true};
	const struct command *command;
	char path[COMMAND_PATH_MAX];
	char **words; /* what follows the leading options, and those options again */
	size_t used;
	int first;
	enum seal_status rc;

	/* Which command it is comes behind its leading options, so that these are let through here and judged there. */
	parse.sets[1] = (struct option_set){.rows = global_rows, .options = &global};
	parse.sets[2] = (struct option_set){.rows = vault_rows, .options = &global.vault};
	parse.sets[3] = (struct option_set){.rows = audit_rows, .options = &global.audit_choice};
	SEAL_TRY(parse_words(&parse, argc, argv, err));
	if (parse.n_args == 0 || strcmp(parse.args[0], "help") == 0) {
		if (global.version) {
			printf("sealstream %s\n", seal_version());
		} else if (parse.n_args > 0) {
			rc = help_words(program, parse.args + 1, arena, err);
		} else {
			help_program(global.help ? stdout : stderr, commands);
			*exit_code = global.help ? 0 : 64;
		}
		goto out;
	}
	SEAL_TRY(program_find(commands, parse.args, &used, &command, path, err));
	/* Options may stand before the command, too: they are parsed again, with the command's. */
	first = argc - (int)parse.n_args;
	words = arena_alloc(arena, ((size_t)argc + 1) * sizeof(*words), _Alignof(char *));
	if (words == NULL) {
		rc = err_memory(err);
		goto out;
	}
	memcpy(words, argv, (size_t)first * sizeof(*words));
	memcpy(words + first, argv + first + used, ((size_t)argc - (size_t)first - used) * sizeof(*words));
	parse.stop_at_argument = false;
	memset(&global, 0, sizeof(global));
	rc = run_command(program, command, path, &parse, argc - (int)used, words, &global, exit_code, err);
out:
	return rc;
}

/* stdout is flushed here, so that a full disk or a closed pipe is an error and not a silent loss. */
static enum seal_status flush_stdout(struct seal_err *err)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return SEAL_OK;
	if (errno == EPIPE)
		return err_set(err, SEAL_FATAL, SEAL_E_PIPE, "whoever read the output has gone");
	return err_set_errno(err, SEAL_FATAL, SEAL_E_IO, errno ? errno : EIO, "cannot write to stdout");
}

int program_run(const struct program *program, int argc, char *const *argv)
{
	struct seal_err err = SEAL_ERR_INIT, output = SEAL_ERR_INIT;
	struct arena arena;
	int exit_code = 0;

	arena_init(&arena, 0);
	if (run(program, argc, argv, &arena, &exit_code, &err) == SEAL_OK && flush_stdout(&output) != SEAL_OK)
		err = output;
	arena_clear(&arena);
	if (err.status == SEAL_OK)
		return exit_code;
	if (err.code != SEAL_E_PIPE)
		log_err(LOG_ERROR, &err);
	return exit_code_of(&err);
}
