/* The process: hardened before anything else happens, then one run of the program. */
#include "base/secret.h"
#include "cmd/program.h"
#include "cmd/registry.h"

int main(int argc, char **argv)
{
	secret_harden_process();
	stop_install();
	return program_run(registry_commands, argc > 0 ? argc - 1 : 0, argv + 1);
}
