/*
 * Options of streams on command lines: rows copied under their long names, so that parser, help, manual and completion see rows as
 * any others.
 */
#include "cmd/platform.h"

#include <stdio.h>

const char *const platform_shared_rows[] = {"group",
					    "offset",
					    "partition",
					    "exit",
					    "member",
					    "max-record-bytes",
					    "keep-partition",
					    "bootstrap-server",
					    "command-config",
					    "command-property",
					    NULL};

static bool is_shared(const char *name)
{
	const char *const *at = platform_shared_rows;

	while (*at != NULL && strcmp(*at, name) != 0)
		at++;
	return *at != NULL;
}

/* The command's own row that fills this one of a stream, or NULL. */
static const struct opt_row *own_row(const struct opt_row *own, const struct opt_row *row)
{
	const struct opt_row *found =
		own != NULL && is_shared(row->name) ? opt_find(own, bytes_str(row->name)) : NULL;

	return found != NULL && found->type == row->type && found->choices == NULL ? found : NULL;
}

static size_t count_rows(const struct opt_row *rows)
{
	size_t n = 0;

	while (rows != NULL && rows[n].name != NULL)
		n++;
	return n;
}

/* Is it for users to set, under its long name? Of the shared names only where to begin is, for commands that go on where they ended. */
static bool has_long_name(const struct opt_row *own, const struct opt_row *row)
{
	if (row->internal || own_row(own, row) != NULL)
		return false;
	return !is_shared(row->name) || strcmp(row->name, "offset") == 0;
}

/* SEALSTREAM_SQS_LEND of "sqs-lend": a row that names no variable has this one. */
static const char *variable_of(const char *name, struct arena *arena)
{
	char *variable = arena_printf(arena, "SEALSTREAM_%s", name);

	for (char *at = variable; at != NULL && *at != '\0'; at++)
		*at = *at == '-' ? '_' : *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
	return variable;
}

/* `scheme`'s rows as users name them, without those that `own` or `other` has. `prefix`: "", or of one side's. */
static enum seal_status long_rows(const char *prefix, const char *scheme, const struct opt_row *all,
				  const struct opt_row *own, const struct opt_row *other, struct arena *arena,
				  const struct opt_row **out, struct seal_err *err)
{
	struct opt_row *rows = arena_alloc(arena, (count_rows(all) + 1) * sizeof(*rows), _Alignof(struct opt_row));
	size_t n = 0;

	if (rows == NULL)
		return err_memory(err);
	for (const struct opt_row *row = all; row != NULL && row->name != NULL; row++) {
		if (!has_long_name(own, row) || (other != NULL && opt_find(other, bytes_str(row->name)) != NULL))
			continue;
		rows[n] = *row;
		rows[n].letter = '\0';
		rows[n].required = false; /* where the stream is used; see stream_use.c */
		rows[n].name = arena_printf(arena, "%s%s-%s", prefix, scheme, row->name);
		if (rows[n].name != NULL && (row->env == NULL || prefix[0] != '\0'))
			rows[n].env = variable_of(rows[n].name, arena);
		if (rows[n].name == NULL || rows[n].env == NULL)
			return err_memory(err);
		n++;
	}
	rows[n] = (struct opt_row)OPT_END;
	*out = rows;
	return SEAL_OK;
}

/* All rows of a side under names of its own, and what they fill. */
static enum seal_status own_rows(struct platform *p, int which, const struct command *command, struct arena *arena,
				 struct seal_err *err)
{
	struct platform_side *side = &p->sides[which];

	if (side->all == NULL)
		return SEAL_OK;
	return long_rows(which == PLATFORM_SOURCE ? "from-" : "to-", p->scheme, side->all, command->options, NULL,
			 arena, &side->own, err);
}

/* Both sides' rows, one list. */
static enum seal_status join_rows(struct platform *p, struct arena *arena, struct seal_err *err)
{
	const struct opt_row *a = p->sides[PLATFORM_SOURCE].rows, *b = p->sides[PLATFORM_SINK].rows;
	size_t n_a = count_rows(a), n_b = count_rows(b);
	struct opt_row *all = arena_alloc(arena, (n_a + n_b + 1) * sizeof(*all), _Alignof(struct opt_row));

	if (all == NULL)
		return err_memory(err);
	if (n_a > 0)
		memcpy(all, a, n_a * sizeof(*all));
	if (n_b > 0)
		memcpy(all + n_a, b, n_b * sizeof(*all));
	all[n_a + n_b] = (struct opt_row)OPT_END;
	p->rows = all;
	return SEAL_OK;
}

