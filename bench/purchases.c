/* Prints the first N purchases, a line each: purchases N */
#include <stdio.h>
#include <stdlib.h>

#include "purchase.h"

int main(int argc, char **argv)
{
	const unsigned long n = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	char line[BENCH_PURCHASE_LEN + 1];

	for (unsigned i = 0; i < n; i++) {
		bench_purchase(line, i);
		puts(line);
	}
	return n > 0 && fflush(stdout) == 0 ? 0 : 1;
}
