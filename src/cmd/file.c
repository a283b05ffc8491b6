/* `file`: the group of commands about large payloads. */
#include "cmd/commands.h"
#include "cmd/file_use.h"

static const struct command *const subs[] = {
	&command_file_protect, &command_file_reveal, &command_file_send, &command_file_receive, NULL,
};

const struct command command_file = {
	.name = "file",
	.usage = "COMMAND",
	.summary = "Protect whole files of any size, each under a key of its own",
	.details = "A file never goes to a key server. It is encrypted here, chunk by chunk, under a key that is "
		   "used once; "
		   "that key, wrapped by the one that --key names, is kept in the file's head. docs/FORMAT-files.md "
		   "describes the container.",
	.subs = subs,
};