static enum seal_status set_rows(struct platform *p, const struct command *command, struct arena *arena,
				 struct seal_err *err)
{
	const bool reads = p->source != NULL && (command->streams & COMMAND_READS) != 0;
	const bool writes = p->sink != NULL && (command->streams & COMMAND_WRITES) != 0;
	const struct opt_row *in = reads ? p->source->options : NULL;
	const struct opt_row *out = writes ? p->sink->options : NULL;
	enum seal_status rc = SEAL_OK;

	p->usable = reads || writes;
	if (strcmp(p->scheme, PLATFORM_KAFKA) != 0) {
		p->sides[PLATFORM_SOURCE].all = in;
		p->sides[PLATFORM_SINK].all = out;
		if (in != NULL)
			SEAL_TRY(long_rows("", p->scheme, in, command->options, NULL, arena,
					   &p->sides[PLATFORM_SOURCE].rows, err));
		if (out != NULL && out != in)
			SEAL_TRY(long_rows("", p->scheme, out, command->options, in, arena,
					   &p->sides[PLATFORM_SINK].rows, err));
		SEAL_TRY(own_rows(p, PLATFORM_SOURCE, command, arena, err));
		SEAL_TRY(own_rows(p, PLATFORM_SINK, command, arena, err));
	}
	rc = join_rows(p, arena, err);
out:
	return rc;
}

static struct platform *add(struct platform *all, size_t *n, const char *scheme, const struct stream_traits *traits)
{
	struct platform *p = platform_find(all, bytes_str(scheme));

	if (p == NULL) {
		p = &all[(*n)++];
		p->scheme = scheme;
		p->traits = traits;
	}
	return p;
}

enum seal_status platforms_new(const struct program *program, const struct command *command, struct arena *arena,
			       struct platform **out, struct seal_err *err)
{
	const struct source_ops *const *sources = command->streams != 0 ? program->sources : NULL;
	const struct sink_ops *const *sinks = command->streams != 0 ? program->sinks : NULL;
	size_t n = 0, most = 1;
	struct platform *all;
	enum seal_status rc = SEAL_OK;

	for (size_t i = 0; sources != NULL && sources[i] != NULL; i++)
		most++;
	for (size_t i = 0; sinks != NULL && sinks[i] != NULL; i++)
		most++;
	all = arena_alloc(arena, most * sizeof(*all), _Alignof(struct platform));
	if (all == NULL)
		return err_memory(err);
	memset(all, 0, most * sizeof(*all));
	for (size_t i = 0; sources != NULL && sources[i] != NULL; i++)
		add(all, &n, sources[i]->name, sources[i]->traits)->source = sources[i];
	for (size_t i = 0; sinks != NULL && sinks[i] != NULL; i++)
		add(all, &n, sinks[i]->name, sinks[i]->traits)->sink = sinks[i];
	for (size_t i = 0; rc == SEAL_OK && i < n; i++)
		rc = set_rows(&all[i], command, arena, err);
	*out = all;
	return rc;
}

static enum seal_status new_options(const struct opt_row *rows, size_t size, struct arena *arena, void **out,
				    struct seal_err *err)
{
	*out = arena_alloc(arena, size + 1, _Alignof(max_align_t));
	if (*out == NULL)
		return err_memory(err);
	memset(*out, 0, size);
	return opt_defaults(rows, *out, arena, err);
}

/* Hands rows to the parser. */
static void hand_over(struct parse *parse, size_t *set, const struct opt_row *rows, void *options)
{
	if (rows == NULL)
		return;
	SEAL_INVARIANT(*set < PARSE_SETS);
	parse->sets[(*set)++] = (struct option_set){.rows = rows, .options = options};
}

enum seal_status platforms_prepare(struct platform *platforms, struct parse *parse, struct seal_err *err)
{
	size_t set = PARSE_SETS - PARSE_PLATFORM_SETS;
	enum seal_status rc = SEAL_OK;

	for (struct platform *p = platforms; p->scheme != NULL; p++) {
		for (int which = 0; which < PLATFORM_SIDES; which++) {
			struct platform_side *side = &p->sides[which];
			const size_t size = which == PLATFORM_SOURCE ? (p->source ? p->source->options_size : 0)
								     : (p->sink ? p->sink->options_size : 0);

			if (side->all == NULL)
				continue;
			SEAL_TRY(new_options(side->all, size, parse->arena, &side->options, err));
			SEAL_TRY(new_options(side->all, size, parse->arena, &side->own_options, err));
			hand_over(parse, &set, side->rows, side->options);
			hand_over(parse, &set, side->own, side->own_options);
		}
	}
out:
	return rc;
}

/* The parser's set of these rows. */
static const struct option_set *set_of(const struct parse *parse, const struct opt_row *rows)
{
	for (size_t i = 0; i < PARSE_SETS; i++)
		if (parse->sets[i].rows == rows)
			return &parse->sets[i];
	return NULL;
}

