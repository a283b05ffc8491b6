/* The process: hardened before anything else happens, then one run of the program. */
#include <fcntl.h>
#include <unistd.h>

#include "base/secret.h"
#include "cmd/program.h"
#include "cmd/registry.h"

/*
 * A standard stream that is closed would give its number to the next file: what is told on stderr would land in the output,
 * or records in a key's file. Its place is taken by something that fails as a closed one does.
 */
static void keep_places(void)
{
	static const int modes[] = {O_WRONLY, O_RDONLY, O_RDWR};

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) < 0)
			_exit(74);
}

int main(int argc, char **argv)
{
	keep_places();
	secret_harden_process();
	stop_install();
	return program_run(&registry_program, argc > 0 ? argc - 1 : 0, argv + 1);
}
