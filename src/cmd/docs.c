/* Walks through the tables. */
#include "cmd/docs.h"

#include "cmd/help.h"

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

void docs_words(FILE *to, const char *choices, const char *before, const char *after)
{
	fputs(before, to);
	for (; *choices != '\0'; choices++)
		fputc(*choices == '|' ? ' ' : *choices, to);
	fputs(after, to);
}
