/* detect: each detector's test of values, words of names, judgement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "detect/detect.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static size_t bit_of(const char *name)
{
	for (size_t i = 0; i < detect_count(); i++)
		if (strcmp(detect_at(i)->name, name) == 0)
			return i;
	fail_msg("no detector %s", name);
	return 0;
}

static struct detect *new_detect(void)
{
	struct detect *d;

	assert_int_equal(detect_new(&d, NULL), SEAL_OK);
	return d;
}

enum which { PROVE, NEED_NAME, ALL };

/* The names of bits, for messages and comparisons: "card phone"; of those whose values prove something, or of the others. */
static const char *names_of(uint64_t bits, enum which which)
{
	static char text[2048];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < detect_count(); i++)
		if ((bits >> i & 1) && (which == ALL || detect_at(i)->needs_name == (which == NEED_NAME)))
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", len ? " " : "",
						detect_at(i)->name);
	return text;
}

struct row {
	const char *text, *names; /* names: what fits, in the table's order; "": nothing does */
};

static void check_which(const struct row *rows, size_t n, enum which which)
{
	struct detect *d = new_detect();

	for (size_t i = 0; i < n; i++) {
		const char *got = names_of(detect_text(d, bytes_str(rows[i].text)), which);

		if (strcmp(got, rows[i].names) != 0)
			fail_msg("\"%s\": [%s], not [%s]", rows[i].text, got, rows[i].names);
	}
	detect_free(d);
}

static void check_texts(const struct row *rows, size_t n)
{
	check_which(rows, n, PROVE);
}

static void table_is_sound(void **state)
{
	assert_in_range(detect_count(), 1, DETECT_MAX);
	for (size_t i = 0; i < detect_count(); i++) {
		const struct detector *what = detect_at(i);

		assert_int_equal(bit_of(what->name), i);
		assert_true(strlen(what->title) > 0 && strchr(what->title, '\n') == NULL);
		assert_true(what->suggest == NULL ? what->class == DETECT_TOKEN
						  : strncmp(what->suggest, "type: ", 6) == 0);
	}
}

/* Numbers that the schemes publish for tests. */
static void cards(void **state)
{
	static const struct row rows[] = {
		{"4111111111111111", "card"},
		{"4111-1111-1111-1111", "card"},
		{" 4111 1111 1111 1111\n", "card"},
		{"378282246310005", "card"},
		{"3782 822463 10005", "card"},
		{"5555555555554444", "card"},
		{"2223003122003222", "card"},
		{"6011111111111117", "card"},
		{"30569309025904", "card"},
		{"3530111333300000", "card"},
		{"4222222222222", ""}, /* 13 digits of Visa: no more */
		{"501800000009", "card"},
		{"213100000000001", "card"},
		{"4111111111111112", ""}, /* Luhn */
		{"9111111111111113", ""}, /* no issuer */
		{"41111111111111", ""}, /* 14 digits of Visa */
		{"4111-1111 1111-1111", ""}, /* two separators */
		{"41-11-11-11-11-11-11-11", ""},
		{"Paid with 4111 1111 1111 1111, thanks", "card_in_text"},
		{"card=4111111111111111;", "card_in_text"},
		{"ref x4111111111111111", ""}, /* part of a word */
		{"order 4111111111111112 shipped", ""},
		/* Other numbers stand beside it. */
		{"2026-11-22 4111111111111111", "card_in_text"},
		{"2026-11-22 4111-1111-1111-1111", "card_in_text"},
		{"Paid with 4111 1111 1111 1111 12/29 123", "card_in_text"},
		{"room 12 4111 1111 1111 1111", "card_in_text"},
		{"amex 3782 822463 10005 1234", "card_in_text"},
		{"card 4111111111111111 123", "card_in_text"},
		{"codes 4111 1111 1111 1111 2222", ""}, /* a list */
		{"codes 2222 4111 1111 1111 1111", ""},
		{"sizes 12 4111 1111 1111 1112", ""},
	};

	check_texts(rows, COUNT(rows));
}

