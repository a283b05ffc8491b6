/* What the values of a record look like: all detectors on 20 usual values, and on 4 KiB that give them the most to do. */
#include "bench.h"

#include "detect/detect.h"

#define HOSTILE_LEN 4096

static struct detect *detect;
static uint8_t hostile[HOSTILE_LEN];

static void record(void *arg)
{
	static const char *const values[] = {
		"Ann Miller",
		"12 High Street",
		"4111-1111-1111-1111",
		"ann.miller@example.com",
		"+49 30 1234567",
		"2024-03-12T10:22:33Z",
		"ORDER_SHIPPED",
		"9f8b1c2d-1234-4abc-9def-0123456789ab",
		"EUR",
		"DE",
		"1099.50",
		"Please leave the parcel at the door if nobody is home",
		"192.0.2.17",
		"en-US",
		"SKU-123456",
		"C01X00T47",
		"https://example.com/p/12345678",
		"blue",
		"true",
		"1980-03-12",
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		bench_sink += detect_text(detect, bytes_str(values[i]));
}

/* Each makes some test start anew again and again. */
static void worst(void *arg)
{
	static const char *const parts[] = {"DE89 ", "4111 ", "eyJ.",	     "SG.",	"a@b.",	  "+1 ", "hvs.",
					    "://a:", "AKIA ", "-----BEGIN ", "sk-ant-", "00-00 ", "::",	 "token="};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const size_t len = strlen(parts[i]);

		for (size_t at = 0; at < sizeof(hostile); at++)
			hostile[at] = (uint8_t)parts[i][at % len];
		bench_sink += detect_text(detect, bytes_of(hostile, sizeof(hostile)));
	}
}

void bench_add_detect(struct bench *bench)
{
	struct seal_err err = SEAL_ERR_INIT;

	bench_check(detect_new(&detect, &err), &err);
	bench_add(bench, (struct bench_case){
				 .name = "detect, 20 values of a record", .run = record, .ops = 1, .most_ns = 4000});
	bench_add(bench, (struct bench_case){.name = "detect, 4 KiB that give most to do",
					     .run = worst,
					     .ops = 14,
					     .bytes = 14 * HOSTILE_LEN,
					     .most_ns = 100000});
}
