/*
 * `sample`: records to try things with. The same seed gives the same bytes on every machine: one 64-bit generator
 * (SplitMix64), integer arithmetic, no locale. Cards lie in ranges that payment networks keep for tests, and pass Luhn.
 */
#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "cmd/commands.h"

enum shape { SHAPE_PURCHASE, SHAPE_ORDER };

struct sample_options {
	int64_t count, seed;
	int shape;
};

#define AT(member) .offset = offsetof(struct sample_options, member)

static const struct opt_row rows[] = {
	{.name = "count",
	 .letter = 'c',
	 .help = "how many records; 0: until nobody reads them any more",
	 .arg = "N",
	 .def = "10",
	 .min = 0,
	 .max = INT64_MAX,
	 .type = OPT_INT,
	 AT(count)},
	{.name = "seed",
	 .help = "the same seed gives the same records",
	 .arg = "N",
	 .def = "1",
	 .min = 0,
	 .max = INT64_MAX,
	 .type = OPT_INT,
	 AT(seed)},
	{.name = "shape",
	 .help = "purchase: name, address, card; order: nested, with arrays, numbers of all kinds, nulls, Unicode",
	 .choices = "purchase|order",
	 .arg = "SHAPE",
	 .def = "purchase",
	 .type = OPT_CHOICE,
	 AT(shape)},
	OPT_END};

static const char *const first_names[] = {"Ada",   "Björn",  "Chloé",  "Dmitri", "Elif",      "Fatima",
					  "Grace", "Hiro",   "Ingrid", "João",	 "Katarzyna", "Liam",
					  "Mei",   "Nnamdi", "Olga",   "Priya",	 "Quentin",   "Rosa",
					  "Søren", "Thandi", "Umar",   "Vera",	 "Wei",	      "Zoë"};
static const char *const last_names[] = {"Almeida", "Brown",	"Çelik",   "Dubois", "Eriksen",	 "Fischer",
					 "García",  "Haddad",	"Ivanova", "Jensen", "Kowalski", "Lindqvist",
					 "Müller",  "Nakamura", "O'Brien", "Okafor", "Patel",	 "Quispe",
					 "Rossi",   "Sørensen", "Tanaka",  "Ueda",   "Wright",	 "Zhou"};
static const char *const streets[] = {"High Street",  "Rue de la Paix", "Hauptstraße", "Calle Mayor",
				      "Main Street",  "Via Roma",	"Kungsgatan",  "Elm Avenue",
				      "Station Road", "Park Lane",	"Ulica Długa", "Rua Augusta"};
static const char *const cities[] = {"London",	 "Lyon",    "München", "Madrid", "Springfield", "Torino",
				     "Göteborg", "Toronto", "Dublin",  "Kraków", "São Paulo",	"Aarhus"};
static const char *const products[] = {"Espresso cups, set of 6",
				       "Notebook A5 \\\"dotted\\\"",
				       "USB-C cable 2 m",
				       "Wool scarf",
				       "Desk lamp",
				       "Tea: 緑茶 100 g",
				       "Bicycle bell",
				       "Paperback",
				       "Garden hose 1\\/2\\\"",
				       "Running socks"};
static const char *const notes[] = {"null",
				    "\"leave at the door\"",
				    "\"ring twice \\u2014 thanks\"",
				    "\"\"",
				    "\"gift \xf0\x9f\x8e\x81 wrap, please\"",
				    "null"};
/* Numbers as people and machines write them: none may change on its way. */
static const char *const prices[] = {"129.90", "1e2",	 "9.99",   "0.5",  "1.10",
				     "12",     "3.3E+1", "249.00", "-0.0", "1000000.01"};
static const char *const card_prefixes[] = {"411111", "424242", "555555", "510510", "601111", "400000"};

#define PICK(dice, list) ((list)[below((dice), sizeof(list) / sizeof((list)[0]))])

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static unsigned below(uint64_t *dice, size_t n)
{
	return (unsigned)((next(dice) >> 32) * n >> 32);
}

/* "4111-1112-3456-7893": the last digit makes the Luhn sum a multiple of ten. */
static void card(uint64_t *dice, char out[20])
{
	const char *prefix = PICK(dice, card_prefixes);
	unsigned digits[16], sum = 0;
	char *at = out;

	for (unsigned i = 0; i < 15; i++) {
		digits[i] = i < 6 ? (unsigned)(prefix[i] - '0') : below(dice, 10);
		sum += i % 2 == 0 ? digits[i] * 2 % 10 + digits[i] * 2 / 10 : digits[i];
	}
	digits[15] = (10 - sum % 10) % 10;
	for (unsigned i = 0; i < 16; i++) {
		if (i > 0 && i % 4 == 0)
			*at++ = '-';
		*at++ = (char)('0' + digits[i]);
	}
	*at = '\0';
}

static enum seal_status purchase(uint64_t *dice, struct seal_buf *out, struct seal_err *err)
{
	const char *first = PICK(dice, first_names), *last = PICK(dice, last_names);
	unsigned house = 1 + below(dice, 999);
	const char *street = PICK(dice, streets), *city = PICK(dice, cities);
	unsigned code = below(dice, 100000);
	char number[20];

