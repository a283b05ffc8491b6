/*
 * Exit codes: those of <sysexits.h>, because systemd prints them by name and RestartPreventExitStatus takes them. One
 * table from error codes; an error about a record (SEAL_DATA) is 65 whatever its code.
 */
#include <sysexits.h>

#include "cmd/docs.h"

const struct exit_code_row exit_code_rows[] = {
	{0, "", "all is done"},
	{1, "", "finished, but some records failed, or a test or check did"},
	{EX_USAGE, "USAGE", "the command line is wrong"},
	{EX_DATAERR, "DATAERR", "bad, damaged or tampered data"},
	{EX_NOINPUT, "NOINPUT", "an input file is not there or cannot be read"},
	{EX_UNAVAILABLE, "UNAVAILABLE", "a service is away"},
	{EX_SOFTWARE, "SOFTWARE", "out of memory, or a bug"},
	{EX_CANTCREAT, "CANTCREAT", "an output cannot be created"},
	{EX_IOERR, "IOERR", "reading or writing failed; disk full"},
	{EX_TEMPFAIL, "TEMPFAIL", "not now; trying again may work"},
	{EX_NOPERM, "NOPERM", "denied: credentials, permissions, a key's own limits"},
	{EX_CONFIG, "CONFIG", "a policy or a configuration is wrong"},
	{130, "", "stopped by SIGINT, cleanly"},
	{141, "", "whoever read standard output has gone"},
	{143, "", "stopped by SIGTERM, cleanly"},
	{0, NULL, NULL},
};

int exit_code_of(const struct seal_err *err)
{
	if (err->status == SEAL_OK)
		return 0;
	switch (err->code) {
	case SEAL_E_USAGE:
		return EX_USAGE;
	case SEAL_E_CONFIG:
		return EX_CONFIG;
	case SEAL_E_NO_INPUT:
		return EX_NOINPUT;
	case SEAL_E_CREATE:
	case SEAL_E_KEY_EXISTS:
		return EX_CANTCREAT;
	case SEAL_E_IO:
		return EX_IOERR;
	case SEAL_E_PIPE:
		return 128 + SIGPIPE;
	case SEAL_E_MEMORY:
	case SEAL_E_INTERNAL:
		return EX_SOFTWARE;
	default:
		break;
	}
	if (err->status == SEAL_DATA)
		return EX_DATAERR;
	switch (err->code) {
	case SEAL_E_SERVICE:
		/* where it is the user's mistake, the service is there and refuses what was asked */
		return err->status == SEAL_USAGE ? EX_CONFIG : EX_UNAVAILABLE;
	case SEAL_E_BUSY:
	case SEAL_E_TIMEOUT:
		return EX_TEMPFAIL;
	case SEAL_E_DENIED:
	case SEAL_E_MASTER:
	case SEAL_E_KEY_MINIMUM:
	case SEAL_E_KEY_EXHAUSTED:
	case SEAL_E_KEY_FORGOTTEN:
		return EX_NOPERM;
	case SEAL_E_KEY_UNKNOWN:
	case SEAL_E_KEY_VERSION:
	case SEAL_E_KEY_TYPE:
		return EX_CONFIG;
	default:
		return err->status == SEAL_RETRY ? EX_TEMPFAIL : EX_DATAERR;
	}
}