/* Examples of the registry of ISO 13616. */
static void ibans(void **state)
{
	static const struct row rows[] = {
		{"DE89370400440532013000", "iban"},
		{"DE89 3704 0044 0532 0130 00", "iban"},
		{"de89370400440532013000", "iban"},
		{"GB29NWBK60161331926819", "iban"},
		{"NO9386011117947", "iban"},
		{"MT84MALT011000012345MTLCAST001S", "iban"},
		{"FR1420041010050500013M02606", "iban"},
		{"DE89370400440532013001", ""}, /* check digits */
		{"DE8937040044053201300", ""}, /* length */
		{"ZZ89370400440532013000", ""}, /* country */
		{"DE89 370400440532013000", "iban"},
		{"DE8 9370400440532013000", ""},
		{"Please pay to DE89 3704 0044 0532 0130 00 today", "iban_in_text"},
		{"IBAN:DE89370400440532013000", "iban_in_text"},
		{"IBAN:DE89370400440532013001.", ""},
		{"Please pay to XDE89370400440532013000", ""},
	};

	check_texts(rows, COUNT(rows));
}

static void emails(void **state)
{
	static const struct row rows[] = {
		{"ann@example.com", "email"},
		{"Ann.B+tag@sub.example.co.uk", "email"},
		{"m\xc3\xbcller@b\xc3\xbc"
		 "cher.example",
		 "email"},
		{"a@b.de", "email"},
		{"ann@localhost", ""},
		{"ann@example.c0m", ""},
		{"ann@-example.com", ""},
		{".ann@example.com", ""},
		{"an..n@example.com", ""},
		{"@example.com", ""},
		{"ann@", ""},
		{"logo@2x.png", ""},
		{"left-pad@1.3.0", ""},
		{"git@git.example.com:team/project", ""},
		{"ssh://git@git.example.com/team/project", ""},
		{"Ann <ann@example.com>", "email_in_text"},
		{"mailto:ann@example.com", "email_in_text"},
		{"write to ann@example.com.", "email_in_text"},
		{"ann@example.com, bob@example.com", "email_in_text"},
		{"meet @noon at the corner. ok", ""},
	};

	check_texts(rows, COUNT(rows));
}

static void machines(void **state)
{
	static const struct row rows[] = {
		{"192.0.2.17", "ipv4"},
		{"203.0.113.9:8080", "ipv4"},
		{"198.51.100.0/24", "ipv4"},
		{"192.0.2.256", ""},
		{"192.0.2", ""},
		{"192.0.2.1.1", ""},
		{"192.0.02.1", ""},
		{"127.0.0.1", ""},
		{"0.0.0.0", ""},
		{"192.0.2.17/33", ""},
		{"2001:db8::1", "ipv6"},
		{"2001:db8:0:0:0:0:0:1", "ipv6"},
		{"2001:0db8:85a3:0000:0000:8a2e:0370:7334", "ipv6"},
		{"fe80::1%eth0", "ipv6"},
		{"2001:db8::/32", "ipv6"},
		{"::ffff:192.0.2.1", "ipv6"},
		{"::1", ""},
		{"::", ""},
		{"12:30:45", ""},
		{"2001:db8::1::2", ""},
		{"2001:db8:0:0:0:0:1", ""},
		{"2001:db8:::1", ""},
		{"2001:db8::g", ""},
		{"2001:db8::1:", ""},
	};

	check_texts(rows, COUNT(rows));
}

static void phones(void **state)
{
	static const struct row rows[] = {
		{"+49 30 1234567", "phone"},
		{"+14155552671", "phone"},
		{"+44 (0)20 7946 0958", "phone"},
		{"0049 30 1234567", "phone"},
		{"(415) 555-2671", "phone"},
		{"415-555-2672", "phone"},
		{"020 7946 0958", "phone"},
		{"1-415-555-2671", "phone"},
		{"+1-437-586-5797x543", "phone"},
		{"(415) 555-2671 ext. 12", "phone"},
		{"08-26 01 81", "phone"},
		{"(415) 555-2671 at 12", ""},
		{"x4155552671", ""},
		{"0-387-95452-1", ""}, /* a book */
		{"415-555-2671x1234567", ""},
		{"(030) 123 45 67", "phone"},
		{"01 23 45 67 89", "phone"},
		{"+999 1234567", "phone"},
		{"+210 123", ""},
		{"+0 30 1234567", ""},
		{"115-555-2671", ""},
		{"415-155-2671", ""},
		{"01-02-2020", ""},
		{"4155552672", ""},
		{"030(123)4567)", ""},
	};

	check_texts(rows, COUNT(rows));
}

