/* Values of each detector's kind, built as its specification says (detect_makers.h), and how they are written. */
#ifndef TESTS_DETECT_KINDS_H
#define TESTS_DETECT_KINDS_H

#include <stdio.h>

#include "detect_makers.h"

typedef void (*maker)(struct prop_random *r, char *out);

/* ---- accounts */

static void make_card(struct prop_random *r, char *out)
{
	static const struct {
		const char *first;
		size_t len;
	} rows[] = {{"4", 16},	{"51", 16}, {"55", 16},	  {"2221", 16}, {"34", 15},
		    {"37", 15}, {"36", 14}, {"6011", 16}, {"3530", 16}, {"62", 17}};
	const size_t i = prop_below(r, sizeof(rows) / sizeof(rows[0]));
	char *p = put(out, rows[i].first);

	put_luhn(out, put_digits(r, p, rows[i].len - strlen(rows[i].first) - 1));
}

static void make_iban(struct prop_random *r, char *out)
{
	static const struct {
		const char *code;
		size_t digits;
	} rows[] = {{"DE", 18}, {"FR", 23}, {"ES", 20}, {"NL", 0}, {"BE", 12}, {"AT", 16}, {"CH", 17}, {"PL", 24}};
	const size_t i = prop_below(r, sizeof(rows) / sizeof(rows[0]));
	char *p = put(put(out, rows[i].code), "00");
	unsigned rest = 0;
	char turned[64];

	p = rows[i].digits == 0 ? put_digits(r, put_of(r, p, upper_case, 4), 10) : put_digits(r, p, rows[i].digits);
	put(put(turned, out + 4), (char[]){out[0], out[1], '0', '0', '\0'});
	for (const char *c = turned; *c != '\0'; c++)
		rest = *c >= 'A' ? (rest * 100 + (unsigned)(*c - 'A') + 10) % 97 : (rest * 10 + digit(c)) % 97;
	out[2] = (char)('0' + (98 - rest) / 10);
	out[3] = (char)('0' + (98 - rest) % 10);
}

/* ---- contact */

#define FIRST_NAMES                                                                                                  \
	"Ann|Bob|Carla|David|Eva|Frank|Grace|Hugo|Ines|Jan|Karin|Luis|Maja|Nils|Olga|Pablo|Rosa|Sven|Tara|Umut"
#define LAST_NAMES                                                                                                   \
	"Smith|Miller|Garcia|Rossi|Jansen|Novak|Kowalski|Larsen|Dubois|Weber|Silva|O'Brien|van Dijk|de la Cruz"
#define DOMAINS "example.com|example.org|mail.example.net|example.co.uk|shop.example.de"

static void make_email(struct prop_random *r, char *out)
{
	char *p = put_of(r, out, lower_case, between(r, 1, 12));

	p = put_of(r, put_word(r, p, ".|_|-||+"), base62, between(r, 1, 8));
	put_word(r, put(p, "@"), DOMAINS);
}

static void make_phone(struct prop_random *r, char *out)
{
	char digits[16];

	put_digits(r, digits, 10);
	digits[0] = digits[3] = (char)('2' + prop_below(r, 8));
	switch (prop_below(r, 4)) {
	case 0:
		put_digits(r, put_word(r, out, "+49|+44|+33|+1|+351|+48|+91"), between(r, 8, 10));
		return;
	case 1:
		lay_out(digits, "(xxx) xxx-xxxx", out);
		return;
	case 2:
		lay_out(digits, "xxx-xxx-xxxx", out);
		return;
	default:
		lay_out(digits, "0xxx xxxxxxx", out);
	}
}

static void make_ipv4(struct prop_random *r, char *out)
{
	snprintf(out, MADE_MAX, "%u.%u.%u.%u", between(r, 1, 126), between(r, 0, 255), between(r, 0, 255),
		 between(r, 0, 255));
}

static void make_ipv6(struct prop_random *r, char *out)
{
	const uint32_t groups = prop_below(r, 2) ? 6 : 2;
	char *p = put(out, "2001:db8");

	for (uint32_t i = 0; i < groups; i++)
		p = put_of(r, put(p, ":"), hex_digits, 4);
	if (groups < 6)
		put(p, "::1");
}

