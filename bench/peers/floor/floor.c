/* Finds two names, puts constants in place of their string values, writes; no JSON, no cryptography. See ../README.md. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Copies `line` up to the value of `name`, then `with`; returns what follows the value. */
static const char *splice(const char *line, const char *end, const char *name, const char *with)
{
	const char *at = memmem(line, (size_t)(end - line), name, strlen(name));

	if (at == NULL)
		return line;
	at += strlen(name);
	fwrite_unlocked(line, 1, (size_t)(at - line), stdout);
	fwrite_unlocked(with, 1, strlen(with), stdout);
	at = memchr(at, '"', (size_t)(end - at));
	return at != NULL ? at : end;
}

int main(void)
{
	static char in[1 << 16], out[1 << 16];
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;

	setvbuf(stdin, in, _IOFBF, sizeof in);
	setvbuf(stdout, out, _IOFBF, sizeof out);
	while ((len = getline(&line, &cap, stdin)) > 0) {
		const char *at = line, *end = line + len;

		at = splice(at, end, "\"Address\":\"",
			    "vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
		at = splice(at, end, "\"credit_card\":\"", "0000-0000-0000-0000");
		fwrite_unlocked(at, 1, (size_t)(end - at), stdout);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
