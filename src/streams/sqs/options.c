/* Option rows, and addresses: purchases, https://sqs.eu-west-1.amazonaws.com/123456789012/purchases, arn:aws:sqs:… */
#include "streams/sqs/options.h"

#include <strings.h>

#include "aws/aws.h"
#include "streams/aws_message.h"
#include "streams/rows.h"

#define AWS_ROWS                                                                                                     \
	ROW_AWS_REGION(struct sqs_options,                                                                           \
		       "the region, above AWS_REGION and the profile's; a URL or an ARN says it itself"),            \
		ROW_AWS_PROFILE(struct sqs_options), ROW_AWS_ENDPOINT(struct sqs_options, "SQS"),                    \
		ROW_REQUESTS(struct sqs_options)

#define CHECKSUMS_ROW                                                                                                \
	{                                                                                                            \
		.name = "checksums",                                                                                 \
		.help = "which of the check sums of SQS must be right: all, or the body's alone, since some "        \
			"stand-ins count attributes wrongly",                                                        \
		.arg = "WHICH", .def = "all", .choices = "all|body", .type = OPT_CHOICE,                             \
		.offset = offsetof(struct sqs_options, checksums)                                                    \
	}

const struct opt_row sqs_source_rows[] = {
	AWS_ROWS,
	CHECKSUMS_ROW,
	{.name = "visibility-timeout",
	 .help = "how long a message is hidden from others at a time; it is extended while the pump works",
	 .arg = "TIME",
	 .def = "60s",
	 .min = 2000,
	 .max = 43200000,
	 .type = OPT_DURATION,
	 .offset = offsetof(struct sqs_options, visibility_ms)},
	{.name = "sns-signature",
	 .help = "signatures of notifications of SNS that come wrapped",
	 .arg = "HOW",
	 .def = "verify",
	 .choices = "verify|skip",
	 .type = OPT_CHOICE,
	 .offset = offsetof(struct sqs_options, signature)},
	{.name = "idle",
	 .help = "with --exit: the end is where nothing came for so long; under a second the queue is asked without "
		 "waiting, where AWS may say too early that it is empty",
	 .arg = "TIME",
	 .def = "2s",
	 .min = 1,
	 .max = 3600000,
	 .type = OPT_DURATION,
	 .offset = offsetof(struct sqs_options, idle_ms)},
	{.name = "exit",
	 .help = "end when the queue is empty",
	 .type = OPT_FLAG,
	 .offset = offsetof(struct sqs_options, exit)},
	{.name = "look",
	 .help = "nothing will be deleted",
	 .internal = true,
	 .type = OPT_FLAG,
	 .offset = offsetof(struct sqs_options, look)},
	OPT_END};

const struct opt_row sqs_sink_rows[] = {AWS_ROWS,
					CHECKSUMS_ROW,
					ROW_LINGER(struct sqs_options),
					ROW_HEADERS(struct sqs_options),
					ROW_MEMORY(struct sqs_options),
					OPT_END};

static const struct stream_traits fifo_traits = {
	.title = "Amazon SQS FIFO",
	.address = "QUEUE.fifo, or its URL or ARN",
	.key = AWS_TRAIT_FIFO_KEY,
	.headers = AWS_TRAIT_HEADERS,
	.timestamp = "SentTimestamp, the service's own",
	.null = AWS_TRAIT_NULL,
	.limit = "1 MiB with attributes",
	.order = STREAM_ORDER_KEY,
	.text = true,
	.lends = true,
};

static bool is_fifo_address(const char *address)
{
	return aws_name_is_fifo(sqs_topic(address));
}

const struct stream_traits sqs_traits = {
	.title = "Amazon SQS",
	.address = "QUEUE, or its URL or ARN",
	.key = AWS_TRAIT_KEY,
	.headers = AWS_TRAIT_HEADERS,
	.timestamp = "SentTimestamp, the service's own",
	.null = AWS_TRAIT_NULL,
	.limit = "1 MiB with attributes",
	.order = STREAM_ORDER_NONE,
	.text = true,
	.lends = true,
	.special = &fifo_traits,
	.is_special = is_fifo_address,
};

static bool put(struct seal_bytes from, char *out, size_t room)
{
	if (from.len >= room)
		return false;
	snprintf(out, room, "%.*s", (int)from.len, from.len > 0 ? (const char *)from.ptr : "");
	return true;
}

