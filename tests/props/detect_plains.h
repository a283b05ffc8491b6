/* Fields that are of no detector's kind: what records are full of. */
#ifndef TESTS_DETECT_PLAINS_H
#define TESTS_DETECT_PLAINS_H

#include <stdio.h>

#include "detect_kinds.h"

static void plain_uuid(struct prop_random *r, char *out)
{
	char hex[40];

	put_of(r, hex, hex_digits, 32);
	lay_out(hex, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", out);
}

static void plain_hex_32(struct prop_random *r, char *out)
{
	put_of(r, out, hex_digits, 32);
}

static void plain_hex_64(struct prop_random *r, char *out)
{
	put_of(r, out, hex_digits, 64);
}

static void plain_time(struct prop_random *r, char *out)
{
	char *p = put_number(put(put_day(r, out, "Y-m-d"), "T"), prop_below(r, 24), 2);

	put(put_number(put(put_number(put(p, ":"), prop_below(r, 60), 2), ":"), prop_below(r, 60), 2), "Z");
}

static void plain_clock(struct prop_random *r, char *out)
{
	snprintf(out, MADE_MAX, "%02u:%02u:%02u", prop_below(r, 24), prop_below(r, 60), prop_below(r, 60));
}

static void plain_epoch_ms(struct prop_random *r, char *out)
{
	put_number(out, UINT64_C(1500000000000) + prop_below(r, UINT32_MAX) * UINT64_C(60), 13);
}

static void plain_epoch_s(struct prop_random *r, char *out)
{
	put_number(out, between(r, 1500000000, 1800000000), 10);
}

#define PLAIN_DIGITS(n)                                                                                              \
	static void plain_digits_##n(struct prop_random *r, char *out)                                               \
	{                                                                                                            \
		put_digits(r, out, n);                                                                               \
	}
PLAIN_DIGITS(8)
PLAIN_DIGITS(9)
PLAIN_DIGITS(10)
PLAIN_DIGITS(11)
PLAIN_DIGITS(12)
PLAIN_DIGITS(13)
PLAIN_DIGITS(16)
PLAIN_DIGITS(18)

/* Orders that count up from 4000 0000 0000 0000: the first digits of a card, Luhn in one of ten. */
static void plain_order(struct prop_random *r, char *out)
{
	put_number(out, UINT64_C(4000000000000000) + prop_below(r, 1000000), 16);
}

static void plain_price(struct prop_random *r, char *out)
{
	snprintf(out, MADE_MAX, "%u.%02u", prop_below(r, 2000), prop_below(r, 100));
}

static void plain_version(struct prop_random *r, char *out)
{
	snprintf(out, MADE_MAX, "%u.%u.%u", prop_below(r, 10), prop_below(r, 30), prop_below(r, 30));
}

static void plain_sentence(struct prop_random *r, char *out)
{
	char *p = put_word(r, out, "The|This|Every|No|Our");

	for (uint32_t n = between(r, 3, 20); n > 0; n--)
		p = put_word(
			r, put(p, " "),
			"quick|order|was|shipped|late|2|to|the|wrong|house|and|came|back|10:30|@|+|in|blue|boxes");
	put(p, ".");
}

static void plain_product(struct prop_random *r, char *out)
{
	put_number(put_word(r, out, "Chair |Table |Lamp X|Desk-|Sofa "), prop_below(r, 1000), 3);
}

static void plain_url(struct prop_random *r, char *out)
{
	put_digits(r,
		   put_word(r, out,
			    "https://example.com/p/|http://cdn.example.org/img?id=|https://example.de:8443/x/y/"),
		   8);
}

static void plain_path(struct prop_random *r, char *out)
{
	put_word(r, put_of(r, put_word(r, out, "/var/log/|/usr/share/Doc/|C:\\Users\\Public\\"), lower_case, 9),
		 "/App1.log|.txt");
}

static void plain_sku(struct prop_random *r, char *out)
{
	put_digits(r, put(put_of(r, out, upper_case, 2), "-"), 5);
}

static void plain_constant(struct prop_random *r, char *out)
{
	put_word(r, out,
		 "ORDER_SHIPPED|ORDER_CANCELLED|PAYMENT_PENDING|IN_PROGRESS_2|RETURNED_TO_SENDER_WITH_REFUND");
}

static void plain_identifier(struct prop_random *r, char *out)
{
	put_word(r, out,
		 "getCustomerOrderById2|com.example.shop.OrderService1|OrderEventsV2Consumer01|"
		 "Sha256WithRsaEncryption");
}

static void plain_colour(struct prop_random *r, char *out)
{
	put_of(r, put(out, "#"), hex_digits, 6);
}

static void plain_host(struct prop_random *r, char *out)
{
	put(put_digits(r, put_word(r, out, "node-|db|worker-eu-"), 2), ".internal.example.com");
}

static void plain_mac(struct prop_random *r, char *out)
{
	char hex[16];

	put_of(r, hex, hex_digits, 12);
	lay_out(hex, "xx:xx:xx:xx:xx:xx", out);
}

/* Books and goods: the check digit of EAN-13 is that of the Swiss AHV. */
static void plain_ean(struct prop_random *r, char *out)
{
	put_digits(r, put_word(r, out, "978|979|400|871|500|761"), 9);
	put_number(out + 12, (10 - weighed(out, "bdbdbdbdbdbd") % 10) % 10, 1);
}

static void plain_imei(struct prop_random *r, char *out)
{
	put_luhn(out, put_digits(r, put(out, "35"), 12));
}

static void plain_vin(struct prop_random *r, char *out)
{
	put_digits(r, put_of(r, put(out, "WVWZZZ1J"), "0123456789ABCDEFGHJKLMNPRSTUVWXYZ", 3), 6);
}

static void plain_parcel(struct prop_random *r, char *out)
{
	put_digits(r, put_of(r, put(out, "1Z"), "0123456789ABCDEFGH", 6), 10);
}

static void plain_position(struct prop_random *r, char *out)
{
	snprintf(out, MADE_MAX, "%u.%06u, -%u.%06u", prop_below(r, 90), prop_below(r, 1000000), prop_below(r, 180),
		 prop_below(r, 1000000));
}

static void plain_money(struct prop_random *r, char *out)
{
	snprintf(out, MADE_MAX, "EUR %u,%03u.%02u", between(r, 1, 99), prop_below(r, 1000), prop_below(r, 100));
}

static void plain_agent(struct prop_random *r, char *out)
{
	snprintf(out, MADE_MAX, "Mozilla/5.0 (X11; Linux x86_64; rv:%u.0) Gecko/20100101 Firefox/%u.0",
		 between(r, 90, 140), between(r, 90, 140));
}

static void plain_ulid(struct prop_random *r, char *out)
{
	put_of(r, put(out, "01"), "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24);
}

static void plain_package(struct prop_random *r, char *out)
{
	snprintf(out, MADE_MAX, "left-pad@%u.%u.%u", prop_below(r, 9), prop_below(r, 9), prop_below(r, 9));
}

static void plain_country(struct prop_random *r, char *out)
{
	put_word(r, out, "Germany|France|Papua New Guinea|C\xc3\xb4te d'Ivoire|Peru|Viet Nam");
}

static const struct plain {
	const char *title, *name;
	maker make;
} plains[] = {
	{"UUID", "order_id", plain_uuid},
	{"32 hex digits", "digest", plain_hex_32},
	{"64 hex digits", "checksum", plain_hex_64},
	{"time", "created_at", plain_time},
	{"time of day", "opens", plain_clock},
	{"milliseconds", "timestamp", plain_epoch_ms},
	{"seconds", "ts", plain_epoch_s},
	{"8 digits", "item", plain_digits_8},
	{"9 digits", "item", plain_digits_9},
	{"10 digits", "item", plain_digits_10},
	{"11 digits", "item", plain_digits_11},
	{"12 digits", "item", plain_digits_12},
	{"13 digits", "item", plain_digits_13},
	{"16 digits", "item", plain_digits_16},
	{"18 digits", "item", plain_digits_18},
	{"orders from 4000…", "order", plain_order},
	{"price", "price", plain_price},
	{"version", "version", plain_version},
	{"sentence", "comment", plain_sentence},
	{"product", "product_name", plain_product},
	{"URL", "link", plain_url},
	{"path", "file", plain_path},
	{"SKU", "sku", plain_sku},
	{"constant", "state", plain_constant},
	{"identifier", "class", plain_identifier},
	{"colour", "colour", plain_colour},
	{"host name", "host_name", plain_host},
	{"MAC address", "device", plain_mac},
	{"EAN and ISBN", "isbn", plain_ean},
	{"IMEI", "imei", plain_imei},
	{"VIN", "vin", plain_vin},
	{"parcel", "tracking_no", plain_parcel},
	{"position", "place", plain_position},
	{"money", "total", plain_money},
	{"user agent", "user_agent", plain_agent},
	{"ULID", "event_id", plain_ulid},
	{"package", "dependency", plain_package},
	{"country", "country", plain_country},
};
#define N_PLAINS (sizeof(plains) / sizeof(plains[0]))

#endif