	card(dice, number);
	return buf_printf(out, err, "{\"Name\":\"%s %s\",\"Address\":\"%u %s, %05u %s\",\"credit_card\":\"%s\"}\n",
			  first, last, house, street, code, city, number);
}

static enum seal_status item(uint64_t *dice, bool more, struct seal_buf *out, struct seal_err *err)
{
	const char *product = PICK(dice, products), *price = PICK(dice, prices), *note = PICK(dice, notes);
	unsigned sku = below(dice, 1000000), quantity = 1 + below(dice, 9);

	return buf_printf(
		out, err,
		"{\"sku\":\"%06u\",\"name\":\"%s\",\"quantity\":%u,\"price\":%s,\"note\":%s,\"tags\":[%s]}%s", sku,
		product, quantity, price, note, quantity % 2 ? "\"new\",\"sale\"" : "", more ? "," : "");
}

static enum seal_status customer(uint64_t *dice, struct seal_buf *out, struct seal_err *err)
{
	const char *first = PICK(dice, first_names), *last = PICK(dice, last_names);
	unsigned id = below(dice, 1000000), house = 1 + below(dice, 999);
	const char *street = PICK(dice, streets), *city = PICK(dice, cities);
	unsigned code = below(dice, 100000);

	return buf_printf(out, err,
			  "\"customer\":{\"id\":\"C-%06u\",\"name\":\"%s %s\",\"email\":\"c%06u@example.com\","
			  "\"phone\":\"+1-202-555-01%02u\",\"address\":{\"street\":\"%u %s\",\"city\":\"%s\","
			  "\"postcode\":\"%05u\",\"geo\":[%u.%03u,-%u.%03u]},\"loyalty\":%s},",
			  id, first, last, id, id % 100, house, street, city, code, code % 90, house, code % 180,
			  house, id % 3 ? "null" : "{\"level\":\"gold\",\"points\":1e4}");
}

static enum seal_status order(uint64_t *dice, struct seal_buf *out, struct seal_err *err)
{
	/* Between 10^19 and 2^64: twenty digits, more than a double or a signed 64-bit integer holds. */
	unsigned long long id = 10000000000000000000ull + next(dice) % 8446744073709551615ull;
	unsigned second = below(dice, 86400), day = 1 + below(dice, 28), month = 1 + below(dice, 12);
	unsigned items = 1 + below(dice, 5);
	const char *amount = PICK(dice, prices);
	char number[20];
	enum seal_status rc;

	card(dice, number);
	SEAL_TRY(buf_printf(out, err, "{\"order_id\":%llu,\"created\":\"2025-%02u-%02uT%02u:%02u:%02uZ\", ", id,
			    month, day, second / 3600, second / 60 % 60, second % 60));
	SEAL_TRY(customer(dice, out, err));
	SEAL_TRY(buf_printf(out, err,
			    "\"payment\":{\"method\":\"card\",\"credit_card\":\"%s\",\"expires\":\"%02u/29\","
			    "\"amount\":%s,\"currency\":\"EUR\"},\"items\":[",
			    number, month, amount));
	while (items-- > 0)
		SEAL_TRY(item(dice, items > 0, out, err));
	rc = buf_printf(out, err, "],\"gift\":%s,\"discount\":null,\"version\":3}\n", second % 2 ? "true" : "false");
out:
	return rc;
}

#define BLOCK (64u << 10)

static enum seal_status put(struct seal_buf *block, struct seal_err *err)
{
	size_t n = fwrite(block->ptr, 1, block->len, stdout);

	if (n < block->len)
		return err_set_errno(err, SEAL_FATAL, errno == EPIPE ? SEAL_E_PIPE : SEAL_E_IO, errno,
				     "cannot write to stdout");
	block->len = 0;
	return SEAL_OK;
}

static enum seal_status run(struct command_call *call, int *exit_code, struct seal_err *err)
{
	const struct sample_options *options = call->options;
	uint64_t dice = (uint64_t)options->seed;
	struct seal_buf block = BUF_INIT(2 * BLOCK);
	enum seal_status rc = SEAL_OK;

	for (int64_t i = 0; (options->count == 0 || i < options->count) && stop_requested() == 0; i++) {
		rc = options->shape == SHAPE_ORDER ? order(&dice, &block, err) : purchase(&dice, &block, err);
		if (rc == SEAL_OK && block.len >= BLOCK)
			rc = put(&block, err);
		SEAL_TRY(rc);
	}
	rc = block.len > 0 ? put(&block, err) : SEAL_OK;
	if (stop_requested() != 0)
		*exit_code = 128 + stop_requested();
out:
	buf_clear(&block);
	return rc;
}

const struct command command_sample = {
	.name = "sample",
	.usage = "",
	.summary = "Print records to try things with",
	.details = "The same seed gives the same bytes on every machine. Card numbers lie in ranges that are kept "
		   "for tests; "
		   "names and addresses are put together by chance.",
	.examples = "sealstream sample --count 1000 > purchases.ndjson\n"
		    "sealstream sample --shape order --seed 7\n",
	.options = rows,
	.options_size = sizeof(struct sample_options),
	.run = run,
};