/* ---- national ids */

static void make_us_ssn(struct prop_random *r, char *out)
{
	char *p = put_number(out, between(r, 1, 665), 3);

	put_number(put_number(p, between(r, 1, 99), 2), between(r, 1, 9999), 4);
}

static void make_gb_nino(struct prop_random *r, char *out)
{
	char *p = put_digits(r, put_of(r, put_of(r, out, "ABCEHJLMPRSW", 1), "ABCEHJLMPRSXYZ", 1), 6);

	put_of(r, p, "ABCD", 1);
}

static void make_gb_nhs(struct prop_random *r, char *out)
{
	unsigned check;

	do {
		put_digits(r, out, 9);
		check = (11 - weighed(out, "kjihgfedc") % 11) % 11;
	} while (check == 10);
	put_number(out + 9, check, 1);
}

static void make_de_tax_id(struct prop_random *r, char *out)
{
	char pool[] = "0123456789";
	unsigned product = 10;

	/* Nine different digits and one of them again, not first a 0. */
	do {
		for (size_t i = 9; i > 0; i--) {
			const size_t j = prop_below(r, (uint32_t)i + 1);
			const char swap = pool[i];

			pool[i] = pool[j];
			pool[j] = swap;
		}
	} while (pool[0] == '0');
	pool[9] = pool[prop_below(r, 8)];
	put(out, pool);
	for (size_t i = 0; i < 10; i++) {
		unsigned sum = (digit(out + i) + product) % 10;

		product = 2 * (sum ? sum : 10) % 11;
	}
	put_number(out + 10, (11 - product) % 10, 1);
}

static void make_fr_nir(struct prop_random *r, char *out)
{
	char *p = put_number(put_digits(r, put_of(r, out, "12", 1), 2), between(r, 1, 12), 2);

	put_digits(r, put_number(p, between(r, 1, 95), 2), 6);
	put_number(out + 13, 97 - number_of(out, 13) % 97, 2);
}

static void make_es_dni(struct prop_random *r, char *out)
{
	put_digits(r, out, 8);
	put(out + 8, (char[]){"TRWAGMYFPDXBNJZSQVHLCKE"[number_of(out, 8) % 23], '\0'});
	if (prop_below(r, 3) == 0) {
		out[0] = '1';
		out[8] = "TRWAGMYFPDXBNJZSQVHLCKE"[number_of(out, 8) % 23];
		out[0] = 'Y';
	}
}

static void make_it_codice_fiscale(struct prop_random *r, char *out)
{
	/* Values of 0 … 9, A … Z in odd places, from the decree. */
	static const uint8_t odd[36] = {1,  0,	5, 7, 9,  13, 15, 17, 19, 21, 1,  0,  5,  7,  9,  13, 15, 17,
					19, 21, 2, 4, 18, 20, 11, 3,  6,  8,  12, 14, 16, 10, 22, 25, 24, 23};
	char *p = put_of(r, put_digits(r, put_of(r, out, upper_case, 6), 2), "ABCDEHLMPRST", 1);
	unsigned sum = 0;

	p = put_number(p, between(r, 1, 28) + (prop_below(r, 2) ? 40 : 0), 2);
	put_digits(r, put_of(r, p, "ABCDEFGHILM", 1), 3);
	for (size_t i = 0; i < 15; i++) {
		const unsigned n = out[i] >= 'A' ? (unsigned)(out[i] - 'A') : digit(out + i);

		sum += i % 2 == 1 ? n : odd[out[i] >= 'A' ? n + 10 : n];
	}
	put(out + 15, (char[]){upper_case[sum % 26], '\0'});
}

static void make_nl_bsn(struct prop_random *r, char *out)
{
	unsigned rest;

	do {
		put_digits(r, out, 8);
		rest = weighed(out, "jihgfedc") % 11;
	} while (rest == 10);
	put_number(out + 8, rest, 1);
}

