/* Walks through the tables. */
#include "cmd/docs.h"

#include "cmd/help.h"
#include "cmd/platform.h"

static void walk(const struct command *const *commands, const char *above,
		 void (*visit)(void *arg, const struct command *command, const char *path), void *arg)
{
	for (; *commands != NULL; commands++) {
		char path[COMMAND_PATH_MAX];

		if ((*commands)->hidden)
			continue;
		snprintf(path, sizeof(path), "%s%s%s", above, above[0] ? " " : "", (*commands)->name);
		visit(arg, *commands, path);
		/* Groups hold commands, not groups: this is as deep as it gets, or COMMAND_PATH_MAX would cut. */
		if ((*commands)->subs != NULL)
			walk((*commands)->subs, path, visit, arg);
	}
}

void docs_each_command(const struct command *const *commands,
		       void (*visit)(void *arg, const struct command *command, const char *path), void *arg)
{
	walk(commands, "", visit, arg);
}

const struct opt_row *docs_stream_rows(struct docs *docs, const struct command *command)
{
	static const struct opt_row none[] = {OPT_END};
	struct platform *platforms;
	struct opt_row *all;
	size_t n = 0, at = 0;

	if (docs->rc != SEAL_OK)
		return none;
	docs->rc = platforms_new(docs->program, command, docs->arena, &platforms, docs->err);
	if (docs->rc != SEAL_OK)
		return none;
	for (const struct platform *p = platforms; p->scheme != NULL; p++)
		for (const struct opt_row *row = p->rows; row->name != NULL; row++)
			n++;
	all = arena_alloc(docs->arena, (n + 1) * sizeof(*all), _Alignof(struct opt_row));
	if (all == NULL) {
		docs->rc = err_memory(docs->err);
		return none;
	}
	for (const struct platform *p = platforms; p->scheme != NULL; p++)
		for (const struct opt_row *row = p->rows; row->name != NULL; row++)
			all[at++] = *row;
	all[at] = (struct opt_row)OPT_END;
	return all;
}

void docs_words(FILE *to, const char *choices, const char *before, const char *after)
{
	fputs(before, to);
	for (; *choices != '\0'; choices++)
		fputc(*choices == '|' ? ' ' : *choices, to);
	fputs(after, to);
}
