/* What `protect` and `reveal`, and `rewrap` of files, have in common: everything but the direction. */
#ifndef CMD_TRANSFORM_H
#define CMD_TRANSFORM_H

#include "cmd/command.h"

struct transform_options {
	const char *policy, *topic, *output;
	int64_t max_record_bytes;
	int64_t threads, retry_ms;
	bool envelopes, fail_fast;
};

extern const struct opt_row transform_rows[];
#define TRANSFORM_ARGUMENTS "[FILE|-]"
#define TRANSFORM_DETAILS_COMMON                                                                                     \
	"Input is newline-delimited JSON, or with -J what kcat -J prints. Output is in the order of the input; all " \
	"bytes that the policy does not name stay as they are. An empty line passes; a last line without a newline " \
	"stays without one.\n"                                                                                       \
	"Record keys and headers that the policy has rules for are those of envelopes; plain lines have none.\n"     \
	"A record that fails is left out: its line, field and the reason are told on standard error, the run goes "  \
	"on and ends with 1. With --fail-fast the first one ends the run with 65. Nothing is ever passed on "        \
	"unprotected because of an error.\n"                                                                         \
	"While a key server is away the run waits, says so once, and goes on where it was; no record fails for it. " \
	"After --retry-for it ends with 69, or with 75 when the server was there but slow or busy.\n"                \
	"An output FILE is written beside its name and takes the name when all input was read, so that a failed or " \
	"stopped run leaves the old file alone.\n"                                                                   \
	"When the reader of standard output goes away, as in \"| head\", the program ends quietly with 141, as cat " \
	"does."

SEAL_MUST_USE enum seal_status transform_run(struct command_call *call, enum engine_direction direction,
					     int *exit_code, struct seal_err *err);

#endif