static void make_be_national(struct prop_random *r, char *out)
{
	put_digits(r, put_day(r, out, "ymd"), 3);
	put_number(out + 9, 97 - number_of(out, 9) % 97, 2);
}

static void make_se_personnummer(struct prop_random *r, char *out)
{
	put_luhn(out, put_digits(r, put_day(r, out, "ymd"), 3));
}

static void make_fi_hetu(struct prop_random *r, char *out)
{
	char *p = put_day(r, out, "dmy");
	uint64_t number;

	put_digits(r, put_of(r, p, "-A", 1), 3);
	number = number_of(out, 6) * 1000 + number_of(out + 7, 3);
	put(out + 10, (char[]){"0123456789ABCDEFHJKLMNPRSTUVWXY"[number % 31], '\0'});
}

static void make_dk_cpr(struct prop_random *r, char *out)
{
	put_digits(r, put_day(r, out, "dmy"), 4);
}

static void make_no_fodselsnummer(struct prop_random *r, char *out)
{
	unsigned first, second;

	do {
		put_digits(r, put_day(r, out, "dmy"), 3);
		first = (11 - weighed(out, "dhgbijefc") % 11) % 11;
		put_number(out + 9, first % 10, 1);
		second = (11 - weighed(out, "fedchgfedc") % 11) % 11;
	} while (first == 10 || second == 10);
	put_number(out + 10, second, 1);
}

static void make_pl_pesel(struct prop_random *r, char *out)
{
	put_digits(r, put_day(r, out, "ymd"), 4);
	put_number(out + 10, (10 - weighed(out, "bdhjbdhjbd") % 10) % 10, 1);
}

static void make_cz_rodne_cislo(struct prop_random *r, char *out)
{
	do {
		put_digits(r, put_day(r, out, "ymd"), 3);
		if (prop_below(r, 2))
			out[2] = (char)(out[2] + 5);
	} while (number_of(out, 9) % 11 == 10);
	/* The last makes the whole divisible: 10 ≡ -1. */
	put_number(out + 9, number_of(out, 9) % 11, 1);
}

static void make_ro_cnp(struct prop_random *r, char *out)
{
	unsigned rest = 0;

	put_digits(r, put_day(r, put_of(r, out, "1256", 1), "ymd"), 5);
	for (size_t i = 0; i < 12; i++)
		rest += digit(out + i) * digit(&"279146358279"[i]);
	put_number(out + 12, rest % 11 == 10 ? 1 : rest % 11, 1);
}

static void make_hr_oib(struct prop_random *r, char *out)
{
	unsigned product = 10;

	put_digits(r, out, 10);
	for (size_t i = 0; i < 10; i++) {
		unsigned sum = (digit(out + i) + product) % 10;

		product = 2 * (sum ? sum : 10) % 11;
	}
	put_number(out + 10, (11 - product) % 10, 1);
}

static void make_ch_ahv(struct prop_random *r, char *out)
{
	put_digits(r, put(out, "756"), 9);
	put_number(out + 12, (10 - weighed(out, "bdbdbdbdbdbd") % 10) % 10, 1);
}

static void make_at_svnr(struct prop_random *r, char *out)
{
	unsigned rest;

	do {
		put_day(r, put(put_number(out, between(r, 100, 999), 3), "0"), "dmy");
		rest = weighed(out, "dhjafiecbg") % 11;
	} while (rest == 10);
	out[3] = (char)('0' + rest);
}

static void make_pt_nif(struct prop_random *r, char *out)
{
	unsigned rest;

	put_digits(r, put_of(r, out, "123", 1), 7);
	rest = weighed(out, "jihgfedc") % 11;
	put_number(out + 8, rest < 2 ? 0 : 11 - rest, 1);
}

static void make_ie_pps(struct prop_random *r, char *out)
{
	const uint32_t more = prop_below(r, 3);
	unsigned sum;

	put_digits(r, out, 7);
	sum = weighed(out, "ihgfedc") + more * 9;
	put(out + 7, (char[]){"WABCDEFGHIJKLMNOPQRSTUV"[sum % 23], more ? (char)('A' + more - 1) : '\0', '\0'});
}

