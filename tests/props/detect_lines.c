/*
 * Names what each line of standard input looks like, one line for each: "card", "phone gb_nhs" or nothing. For tests/services, which
 * ask it about what others call such numbers.
 * With --table it prints the detectors as the table of docs/SCAN.md instead.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "detect/detect.h"

static void print_table(void)
{
	static const char *const classes[] = {"secret", "personal", "token"};

	for (size_t i = 0; i < detect_count(); i++) {
		const struct detector *what = detect_at(i);

		printf("| `%s` | %s | %s | %s | %s |\n", what->name, what->title, classes[what->class],
		       what->takes_numbers ? "yes" : "", what->suggest ? what->suggest + sizeof("type: ") - 1 : "-");
	}
}

int main(int argc, char **argv)
{
	struct detect *detect;
	char *line = NULL;
	size_t room = 0;
	ssize_t len;

	if (argc > 1 && strcmp(argv[1], "--table") == 0) {
		print_table();
		return 0;
	}
	if (detect_new(&detect, NULL) != SEAL_OK)
		return 70;
	while ((len = getline(&line, &room, stdin)) > 0) {
		const uint64_t bits = detect_text(detect, bytes_of(line, (size_t)len));
		const char *space = "";

		for (size_t i = 0; i < detect_count(); i++) {
			if ((bits >> i & 1) == 0 || detect_at(i)->needs_name)
				continue;
			printf("%s%s", space, detect_at(i)->name);
			space = " ";
		}
		putchar('\n');
	}
	free(line);
	detect_free(detect);
	return 0;
}
