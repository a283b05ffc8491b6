/*
 * The command line. Sets of rows are looked through in order: the command's, the global ones, those of a key
 * server where the command takes them. A value is parsed
 * by base/opt; what remains here is the grammar of words, the order of precedence and the texts of mistakes.
 */
#include "cmd/parse.h"

#include <stdio.h>

#define NAMES_MAX 1024

const struct opt_row *option_main_row(const struct opt_row *rows, const struct opt_row *row)
{
	if (!option_is_alias(row))
		return row;
	for (const struct opt_row *at = row; at-- > rows;)
		if (!option_is_alias(at) && at->offset == row->offset && at->type == row->type)
			return at;
	return row;
}

static size_t row_count(const struct opt_row *rows)
{
	size_t n = 0;

	while (rows != NULL && rows[n].name != NULL)
		n++;
	return n;
}

static enum seal_status start(struct parse *parse, int argc, struct seal_err *err)
{
	parse->args = arena_alloc(parse->arena, ((size_t)argc + 1) * sizeof(*parse->args), _Alignof(char *));
	if (parse->args == NULL)
		return err_memory(err);
	parse->args[0] = NULL;
	parse->n_args = 0;
	for (size_t i = 0; i < PARSE_SETS; i++) {
		struct option_set *set = &parse->sets[i];
		size_t n = row_count(set->rows);
		enum seal_status rc;

		if (n == 0)
			continue;
		set->seen = arena_alloc(parse->arena, n, 1);
		if (set->seen == NULL)
			return err_memory(err);
		memset(set->seen, 0, n);
		rc = opt_defaults(set->rows, set->options, parse->arena, err);
		if (rc != SEAL_OK)
			return rc;
	}
	return SEAL_OK;
}

static const struct opt_row *find(struct parse *parse, struct seal_bytes name, char letter, struct option_set **set)
{
	for (size_t i = 0; i < PARSE_SETS; i++) {
		const struct opt_row *row = NULL;

		if (parse->sets[i].rows == NULL)
			continue;
		row = letter ? opt_find_letter(parse->sets[i].rows, letter) : opt_find(parse->sets[i].rows, name);
		if (row != NULL) {
			*set = &parse->sets[i];
			return row;
		}
	}
	return NULL;
}

static enum seal_status unknown_name(const struct parse *parse, struct seal_bytes name, struct seal_err *err)
{
	const char *names[NAMES_MAX + 1];
	const char *nearest;
	size_t n = 0;

	for (size_t i = 0; i < PARSE_SETS; i++)
		for (const struct opt_row *row = parse->sets[i].rows; row && row->name && n < NAMES_MAX; row++)
			names[n++] = row->name;
	names[n] = NULL;
	nearest = word_nearest(names, name);
	if (nearest != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "there is no option --%.*s; did you mean --%s?",
			       BYTES_FMT(name), nearest);
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "there is no option --%.*s; see --help", BYTES_FMT(name));
}

/* Sets the row from a flag. `spelled` is the option as in a message: "--topic", "-t". */
static enum seal_status set_flag(struct parse *parse, struct option_set *set, const struct opt_row *row,
				 const char *spelled, struct seal_bytes value, struct seal_err *err)
{
	struct seal_err why = SEAL_ERR_INIT;
	size_t name_len = strlen(row->name);
	enum seal_status rc = opt_set(row, set->options, value, parse->arena, &why);

	set->seen[option_main_row(set->rows, row) - set->rows] = true;
	if (rc == SEAL_OK)
		return SEAL_OK;
	if (why.code != SEAL_E_CONFIG)
		return err_set(err, why.status, why.code, "%s", why.text);
	/* The text starts with the row's name; on a command line it is spelled otherwise. */
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "%s%s", spelled,
		       strncmp(why.text, row->name, name_len) == 0 ? why.text + name_len : why.text);
}

static enum seal_status no_value(const char *spelled, const struct opt_row *row, struct seal_err *err)
{
	return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "%s needs a value: %s", spelled,
		       row->arg	      ? row->arg
		       : row->choices ? row->choices
				      : "VALUE");
}

/* "--name", "--name=value", "--name value". */
static enum seal_status long_option(struct parse *parse, const char *word, const char *next, bool *took_next,
				    struct seal_err *err)
{
	const char *equals = strchr(word, '=');
	struct seal_bytes name = bytes_of(word + 2, equals ? (size_t)(equals - word - 2) : strlen(word + 2));
	struct option_set *set;
	const struct opt_row *row = name.len ? find(parse, name, '\0', &set) : NULL;
	char spelled[80];