static void make_ca_sin(struct prop_random *r, char *out)
{
	put_luhn(out, put_digits(r, put_of(r, out, "1234567", 1), 7));
}

static void make_br_cpf(struct prop_random *r, char *out)
{
	unsigned rest;

	put_digits(r, out, 9);
	rest = weighed(out, "kjihgfedc") % 11;
	put_number(out + 9, rest < 2 ? 0 : 11 - rest, 1);
	rest = weighed(out, "lkjihgfedc") % 11;
	put_number(out + 10, rest < 2 ? 0 : 11 - rest, 1);
}

static void make_cl_rut(struct prop_random *r, char *out)
{
	unsigned check;

	put_number(out, between(r, 5000000, 26999999), 8);
	check = 11 - weighed(out, "dchgfedc") % 11;
	put(out + 8, (char[]){"0123456789K0"[check], '\0'});
}

static void make_mx_curp(struct prop_random *r, char *out)
{
	static const char order[] = "0123456789ABCDEFGHIJKLMN*OPQRSTUVWXYZ"; /* the star is for Ñ */
	char *p = put_of(r, put_of(r, put_of(r, out, upper_case, 1), "AEIOU", 1), upper_case, 2);
	unsigned sum = 0;

	p = put_word(r, put_of(r, put_day(r, p, "ymd"), "HM", 1), "DF|JC|NL|MC|PL");
	put_of(r, put_of(r, p, "BCDFGHJKLMNPQRSTVWXYZ", 3), "0A", 1);
	for (size_t i = 0; i < 17; i++)
		sum += (unsigned)(strchr(order, out[i]) - order) * (18 - (unsigned)i);
	put_number(out + 17, (10 - sum % 10) % 10, 1);
}

/* Verhoeff by its tables, as they are printed. */
static void make_in_aadhaar(struct prop_random *r, char *out)
{
	static const char times[10][11] = {"0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
					   "5987604321", "6598710432", "7659821043", "8765932104", "9876543210"};
	static const char turn[8][11] = {"0123456789", "1576283094", "5803796142", "8916043527",
					 "9453126870", "4286573901", "2793806415", "7046913258"};
	unsigned sum = 0;

	put_digits(r, put_of(r, out, "23456789", 1), 10);
	for (unsigned i = 0; i < 11; i++)
		sum = digit(&times[sum][digit(&turn[(i + 1) % 8][digit(out + 10 - i)])]);
	for (unsigned d = 0; d < 10; d++)
		if (times[sum][d] == '0')
			put_number(out + 11, d, 1);
}

static void make_in_pan(struct prop_random *r, char *out)
{
	char *p = put_of(r, put_of(r, put_of(r, out, upper_case, 3), "PPPPCHF", 1), upper_case, 1);

	put_of(r, put_digits(r, p, 4), upper_case, 1);
}

static void make_cn_resident(struct prop_random *r, char *out)
{
	unsigned sum = 0, power = 1;

	put_digits(r, put_day(r, put_number(out, between(r, 110101, 659004), 6), "Ymd"), 3);
	/* ISO 7064 MOD 11-2: powers of 2 from the right. */
	for (size_t i = 17; i > 0; i--) {
		power = power * 2 % 11;
		sum += digit(out + i - 1) * power;
	}
	put(out + 17, (char[]){"10X98765432"[sum % 11], '\0'});
}

static void make_kr_resident(struct prop_random *r, char *out)
{
	put_digits(r, put_of(r, put_day(r, out, "ymd"), "1234", 1), 6);
}

static void make_jp_my_number(struct prop_random *r, char *out)
{
	unsigned rest;

	put_digits(r, out, 11);
	rest = weighed(out, "gfedchgfedc") % 11;
	put_number(out + 11, rest < 2 ? 0 : 11 - rest, 1);
}

static void make_za_id(struct prop_random *r, char *out)
{
	put_luhn(out, put_of(r, put_of(r, put_digits(r, put_day(r, out, "ymd"), 4), "01", 1), "89", 1));
}