/* Cuts the part behind the last `c` off. */
static struct seal_bytes last_part(struct seal_bytes *text, char c)
{
	const uint8_t *at = text->len > 0 ? memrchr(text->ptr, c, text->len) : NULL;
	struct seal_bytes part = *text;

	if (at == NULL)
		return part;
	part = bytes_skip(*text, (size_t)(at - text->ptr) + 1);
	text->len = (size_t)(at - text->ptr);
	return part;
}

static struct seal_bytes next_label(struct seal_bytes *host)
{
	const uint8_t *dot = host->len > 0 ? memchr(host->ptr, '.', host->len) : NULL;
	struct seal_bytes label = bytes_of(host->ptr, dot != NULL ? (size_t)(dot - host->ptr) : host->len);

	*host = bytes_skip(*host, label.len + (dot != NULL));
	return label;
}

/*
 * The region of AWS's own hosts: sqs.REGION.amazonaws.com, REGION.queue.amazonaws.com, VPCE.sqs.REGION.vpce.amazonaws.com. *usual: the
 * host is what the region's name makes of itself, so that variables may name another server.
 */
static void region_of_host(struct seal_bytes host, char region[64], bool *usual)
{
	struct seal_bytes rest = host, label, before = BYTES_EMPTY;
	bool first = true;

	*usual = false;
	if (memmem(host.ptr, host.len, ".amazonaws.", 11) == NULL &&
	    memmem(host.ptr, host.len, ".api.aws", 8) == NULL)
		return;
	while (rest.len > 0) {
		label = next_label(&rest);
		if (bytes_eq_str(label, "sqs") || bytes_eq_str(label, "sqs-fips")) {
			*usual = first && bytes_eq_str(label, "sqs");
			(void)put(next_label(&rest), region, 64);
			return;
		}
		if (bytes_eq_str(label, "queue") && before.len > 0) {
			*usual = true;
			(void)put(before, region, 64);
			return;
		}
		before = label;
		first = false;
	}
}

static bool parse_url(struct seal_bytes text, struct sqs_address *out)
{
	const size_t scheme = bytes_starts(text, BYTES_LIT("https://")) ? 8 : 7;
	struct seal_bytes rest, host, path;
	bool usual;

	while (text.len > 0 && text.ptr[text.len - 1] == '/')
		text.len--;
	rest = text;
	if (!put(last_part(&rest, '/'), out->name, sizeof(out->name)) || rest.len <= scheme ||
	    !put(text, out->url, sizeof(out->url)))
		return false;
	host = bytes_skip(rest, scheme);
	path = host;
	host.len =
		strcspn((const char *)host.ptr, "/:") < host.len ? strcspn((const char *)host.ptr, "/:") : host.len;
	region_of_host(host, out->region, &usual);
	if (memchr(path.ptr, '/', path.len) !=
	    NULL) /* http://host/ACCOUNT/NAME; a path in front of it is the endpoint's */
		(void)put(last_part(&rest, '/'), out->account, sizeof(out->account));
	return usual || put(rest, out->endpoint, sizeof(out->endpoint));
}

enum seal_status sqs_address_parse(const char *address, struct sqs_address *out, struct seal_err *err)
{
	struct seal_bytes text = bytes_str(address);
	struct aws_arn arn;
	bool good;

	memset(out, 0, sizeof(*out));
	if (strncmp(address, "https://", 8) == 0 || strncmp(address, "http://", 7) == 0)
		good = parse_url(text, out);
	else if (aws_arn_parse(text, &arn))
		good = bytes_eq_str(arn.service, "sqs") && put(arn.resource, out->name, sizeof(out->name)) &&
		       put(arn.region, out->region, sizeof(out->region)) &&
		       put(arn.account, out->account, sizeof(out->account));
	else
		good = put(text, out->name, sizeof(out->name));
	if (good && aws_name_is_good(bytes_str(out->name), SQS_NAME_MAX))
		return SEAL_OK;
	return err_set(
		err, SEAL_USAGE, SEAL_E_USAGE,
		"\"%.100s\" is no queue of SQS: give its name (letters, digits, '-', '_', and \".fifo\" at the "
		"end), its URL or its ARN",
		address);
}

struct seal_bytes sqs_topic(const char *address)
{
	struct seal_bytes text = bytes_str(address), name;

	while (text.len > 0 && text.ptr[text.len - 1] == '/')
		text.len--;
	name = last_part(&text, '/');
	return last_part(&name, ':');
}
