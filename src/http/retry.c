/* Pauses before a retry, and which answers are worth one. */
#include "http/retry.h"

#include <curl/curl.h>

uint64_t retry_pause_ms(unsigned tries, uint32_t noise)
{
	uint64_t most = RETRY_BASE_MS;

	while (tries-- > 0 && most < RETRY_CAP_MS)
		most *= 2;
	if (most > RETRY_CAP_MS)
		most = RETRY_CAP_MS;
	return (uint64_t)noise * (most + 1) >> 32;
}

int64_t retry_date_s(const char *value)
{
	/* curl_getdate would take "20991231" for a day */
	time_t date = value[0] >= '0' && value[0] <= '9' ? -1 : curl_getdate(value, NULL);

	return date > 0 ? (int64_t)date : 0;
}

bool retry_after_ms(const char *value, int64_t now_s, uint64_t *out)
{
	uint64_t seconds;
	int64_t date_s;

	if (bytes_to_u64(bytes_str(value), UINT32_MAX, &seconds)) {
		*out = seconds * 1000;
		return true;
	}
	date_s = retry_date_s(value);
	if (date_s == 0)
		return false;
	*out = date_s > now_s ? (uint64_t)(date_s - now_s) * 1000 : 0;
	return true;
}

bool retry_status(unsigned status, struct seal_bytes body)
{
	(void)body;
	return status == 429 || (status >= 500 && status <= 599 && status != 501);
}