static void make_au_tfn(struct prop_random *r, char *out)
{
	unsigned rest, last;

	do {
		put_digits(r, out, 8);
		rest = weighed(out, "bedhfigj") % 11;
		for (last = 0; last < 10 && (rest + last * 10) % 11 != 0; last++)
			;
	} while (last == 10);
	put_number(out + 8, last, 1);
}

static void make_tr_kimlik(struct prop_random *r, char *out)
{
	unsigned odd = 0, even = 0;

	put_digits(r, put_of(r, out, "123456789", 1), 8);
	for (size_t i = 0; i < 9; i++)
		*(i % 2 == 0 ? &odd : &even) += digit(out + i);
	put_number(out + 9, (odd * 7 + 100 - even) % 10, 1);
	put_number(out + 10, (odd + even + digit(out + 9)) % 10, 1);
}

static void make_sg_nric(struct prop_random *r, char *out)
{
	unsigned sum;

	put_digits(r, put_of(r, out, "STFG", 1), 7);
	sum = weighed(out + 1, "chgfedc") + (out[0] == 'T' || out[0] == 'G' ? 4 : 0);
	put(out + 8, (char[]){(out[0] == 'S' || out[0] == 'T' ? "JZIHGFEDCBA" : "XWUTRQPNMLK")[sum % 11], '\0'});
}

/* ---- secrets */