static void ssns(void **state)
{
	static const struct row rows[] = {
		{"536-90-4399", "us_ssn"}, {"536 90 4399", "us_ssn"}, {"000-90-4399", ""}, {"666-90-4399", ""},
		{"936-90-4399", ""},	   {"536-00-4399", ""},	      {"536-90-0000", ""}, {"536904398", ""},
	};

	check_texts(rows, COUNT(rows));
}

/* Made up, or published as examples; the check digits of all were calculated by others (python-stdnum). */
static void ids_of_europe(void **state)
{
	static const struct row rows[] = {
		{"AB 12 34 56 C", "gb_nino"},
		{"AB123456C", "gb_nino"},
		{"QB123456C", ""}, /* no such first letter */
		{"GB123456C", ""}, /* no such prefix */
		{"AB123456E", ""},
		{"943 476 5870", "phone gb_nhs"},
		/* North America writes so, too */ {"9434765870", "gb_nhs"},
		{"9434765871", ""},
		{"36 574 261 809", "de_tax_id"},
		{"36574261890", ""},
		{"12345678903", "hr_oib"}, /* no digit stands twice */
		{"2 95 10 99 126 111 93", "fr_nir"},
		{"295109912611193", "fr_nir"},
		{"295109912611199", ""},
		{"253072B07300470", "fr_nir"},
		{"253072A07300443", "fr_nir"},
		{"253072C07300443", ""},
		{"54362315-K", "es_dni"},
		{"54362315K", "es_dni"},
		{"54362315Z", ""},
		{"x-2482300w", "es_dni"},
		{"x-2482300a", ""},
		{"RCCMNL83S18D969H", "it_codice_fiscale"},
		{"rccmnl83s18d969h", "it_codice_fiscale"},
		{"RCCMNL83S18D969A", ""},
		{"1112.22.333", "nl_bsn"},
		{"111252333", ""},
		{"85 07 30 033 28", "be_national"},
		{"85.07.30-033.28", "be_national"},
		{"17073003384", "be_national"},
		{"85073003329", ""},
		{"880320-0016", "se_personnummer"},
		{"19880320-0016", "se_personnummer"},
		{"880320-0018", ""},
		{"131052-308T", "fi_hetu"},
		{"131052-308U", ""},
		{"310252-308Y", ""},
		{"211062-5629", "dk_cpr"},
		{"2110625629", ""},
		{"151086 95088", "no_fodselsnummer"},
		{"15108695077", ""},
		{"44051401359", "pl_pesel"},
		{"44051401358", ""},
		{"710319/2745", "cz_rodne_cislo"},
		{"7103192745", "cz_rodne_cislo"},
		{"7103192746", ""},
		{"1630615123457", "ro_cnp"},
		{"1632215123457", ""},
		{"33392005961", "hr_oib"},
		{"33392005962", ""},
		{"756.9217.0769.85", "ch_ahv"},
		{"7569217076985", "ch_ahv"},
		{"756.9217.0769.84", ""},
		{"1237 010180", "at_svnr"},
		{"2237 010180", ""},

		{"6433435F", "ie_pps"},
		{"6433435FW", "ie_pps"},
		{"6433435OA", "ie_pps"},
		{"6433435E", ""},
	};

	check_texts(rows, COUNT(rows));
}

static void ids_of_the_world(void **state)
{
	static const struct row rows[] = {
		/* No SIN starts with 0. */
		{"046 454 286", "phone"},
		{"130692544", "ca_sin"},
		{"823456785", ""},
		{"390.533.447-05", "br_cpf"},
		{"39053344705", "br_cpf"},
		{"231.002.999-00", ""},
		{"111.111.111-11", ""},
		{"76086428-5", "cl_rut"},
		{"12.531.909-2", "cl_rut"},
		{"12531909-3", ""},
		{"BOXW310820HNERXN09", "mx_curp"},
		{"BOXW310820HNERXN08", ""},
		{"2341 2341 2346", "in_aadhaar"},
		{"234123412347", "jp_my_number"},
		{"123412341234", ""},
		{"ACUPA7085R", "in_pan"},
		{"ABMXA3211G", ""},
		{"360426199101010071", "cn_resident"},
		{"360426199101010072", ""},
		{"360426199113010071", ""},
		{"971013-1019902", "kr_resident"},
		{"971313-1019902", ""},
		{"6214 9832 0257", "jp_my_number"},
		{"6214 9832 0258", ""},
		{"7503305044089", "za_id"},
		{"8503305044089", ""},
		{"999 999 999", ""},
		{"17291716060", "tr_kimlik"},
		{"17291716050", ""},
		{"S0000001I", "sg_nric"},
		{"S0000001J", ""},
		{"A0000001I", ""},
	};

	check_texts(rows, COUNT(rows));
}

