/* The sandbox of commands that run for long: their option row, and what a kernel that has none means. */
#ifndef CMD_SANDBOX_USE_H
#define CMD_SANDBOX_USE_H

#include "cmd/command.h"

#define SANDBOX_ROW(owner, member)                                                                                   \
	{                                                                                                            \
		.name = "sandbox", .arg = "MODE", .type = OPT_CHOICE, .choices = "auto|require|off", .def = "auto",  \
		.env = "SEALSTREAM_SANDBOX", .offset = offsetof(owner, member),                                      \
		.help = "drop capabilities before the start, and system calls that are not needed after it; auto: "  \
			"go on with a warning where the kernel refuses"                                              \
	}

/* `mode` is what the row has set. First, while there is one thread. */
SEAL_MUST_USE enum seal_status sandbox_use_drop(int mode, struct seal_err *err);
/* When all is open. */
SEAL_MUST_USE enum seal_status sandbox_use_enter(int mode, struct seal_err *err);

#endif