static void make_api_key(struct prop_random *r, char *out)
{
	switch (prop_below(r, 6)) {
	case 0:
		put_of(r, put(out, "AKIA"), "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16);
		return;
	case 1:
		put_of(r, put_word(r, out, "ghp_|gho_|ghs_"), base62, 36);
		return;
	case 2:
		put_of(r, put(put_digits(r, put(put_digits(r, put(out, "xoxb-"), 12), "-"), 12), "-"), base62, 24);
		return;
	case 3:
		put_of(r, put_word(r, out, "sk_live_|rk_live_|sk_test_"), base62, 24);
		return;
	case 4:
		put_of(r, put(out, "AIza"), base64url, 35);
		return;
	default:
		put_of(r, put(out, "token: glpat-"), base64url, 20);
	}
}

static void make_private_key(struct prop_random *r, char *out)
{
	char *p = put(put_word(r, put(out, "-----BEGIN "), "RSA |EC ||ENCRYPTED |OPENSSH "), "PRIVATE KEY-----\n");

	put_of(r, p, base62, 64);
}

static void make_jwt(struct prop_random *r, char *out)
{
	/* {"alg":"HS256","typ":"JWT"} and {"alg":"RS256"} */
	char *p = put_word(r, out, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9|eyJhbGciOiJSUzI1NiJ9");

	p = put_of(r, put(p, "."), base64url, between(r, 20, 80));
	put_of(r, put(p, "."), base64url, 43);
}

static void make_login(struct prop_random *r, char *out)
{
	char *p = put_word(r, out, "postgresql://|https://|amqp://|mongodb+srv://");

	p = put_of(r, put(put_word(r, p, "app|admin|svc-shop"), ":"), base62, 12);
	put_word(r, put(p, "@"), "db.example.com/shop|10.0.0.7:5432/x|mq.example.org");
}

static void make_random_text(struct prop_random *r, char *out)
{
	put_of(r, out, prop_below(r, 2) ? base62 : base64url, between(r, 24, 64));
}

static void make_sealed(struct prop_random *r, char *out)
{
	put_of(r, put_word(r, out, "seal:e1:|seal:t1:|json+seal:e1:"), base64url, 60);
}

static void make_vault(struct prop_random *r, char *out)
{
	put(put_of(r, put_word(r, out, "vault:v1:|json+vault:v1:|vault:v12:"), base62, 63), "=");
}

/* ---- inside of texts */

static void put_inside(struct prop_random *r, char *out, maker make, const char *layout)
{
	char made[MADE_MAX], laid[MADE_MAX];
	char *p = put_word(r, out, "Customer called about |Please note: |Re: |see |Kunde nennt ");

	make(r, made);
	lay_out(made, layout, laid);
	put_word(r, put(p, laid), " today.| and wants a refund|, thanks!|; call back| (new)");
}

static void make_card_in_text(struct prop_random *r, char *out)
{
	put_inside(r, out, make_card, prop_below(r, 2) ? "xxxx xxxx xxxx xxxx" : "");
}

static void make_iban_in_text(struct prop_random *r, char *out)
{
	put_inside(r, out, make_iban, prop_below(r, 2) ? "xxxx xxxx xxxx xxxx xxxx xx" : "");
}

static void make_email_in_text(struct prop_random *r, char *out)
{
	put_inside(r, out, make_email, "");
}

static void make_us_ssn_in_text(struct prop_random *r, char *out)
{
	put_inside(r, out, make_us_ssn, "xxx-xx-xxxx");
}

static void make_international(struct prop_random *r, char *out)
{
	put_digits(r, put_word(r, out, "+49 30 |+44 20 |+1 415 555-"), 8);
}

static void make_phone_in_text(struct prop_random *r, char *out)
{
	put_inside(r, out, make_international, "");
}

/* ---- what a name must tell */

static void make_person(struct prop_random *r, char *out)
{
	char *p = put_word(r, out, FIRST_NAMES);

	if (prop_below(r, 2))
		put_word(r, put(p, " "), LAST_NAMES);
}

static void make_birth_date(struct prop_random *r, char *out)
{
	put_day(r, out, (const char *const[]){"Y-m-d", "d.m.Y", "m/d/Y", "Ymd"}[prop_below(r, 4)]);
}

static void make_address(struct prop_random *r, char *out)
{
	put_word(r, put(put_number(out, between(r, 1, 99), 2), " "), "High Street|Main Road|Station Lane");
}

static void make_number(struct prop_random *r, char *out)
{
	put_digits(r, put_word(r, out, "|C|K-"), 8);
}

static void make_code(struct prop_random *r, char *out)
{
	put_digits(r, out, 3);
}

static void make_local_phone(struct prop_random *r, char *out)
{
	put_digits(r, put_of(r, out, "123456789", 1), between(r, 6, 9));
}

static const struct kind {
	const char *detector;
	maker make;
	const char *layouts[3]; /* besides the compact one */
	const char *name; /* of the field; NULL: the values suffice */
	bool no_alikes; /* what looks like one is one */
	bool laid; /* never compact */
} kinds[] = {
	{"sealstream", make_sealed, {0}, NULL, true, false},
	{"vault", make_vault, {0}, NULL, true, false},
	{"jwt", make_jwt, {0}, NULL, false, false},
	{"private_key", make_private_key, {0}, NULL, false, false},
	{"api_key", make_api_key, {0}, NULL, false, false},
	{"login_in_text", make_login, {0}, NULL, true, false},
	{"random_text", make_random_text, {0}, NULL, true, false},
	{"card", make_card, {"xxxx-xxxx-xxxx-xxxx", "xxxx xxxxxx xxxxx"}, NULL, false, false},
	{"card_in_text", make_card_in_text, {0}, NULL, true, false},
	{"iban", make_iban, {"xxxx xxxx xxxx xxxx xxxx xx"}, NULL, false, false},
	{"iban_in_text", make_iban_in_text, {0}, NULL, false, false},
	{"email", make_email, {0}, NULL, true, false},
	{"email_in_text", make_email_in_text, {0}, NULL, true, false},
	{"phone", make_phone, {0}, NULL, true, false},
	{"phone_in_text", make_phone_in_text, {0}, NULL, true, false},
	{"us_ssn", make_us_ssn, {"xxx-xx-xxxx"}, NULL, true, true},
	{"us_ssn_in_text", make_us_ssn_in_text, {0}, NULL, true, false},
	{"gb_nino", make_gb_nino, {"xx xx xx xx x"}, NULL, false, false},
	{"gb_nhs", make_gb_nhs, {"xxx xxx xxxx"}, NULL, false, false},
	{"de_tax_id", make_de_tax_id, {"xx xxx xxx xxx"}, NULL, false, false},
	{"fr_nir", make_fr_nir, {"x xx xx xx xxx xxx xx"}, NULL, false, false},
	{"es_dni", make_es_dni, {"xxxxxxxx-x"}, NULL, false, false},
	{"it_codice_fiscale", make_it_codice_fiscale, {0}, NULL, false, false},
	{"nl_bsn", make_nl_bsn, {"xxxx.xx.xxx"}, NULL, false, false},
	{"be_national", make_be_national, {"xx.xx.xx-xxx.xx"}, NULL, false, false},
	{"se_personnummer", make_se_personnummer, {"xxxxxx-xxxx"}, NULL, false, false},
	{"fi_hetu", make_fi_hetu, {0}, NULL, false, false},
	{"dk_cpr", make_dk_cpr, {"xxxxxx-xxxx"}, NULL, false, true},
	{"no_fodselsnummer", make_no_fodselsnummer, {"xxxxxx xxxxx"}, NULL, false, false},
	{"pl_pesel", make_pl_pesel, {0}, NULL, false, false},
	{"cz_rodne_cislo", make_cz_rodne_cislo, {"xxxxxx/xxxx"}, NULL, false, false},
	{"ro_cnp", make_ro_cnp, {0}, NULL, false, false},
	{"hr_oib", make_hr_oib, {0}, NULL, false, false},
	{"ch_ahv", make_ch_ahv, {"xxx.xxxx.xxxx.xx"}, NULL, false, false},
	{"at_svnr", make_at_svnr, {"xxxx xxxxxx"}, NULL, false, false},
	{"pt_nif", make_pt_nif, {"xxx xxx xxx"}, NULL, false, false},
	{"ie_pps", make_ie_pps, {0}, NULL, false, false},
	{"ca_sin", make_ca_sin, {"xxx xxx xxx", "xxx-xxx-xxx"}, NULL, false, false},
	{"br_cpf", make_br_cpf, {"xxx.xxx.xxx-xx"}, NULL, false, false},
	{"cl_rut", make_cl_rut, {"xxxxxxxx-x", "xx.xxx.xxx-x"}, NULL, false, true},
	{"mx_curp", make_mx_curp, {0}, NULL, false, false},
	{"in_aadhaar", make_in_aadhaar, {"xxxx xxxx xxxx"}, NULL, false, false},
	{"in_pan", make_in_pan, {0}, NULL, true, false},
	{"cn_resident", make_cn_resident, {0}, NULL, false, false},
	{"kr_resident", make_kr_resident, {"xxxxxx-xxxxxxx"}, NULL, false, true},
	{"jp_my_number", make_jp_my_number, {"xxxx xxxx xxxx"}, NULL, false, false},
	{"za_id", make_za_id, {"xxxxxx xxxx xxx"}, NULL, false, false},
	{"au_tfn", make_au_tfn, {"xxx xxx xxx"}, NULL, false, false},
	{"tr_kimlik", make_tr_kimlik, {0}, NULL, false, false},
	{"sg_nric", make_sg_nric, {0}, NULL, false, false},
	{"ipv4", make_ipv4, {0}, NULL, true, false},
	{"ipv6", make_ipv6, {0}, NULL, true, false},
	{"password", make_random_text, {0}, "dbPassword", true, false},
	{"card_code", make_code, {0}, "cvv", true, false},
	{"phone_digits", make_local_phone, {0}, "mobile_number", true, false},
	{"national_id", make_number, {0}, "tax_id", true, false},
	{"id_document", make_number, {0}, "passportNumber", true, false},
	{"account_number", make_number, {0}, "Kundennummer", true, false},
	{"birth_date", make_birth_date, {0}, "dateOfBirth", true, false},
	{"person_name", make_person, {0}, "customerName", true, false},
	{"address", make_address, {0}, "street", true, false},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static void make_kind(const struct kind *kind, struct prop_random *r, char *out)
{
	char compact[MADE_MAX];
	uint32_t n = 0;

	kind->make(r, compact);
	while (n < 3 && kind->layouts[n] != NULL)
		n++;
	n = prop_below(r, n + (kind->laid ? 0 : 1));
	lay_out(compact, n < 3 && kind->layouts[n] != NULL ? kind->layouts[n] : "", out);
}

#endif