/* The name of the first row that was given; NULL: none was. */
static const char *first_seen(const struct opt_row *rows, const bool *seen)
{
	for (size_t i = 0; seen != NULL && rows[i].name != NULL; i++)
		if (seen[i])
			return rows[i].name;
	return NULL;
}

enum seal_status platforms_note(struct platform *platforms, const struct parse *parse, const char *const **given,
				struct seal_err *err)
{
	const struct option_set *own = &parse->sets[0];
	const char **list = arena_alloc(parse->arena, sizeof(platform_shared_rows), _Alignof(char *));
	size_t n = 0;

	if (list == NULL)
		return err_memory(err);
	for (const char *const *name = platform_shared_rows; *name != NULL; name++) {
		const struct opt_row *row = own->rows != NULL ? opt_find(own->rows, bytes_str(*name)) : NULL;

		if (row != NULL && own->seen[row - own->rows])
			list[n++] = *name;
	}
	list[n] = NULL;
	*given = list;
	for (struct platform *p = platforms; p->scheme != NULL; p++) {
		for (int side = 0; side < PLATFORM_SIDES; side++) {
			const struct opt_row *rows = p->sides[side].rows;
			const struct option_set *set = rows != NULL ? set_of(parse, rows) : NULL;

			if (p->flag == NULL && set != NULL)
				p->flag = first_seen(rows, set->seen);
			p->sides[side].seen = set != NULL ? set->seen : NULL;
			set = p->sides[side].own != NULL ? set_of(parse, p->sides[side].own) : NULL;
			p->sides[side].own_seen = set != NULL ? set->seen : NULL;
			p->sides[side].own_flag = first_seen(p->sides[side].own, p->sides[side].own_seen);
		}
	}
	return SEAL_OK;
}

const struct opt_row *platform_own(const struct platform *p, int which, const char *name)
{
	const struct platform_side *side = &p->sides[which];
	const size_t prefix = strlen(which == PLATFORM_SOURCE ? "from-" : "to-") + strlen(p->scheme) + 1;

	for (size_t i = 0; side->own_seen != NULL && side->own[i].name != NULL; i++)
		if (side->own_seen[i] && strcmp(side->own[i].name + prefix, name) == 0)
			return &side->own[i];
	return NULL;
}

/* What this side alone is told is above all. */
static void fill_own(struct platform *p, int which)
{
	const struct platform_side *side = &p->sides[which];

	for (const struct opt_row *row = side->all; row != NULL && row->name != NULL; row++) {
		const struct opt_row *own = platform_own(p, which, row->name);

		if (own != NULL)
			opt_copy(own, side->own_options, row, side->options);
	}
}

/* What the command's own options say, and what the source's have that the sink has, too. */
static void fill_side(struct platform *p, int which, const struct option_set *own)
{
	const struct platform_side *side = &p->sides[which], *in = &p->sides[PLATFORM_SOURCE];

	for (const struct opt_row *row = side->all; row != NULL && row->name != NULL; row++) {
		const struct opt_row *from = own_row(own->rows, row);

		if (from != NULL) {
			if (own->seen[from - own->rows] || from->def != NULL)
				opt_copy(from, own->options, row, side->options);
			continue;
		}
		from = which == PLATFORM_SINK && in->all != NULL && !row->internal
			       ? opt_find(in->all, bytes_str(row->name))
			       : NULL;
		if (from != NULL && from->type == row->type)
			opt_copy(from, in->options, row, side->options);
	}
}

void platforms_fill(struct platform *platforms, const struct parse *parse)
{
	for (struct platform *p = platforms; p->scheme != NULL; p++)
		for (int side = 0; side < PLATFORM_SIDES; side++)
			fill_side(p, side, &parse->sets[0]);
	for (struct platform *p = platforms; p->scheme != NULL; p++)
		for (int side = 0; side < PLATFORM_SIDES; side++)
			fill_own(p, side);
}

struct platform *platform_find(struct platform *platforms, struct seal_bytes scheme)
{
	for (; platforms->scheme != NULL; platforms++)
		if (bytes_eq_str(scheme, platforms->scheme))
			return platforms;
	return NULL;
}

void platform_title(const struct platform *platform, char out[PLATFORM_TITLE_MAX])
{
	snprintf(out, PLATFORM_TITLE_MAX, "Options for %s", platform->traits->title);
}

void platform_address(const struct platform *platform, char out[PLATFORM_ADDRESS_MAX])
{
	snprintf(out, PLATFORM_ADDRESS_MAX, "%s:%s", platform->scheme, platform->traits->address);
}