/* Nothing here opens anything. Keys are put together from two parts, so that no one's search for keys finds them in this file. */
static void secrets(void **state)
{
	static const struct row rows[] = {
		{"AKIA"
		 "ABCDEFGHIJKLMNOP",
		 "api_key"},
		{"AKIA"
		 "ABCDEFGHIJKLMNO",
		 ""}, /* one too few */
		{"AKIA"
		 "ABCDEFGHIJKLMNOPQ",
		 ""}, /* one too many */
		{"XAKIA"
		 "ABCDEFGHIJKLMNOP",
		 ""},
		{"key is AKIA"
		 "ABCDEFGHIJKLMNOP, keep it",
		 "api_key"},
		{"https://hooks.slack.com/services/"
		 "T0000/B0000/abcdefghijkl",
		 "api_key"},
		{"hvs."
		 "AAAAAAAAAAAAAAAAAAAAAAAA",
		 "api_key"},
		{"hvs.AAAA and so on and on and on", ""},
		{"sk-learn is a library that many use", ""},
		{"-----BEGIN PRIVATE KEY-----\nAAAA", "private_key"},
		{"{\"k\":\"-----BEGIN RSA PRIVATE KEY-----\"}", "private_key"},
		{"-----BEGIN CERTIFICATE-----\nAAAA", ""},
		{"-----BEGIN PUBLIC KEY-----\nAAAA", ""},
		{"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "jwt"},
		{"Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "jwt"},
		{"token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "jwt login_in_text"},
		{"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0", "random_text"}, /* two parts */
		{"eyJhbGciOiJIUzI1NiJ9.e30=.c2ln", "random_text"}, /* no padding: '=' ends it */
		{"eyJzdWIiOiJhYmNkIn0.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "random_text"}, /* no algorithm */
		{"postgresql://app:hunter2@db.example.com/shop", "login_in_text"},
		{"postgresql://app@db.example.com/shop", ""},
		{"postgresql://app:***@db.example.com/shop", ""},
		{"https://example.com:8443/a@b", ""},
		{"Server=db;User=app;Password=hunter22;", "login_in_text"},
		{"Password=****", ""},
		{"Password: as told by telephone", ""},
		{"9fKq2LmZ8xTbW4vRjY7pNc3H", "random_text"},
		{"getCustomerOrderById2AndStatus", ""},
		{"9f8b1c2d12344abc9def0123456789ab", ""}, /* hexadecimal: a digest */
		{"call +49 30 1234567 or leave a note", "phone_in_text"},
		{"1+14155552671 makes no sense", ""},
		{"SSN 536-90-4399 on file", "us_ssn_in_text"},
		{"part 1-536-90-4399 on file", ""},
	};

	check_texts(rows, COUNT(rows));
}

/* By themselves these say nothing; a field's name makes them something. */
static void values_that_need_a_name(void **state)
{
	static const struct row rows[] = {
		{"Ann", "person_name"},
		{"Doe, John", "person_name"},
		{"O'Brien-Smith Jr.", "person_name"},
		{"\xe5\xb1\xb1\xe7\x94\xb0", "person_name"},
		{"Ludwig van der Berg", "person_name"},
		{"Jeanne d'Arc", "person_name"},
		{"Desk lamp", ""},
		{"de la", ""},
		{"ann", ""},
		{"A7", ""},
		{"737", "card_code account_number"},
		{"1980-03-12", "national_id id_document account_number birth_date"},
		{"1980-03-12T00:00:00Z", "birth_date"},
		{"12.03.1980", "national_id id_document account_number birth_date"},
		{"03/31/1980", "national_id id_document account_number birth_date"},
		{"31/31/1980", "national_id id_document account_number"},
		{"12 March 1980", "national_id id_document account_number birth_date"},
		{"March 1, 80", "birth_date"},
		{"12 Marble 80", "national_id id_document account_number birth_date"},
		{"12 Foo 1980", "national_id id_document account_number"},
		{"1980", "card_code id_document account_number birth_date"},
		{"1066", "card_code id_document account_number"},
		{"555 2671", "phone_digits national_id id_document account_number"},
		{"C01X00T47", "national_id id_document account_number"},
		{"", ""},
		{" \t ", ""},
	};

	check_which(rows, COUNT(rows), NEED_NAME);
}

static void protected_values(void **state)
{
	static const struct row rows[] = {
		{"seal:e1:AAAA", "sealstream"}, {"json+seal:t1:AAAA", "sealstream"},
		{"vault:v1:AAAA", "vault"},	{"json+vault:v12:AAAA", "vault"},
		{"vault:vx:AAAA", ""},		{"seal: x", ""},
		{"a seal:e1:AAAA", ""},
	};

	check_texts(rows, COUNT(rows));
}

static void numbers(void **state)
{
	struct detect *d = new_detect();

	assert_string_equal(names_of(detect_number(d, BYTES_LIT("4111111111111111")), PROVE), "card");
	assert_string_equal(names_of(detect_number(d, BYTES_LIT("4111111111111112")), PROVE), "");
	assert_string_equal(names_of(detect_number(d, BYTES_LIT("-4111111111111111")), PROVE), "");
	assert_string_equal(names_of(detect_number(d, BYTES_LIT("4111111111111111.0")), PROVE), "");
	assert_string_equal(names_of(detect_number(d, BYTES_LIT("4e15")), PROVE), "");
	assert_string_equal(names_of(detect_number(d, BYTES_LIT("-52.520008")), ALL), "");
	detect_free(d);
}

/* What stands behind the first 4 KiB of a text is not looked at; up to there all is. */
static void long_texts(void **state)
{
	static const char mail[] = " ann@example.com ";
	struct detect *d = new_detect();
	char text[8192];

	for (size_t at = 4096 - 64; at <= 4096; at += 64) {
		memset(text, 'x', sizeof(text));
		memcpy(text + at, mail, strlen(mail));
		assert_string_equal(names_of(detect_text(d, bytes_of(text, sizeof(text))), PROVE),
				    at < 4096 ? "email_in_text" : "");
	}
	detect_free(d);
}

static void names(void **state)
{
	static const struct row rows[] = {
		{"email", "email"},
		{"Customer-EMail", "email"},
		{"customer_e-mail", "email"},
		{"contactEmailAddress", "email"},
		{"emails", "email"},
		{"customeremail", "email"},
		{"email_sent", ""},
		{"emailVerified", ""},
		{"isEmailValid", ""},
		{"creditCardNumber", "card"},
		{"credit_card", "card"},
		{"Kreditkartennummer", "card"},
		{"discard", ""},
		{"IBAN", "iban"},
		{"customer_iban", "iban"},
		{"Numéro de carte", "card"},
		{"NUMÉRO_CARTE", "card"},
		{"clientIP", "ipv4"},
		{"ip_address", "ipv4"},
		{"zipper", ""},
		{"ssn", "us_ssn national_id"},
		{"class", ""},
		{"Stra\xc3\x9f"
		 "e",
		 "address"},
		{"billingAddress", "address"},
		{"emailAddress", "email"},
		{"mac_addr", ""},
		{"secretName", ""},
		{"db_password", "password"},
		{"fileName", ""},
		{"Name", "person_name"},
		{"product_name", ""},
		{"dateOfBirth", "birth_date"},
		{"DOB", "birth_date"},
		{"kundennummer", "account_number"},
		{"g\xc3\xa9n\xc3\xa9rique", ""},
		{"microphone", "phone phone_digits"}, /* what the values are is asked, too */
		{"", ""},
		{"\xff\xfe", ""},
	};
	struct detect *d = new_detect();

	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *got = names_of(detect_name(d, bytes_str(rows[i].text)), ALL);

		if (strcmp(got, rows[i].names) != 0)
			fail_msg("\"%s\": [%s], not [%s]", rows[i].text, got, rows[i].names);
	}
	detect_free(d);
}

/* The best finding of counts with one detector's hits; its confidence, 0: none. */
static double judge(const char *name, uint64_t values, uint64_t hits, bool named, bool *by_name)
{
	struct detect_counts counts = {.values = values};
	struct detect_finding found[DETECT_MAX];
	const size_t bit = bit_of(name);

	counts.hits[bit] = hits;
	counts.named = named ? UINT64_C(1) << bit : 0;
	if (detect_judge(&counts, found) == 0)
		return 0;
	assert_ptr_equal(found[0].what, detect_at(bit));
	assert_int_equal(found[0].hits, hits);
	assert_true(found[0].confidence <= 1);
	*by_name = found[0].by_name;
	return found[0].confidence;
}

static void judges(void **state)
{
	bool by_name = true;

	/* One in ten numbers passes Luhn. */
	assert_true(judge("card", 1000, 1000, false, &by_name) > 0.8);
	assert_false(by_name);
	assert_true(judge("card", 1000, 900, false, &by_name) > 0.8);
	assert_true(judge("card", 1000, 100, false, &by_name) == 0);
	assert_true(judge("card", 1000, 110, false, &by_name) < 0.2);
	assert_true(judge("card", 1, 1, false, &by_name) > DETECT_CONFIDENT);
	assert_true(judge("card", 10, 1, false, &by_name) < DETECT_CONFIDENT);
	/* One e-mail address among a thousand texts is one. */
	assert_true(judge("email", 1000, 1, false, &by_name) > DETECT_CONFIDENT);
	/* Names add, alone they may do; less when the values say no. */
	assert_true(judge("card", 1000, 1000, true, &by_name) > judge("card", 1000, 1000, false, &by_name));
	assert_true(judge("card", 1000, 0, true, &by_name) < DETECT_CONFIDENT);
	assert_true(by_name);
	assert_true(judge("card", 0, 0, true, &by_name) > DETECT_CONFIDENT);
	assert_true(judge("card", 0, 0, false, &by_name) == 0);
}

/* Where few values look like it at all, their share counts, unless so few hits may be an accident. */
static void some_of_many(void **state)
{
	struct detect_counts counts = {.values = 1000};
	struct detect_finding found[DETECT_MAX];
	const size_t bit = bit_of("card");

	counts.hits[bit] = counts.alike[bit] = 20;
	assert_int_equal(detect_judge(&counts, found), 1);
	assert_ptr_equal(found[0].what, detect_at(bit));
	assert_true(found[0].confidence > 0.8);
	counts.alike[bit] = 200;
	assert_int_equal(detect_judge(&counts, found), 0);
	counts.alike[bit] = counts.hits[bit] = 3;
	assert_int_equal(detect_judge(&counts, found), 0);
}

/* Names inside texts: as those of fields, of the texts that have them. */
static void names_inside(void **state)
{
	struct detect *d = new_detect();
	struct detect_counts counts = {.values = 1000};
	struct detect_finding found[DETECT_MAX];
	const size_t bit = bit_of("birth_date");
	uint64_t fit, named;

	for (int round = 0; round < 2; round++) { /* the second time it is known */
		named = detect_name(d, BYTES_LIT("dateOfBirth"));
		assert_int_equal(named, UINT64_C(1) << bit);
		assert_int_equal(detect_name(d, BYTES_LIT("dateOfBirt")), 0);
	}
	assert_int_equal(detect_inside(d, named, detect_text(d, BYTES_LIT("1980-01-02")), &fit), named);
	assert_int_equal(fit, named);
	assert_int_equal(detect_inside(d, named, detect_text(d, BYTES_LIT("soon")), &fit), named);
	assert_int_equal(fit, 0);
	/* One without a test; one that would be removed, and one that needs no name. */
	named = detect_name(d, BYTES_LIT("password"));
	assert_int_equal(detect_inside(d, named, 0, &fit), named);
	assert_int_equal(fit, named);
	assert_int_equal(detect_inside(d, detect_name(d, BYTES_LIT("cvv")), 0, &fit), 0);
	assert_int_equal(detect_inside(d, UINT64_C(1) << bit_of("email"), 0, &fit), 0);

	counts.inside[bit] = counts.inside_fit[bit] = 1;
	assert_int_equal(detect_judge(&counts, found), 1);
	assert_true(found[0].what == detect_at(bit) && found[0].confidence > DETECT_CONFIDENT);
	counts.inside[bit] = 10;
	assert_int_equal(detect_judge(&counts, found), 1);
	assert_true(found[0].confidence < DETECT_CONFIDENT);
	detect_free(d);
}

/* More names than are kept, again and again. */
static void names_come_again(void **state)
{
	struct detect *d = new_detect();
	char name[16];

	for (int round = 0; round < 3; round++)
		for (unsigned i = 0; i < 2000; i++) {
			const int len = snprintf(name, sizeof(name), i % 2 ? "email%u" : "field%u", i);

			assert_int_equal(detect_name(d, bytes_of(name, (size_t)len)),
					 i % 2 ? UINT64_C(1) << bit_of("email") : 0);
		}
	detect_free(d);
}

/* Who could take a value for its own by accident. */
static void look_alikes(void **state)
{
	struct detect *d = new_detect();

	assert_string_equal(names_of(detect_text(d, BYTES_LIT("4111 1111 1111 1112")), PROVE), "");
	assert_string_equal(names_of(detect_alike(d), ALL), "card phone");
	assert_string_equal(names_of(detect_number(d, BYTES_LIT("4111111111111112")), PROVE), "");
	assert_string_equal(names_of(detect_alike(d), ALL), "card");
	(void)detect_number(d, BYTES_LIT("4111111111111111.5"));
	assert_int_equal(detect_alike(d), 0);
	(void)detect_text(d, BYTES_LIT("A text that is long enough, with a word or two"));
	assert_int_equal(detect_alike(d), 0);
	detect_free(d);
}

/* What the name alone says: nothing of protected values, and nothing new where values prove the same. */
static void names_give_way(void **state)
{
	struct detect_counts counts = {.values = 100};
	struct detect_finding found[DETECT_MAX];

	counts.named = UINT64_C(1) << bit_of("password");
	assert_int_equal(detect_judge(&counts, found), 1);
	assert_true(found[0].confidence > DETECT_CONFIDENT && found[0].by_name);
	counts.hits[bit_of("vault")] = 100;
	assert_int_equal(detect_judge(&counts, found), 1);
	assert_string_equal(found[0].what->name, "vault");
	counts.hits[bit_of("vault")] = 50;
	assert_int_equal(detect_judge(&counts, found), 2);
	assert_true(found[1].confidence < DETECT_CONFIDENT);

	counts = (struct detect_counts){.values = 100};
	counts.named = UINT64_C(1) << bit_of("phone") | UINT64_C(1) << bit_of("phone_digits");
	counts.hits[bit_of("phone")] = counts.hits[bit_of("phone_digits")] = 100;
	assert_int_equal(detect_judge(&counts, found), 1);
	assert_string_equal(found[0].what->name, "phone");
	counts.hits[bit_of("phone")] = 0;
	detect_judge(&counts, found);
	assert_string_equal(found[0].what->name, "phone_digits");
	/* "Desk lamp" and "Ann": not nearly all look like names. */
	counts = (struct detect_counts){.values = 100, .named = UINT64_C(1) << bit_of("person_name")};
	counts.hits[bit_of("person_name")] = 60;
	assert_int_equal(detect_judge(&counts, found), 1);
	assert_true(found[0].confidence < DETECT_CONFIDENT);
	counts.hits[bit_of("person_name")] = 90;
	assert_int_equal(detect_judge(&counts, found), 1);
	assert_true(found[0].confidence > DETECT_CONFIDENT);
}

static void best_comes_first(void **state)
{
	struct detect_counts counts = {.values = 100};
	struct detect_finding found[DETECT_MAX];

	counts.hits[bit_of("phone")] = 60;
	counts.hits[bit_of("sealstream")] = 40;
	counts.hits[bit_of("vault")] = 40;
	assert_int_equal(detect_judge(&counts, found), 3);
	assert_string_equal(found[0].what->name, "sealstream"); /* equals: in the table's order */
	assert_string_equal(found[1].what->name, "vault");
	assert_string_equal(found[2].what->name, "phone");
	for (size_t i = 0; i < 3; i++)
		assert_false(found[i].by_name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_sound),
		cmocka_unit_test(cards),
		cmocka_unit_test(ibans),
		cmocka_unit_test(emails),
		cmocka_unit_test(machines),
		cmocka_unit_test(phones),
		cmocka_unit_test(ssns),
		cmocka_unit_test(ids_of_europe),
		cmocka_unit_test(ids_of_the_world),
		cmocka_unit_test(secrets),
		cmocka_unit_test(values_that_need_a_name),
		cmocka_unit_test(protected_values),
		cmocka_unit_test(numbers),
		cmocka_unit_test(long_texts),
		cmocka_unit_test(names),
		cmocka_unit_test(judges),
		cmocka_unit_test(some_of_many),
		cmocka_unit_test(look_alikes),
		cmocka_unit_test(names_inside),
		cmocka_unit_test(names_come_again),
		cmocka_unit_test(names_give_way),
		cmocka_unit_test(best_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
