/*
 * Detectors: any text, number or name is looked at in full without a fault; the same input gets the same answer, white space around
 * it and what lies past the limit change nothing; findings are in order, and their confidence is a share.
 */
#include "base/bytes.h"
#include "base/mem.h"
#include "detect/detect.h"
#include "fuzz.h"

#define TEXT_MAX 4096

static struct detect *detect;

static void check_findings(uint64_t bits, uint64_t named, size_t size)
{
	struct detect_counts counts = {.values = 1 + size % 100, .named = named};
	struct detect_finding found[DETECT_MAX];
	size_t n;

	for (size_t i = 0; i < detect_count(); i++)
		counts.hits[i] = (bits >> i & 1) ? 1 + size % counts.values : 0;
	n = detect_judge(&counts, found);
	CHECK(n <= detect_count());
	for (size_t i = 0; i < n; i++) {
		CHECK(found[i].confidence > 0 && found[i].confidence <= 1);
		CHECK(i == 0 || found[i - 1].confidence >= found[i].confidence);
		CHECK(found[i].by_name == (found[i].hits == 0));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t len = size > TEXT_MAX ? TEXT_MAX : size;
	uint64_t bits, named;
	uint8_t *around;

	if (detect == NULL)
		CHECK(detect_new(&detect, NULL) == SEAL_OK);
	bits = detect_text(detect, bytes_of(data, size));
	named = detect_name(detect, bytes_of(data, size));
	CHECK(detect_count() == 64 || (bits | named) >> detect_count() == 0);
	CHECK((detect_number(detect, bytes_of(data, size)) & ~bits) == 0);
	/* A copy of its own, so that a read past its end is seen. */
	around = mem_alloc(len + 2);
	CHECK(around != NULL);
	around[0] = ' ';
	memcpy(around + 1, data, len);
	around[len + 1] = '\n';
	if (size <= TEXT_MAX)
		CHECK(detect_text(detect, bytes_of(around, len + 2)) == bits);
	mem_free(around);
	check_findings(bits, named, size);
	return 0;
}