	if (row == NULL)
		return unknown_name(parse, name, err);
	snprintf(spelled, sizeof(spelled), "--%s", row->name);
	if (equals != NULL)
		return set_flag(parse, set, row, spelled, bytes_str(equals + 1), err);
	if (row->type == OPT_FLAG)
		return set_flag(parse, set, row, spelled, BYTES_LIT("true"), err);
	if (next == NULL)
		return no_value(spelled, row, err);
	*took_next = true;
	return set_flag(parse, set, row, spelled, bytes_str(next), err);
}

/* "-x", "-xvalue", "-x value", "-abc". */
static enum seal_status short_options(struct parse *parse, const char *word, const char *next, bool *took_next,
				      struct seal_err *err)
{
	for (const char *at = word + 1; *at != '\0'; at++) {
		char spelled[3] = {'-', *at, '\0'};
		struct option_set *set;
		const struct opt_row *row = find(parse, BYTES_EMPTY, *at, &set);
		enum seal_status rc;

		if (row == NULL)
			return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "there is no option -%c; see --help",
				       *at > ' ' && *at < 127 ? *at : '?');
		if (row->type != OPT_FLAG) {
			if (at[1] == '\0' && next == NULL)
				return no_value(spelled, row, err);
			*took_next = at[1] == '\0';
			return set_flag(parse, set, row, spelled, bytes_str(at[1] ? at + 1 : next), err);
		}
		rc = set_flag(parse, set, row, spelled, BYTES_LIT("true"), err);
		if (rc != SEAL_OK)
			return rc;
	}
	return SEAL_OK;
}

static void add_argument(struct parse *parse, const char *word)
{
	parse->args[parse->n_args++] = word;
	parse->args[parse->n_args] = NULL;
}

enum seal_status parse_words(struct parse *parse, int argc, char *const *argv, struct seal_err *err)
{
	bool only_arguments = false;
	enum seal_status rc = start(parse, argc, err);

	for (int i = 0; i < argc && rc == SEAL_OK; i++) {
		const char *word = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
		bool took_next = false;

		if (only_arguments || word[0] != '-' || word[1] == '\0') {
			only_arguments |= parse->stop_at_argument;
			add_argument(parse, word);
		} else if (strcmp(word, "--") == 0) {
			only_arguments = true;
		} else if (word[1] == '-') {
			rc = long_option(parse, word, next, &took_next, err);
		} else {
			rc = short_options(parse, word, next, &took_next, err);
		}
		i += took_next;
	}
	return rc;
}

static const char *process_env(const char *name)
{
	return getenv(name);
}

/* A flag's variable may say 1 and 0 as well. */
static struct seal_bytes env_value(const struct opt_row *row, const char *text)
{
	if (row->type == OPT_FLAG && strcmp(text, "1") == 0)
		return BYTES_LIT("true");
	if (row->type == OPT_FLAG && strcmp(text, "0") == 0)
		return BYTES_LIT("false");
	return bytes_str(text);
}

enum seal_status parse_environment(struct parse *parse, struct seal_err *err)
{
	const char *(*env)(const char *) = parse->env ? parse->env : process_env;

	for (size_t i = 0; i < PARSE_SETS; i++) {
		struct option_set *set = &parse->sets[i];

		for (const struct opt_row *row = set->rows; row && row->name; row++) {
			bool *seen = &set->seen[option_main_row(set->rows, row) - set->rows];
			const char *text = row->env && !*seen ? env(row->env) : NULL;
			enum seal_status rc;

			if (text == NULL || text[0] == '\0')
				continue;
			rc = opt_set(row, set->options, env_value(row, text), parse->arena, err);
			if (rc != SEAL_OK) {
				err_place(err, "%s", row->env);
				return rc;
			}
			*seen = true;
		}
	}
	return SEAL_OK;
}

enum seal_status parse_required(const struct parse *parse, struct seal_err *err)
{
	for (size_t i = 0; i < PARSE_SETS; i++) {
		const struct option_set *set = &parse->sets[i];

		for (const struct opt_row *row = set->rows; row && row->name; row++) {
			if (!row->required || set->seen[row - set->rows])
				continue;
			return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "--%s is needed%s%s%s", row->name,
				       row->env ? " (or the environment variable " : "", row->env ? row->env : "",
				       row->env ? ")" : "");
		}
	}
	return SEAL_OK;
}
