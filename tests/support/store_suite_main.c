/* store_suite ADDRESS: what every store promises, at an address. Ends with the number of tests that failed. */
#include <stdio.h>

#include "store_suite.h"
#include "stores/postgresql/postgresql.h"
#include "stores/sqlite/sqlite.h"

int main(int argc, char **argv)
{
	const char *why;

	if (argc != 2) {
		fprintf(stderr, "usage: store_suite ADDRESS\n");
		return 64;
	}
	if (postgresql_address_check(bytes_str(argv[1]), &why))
		return store_suite_run(&postgresql_store, argv[1]);
	return store_suite_run(&sqlite_store, argv[1]);
}
