/* Opening what is only looked at: nothing is committed, and nobody's reading is disturbed. */
#include "cmd/record_input.h"

#include "cmd/kafka_use.h"
#include "cmd/stream_open.h"

static enum seal_status open_file(const struct record_input *input, struct command_call *call, struct source **source,
				  struct seal_err *err)
{
	char *limit = arena_printf(call->arena, "%lld", (long long)input->max_record_bytes);
	const struct stream_setting in[] = {
		{"envelopes", input->envelopes ? "true" : "false"},
		{"max-record-bytes", limit},
		{"skip-blank", input->skip_blank ? "true" : "false"},
		{input->key_delimiter != NULL ? "key-delimiter" : NULL, input->key_delimiter},
		{NULL, NULL}};

	if (limit == NULL)
		return err_memory(err);
	return stream_open_source("file", call->n_args ? call->args[0] : "-", in, call->arena, source, err);
}

/*
 * All that the broker stores, also of transactions that were aborted or are still open: whoever asks for it gets it. And where
 * records have gone reading goes on with the first that is there, not at the end.
 */
static enum seal_status read_everything(struct kafka_config *config, struct seal_err *err)
{
	enum seal_status rc = kafka_config_set(config, "isolation.level", "read_uncommitted", err);

	return rc == SEAL_OK ? kafka_config_set(config, "auto.offset.reset", "earliest", err) : rc;
}

enum seal_status record_input_side(struct command_call *call, const char *topic, struct stream_side *side,
				   struct seal_err *err)
{
	static const char *const takes[] = {"offset",	      "partition",	  "bootstrap-server",
					    "command-config", "command-property", NULL};
	enum seal_status rc;

	if (topic == NULL)
		return stream_sides_check(call, NULL, NULL, takes, err);
	SEAL_TRY(stream_side_init(call, PLATFORM_SOURCE, topic, side, err));
	SEAL_TRY(stream_sides_check(call, side, NULL, NULL, err));
	SEAL_TRY(stream_side_set(side, "look", "true", call->arena, NULL, err));
	SEAL_TRY(stream_side_set(side, "exit", "true", call->arena, NULL, err));
out:
	return rc;
}

enum seal_status record_input_topic(const char *policy_topic, const struct stream_side *side, struct arena *arena,
				    const char **out, struct seal_err *err)
{
	*out = policy_topic;
	if (policy_topic != NULL || side == NULL || side->topic.len == 0)
		return SEAL_OK;
	*out = arena_strndup(arena, (const char *)side->topic.ptr, side->topic.len);
	return *out != NULL ? SEAL_OK : err_memory(err);
}

enum seal_status record_input_open(const struct record_input *input, struct command_call *call,
				   struct kafka_config *config, struct source **source, struct seal_err *err)
{
	const struct kafka_source_options in = {.connection = *input->connection,
						.offset = input->offset,
						.partition = input->partition,
						.exit_at_end = true,
						.config = config};
	enum seal_status rc;

	if (input->side == NULL)
		return open_file(input, call, source, err);
	if (call->n_args > 0 || input->envelopes || input->key_delimiter != NULL)
		return err_set(err, SEAL_USAGE, SEAL_E_USAGE, "--topic excludes %s",
			       call->n_args > 0	  ? "a FILE"
			       : input->envelopes ? "--envelopes, which are for files"
						  : "--key-delimiter, which is for files");
	if (!stream_side_is(input->side, PLATFORM_KAFKA)) {
		SEAL_TRY(stream_side_set(input->side, "skip-blank", input->skip_blank ? "true" : "false", call->arena,
					 NULL, err));
		return stream_side_open_source(input->side, source, err);
	}
	SEAL_TRY(kafka_connection_load(input->connection, config, err));
	if (input->everything)
		SEAL_TRY(read_everything(config, err));
	rc = kafka_use_source(input->side->at.rest, &in, source, err);
out:
	return rc;
}
