#include "purchase.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *bench_purchase(char *at, unsigned n)
{
	static const char *const streets[] = {"High Street", "Station Road", "Mill Lane", "Orchard Avenue"};
	static const char *const towns[] = {"Bristol", "Coventry", "Plymouth", "Norwich"};
	int len;

	len = snprintf(at, BENCH_PURCHASE_LEN + 1,
		       "{\"order_id\":\"ord-%08u\",\"Name\":\"Customer Number %u\",\"Address\":\"%u %s, %s, UK\","
		       "\"credit_card\":\"%04u-%04u-%04u-%04u\",\"amount\":%u.%02u,\"currency\":\"GBP\",\"items\":["
		       "{\"sku\":\"A-%05u\",\"qty\":%u},{\"sku\":\"B-%05u\",\"qty\":1}],\"paid\":true,\"coupon\":"
		       "null,\"note\":\"",
		       n, n, n % 190 + 1, streets[n % 4], towns[n / 4 % 4], 4000 + n % 999, n * 7919 % 10000,
		       n * 104729 % 10000, n * 1299709 % 10000, n % 900 + 1, n % 100, n * 31 % 100000, n % 9 + 1,
		       n * 37 % 100000);
	if (len <= 0 || len >= BENCH_PURCHASE_LEN - 2)
		abort();
	memset(at + len, 'x', (size_t)(BENCH_PURCHASE_LEN - 2 - len));
	memcpy(at + BENCH_PURCHASE_LEN - 2, "\"}", 3);
	return at + BENCH_PURCHASE_LEN;
}
