/*
 * The detectors. Their order is that of the bits, and of equals in findings; names are stable, so rows are added, not renamed.
 *
 * What is suggested takes every value that the test takes, and others that stand in such a field ("unknown", ""): so `fpe` only where
 * all forms have digits enough for its domain, and `encrypt` elsewhere.
 */
#include "detect/table.h"

#include "detect/tests.h"

#define ENCRYPT "type: encrypt"
#define DIGITS_KEEP_4 "type: fpe, alphabet: digits, keep: {last: 4}"

#define SEPARATED (HAS_DIGIT | HAS_SPACE | HAS_DASH)
#define PHONE (HAS_DIGIT | HAS_SPACE | HAS_DASH | HAS_DOT | HAS_SLASH | HAS_PAREN | HAS_PLUS)

const struct detect_rule detect_rules[] = {
	{
		.what = {"sealstream", "value protected by sealstream", DETECT_TOKEN, NULL, false},
		.gate = {.len_min = 7, .len_max = VALUE_MAX, .must = HAS_COLON},
		.pattern = "(?s)(json\\+)?seal:[0-9a-z]++:.*",
		.strength = 1.0,
		.chance = 1e-6,
	},
	{
		.what = {"vault", "value encrypted by Vault's Transit", DETECT_TOKEN, NULL, false},
		.gate = {.len_min = 9, .len_max = VALUE_MAX, .must = HAS_COLON | HAS_DIGIT},
		.pattern = "(?s)(json\\+)?vault:v[0-9]++:.*",
		.strength = 1.0,
		.chance = 1e-6,
	},
	{
		.what = {"card", "payment card number (issuer, length, Luhn)", DETECT_PERSONAL, DIGITS_KEEP_4, true},
		.gate = {.len_min = 13, .len_max = 23, .digits_min = 13, .digits_max = 19, .may = SEPARATED},
		.test = is_card,
		.words = "card number|credit card|creditcard no|debit card|payment card|bank card|card no|card "
			 "num|cardnumber|pan|"
			 "primary account number|cc number|ccnum|cc "
			 "no|kreditkarte|kreditkartennummer|kartennummer|carte bancaire|"
			 "numero carte|numero de carte|tarjeta|numero tarjeta|numero de tarjeta|cartao|numero "
			 "cartao|creditcardnumber|"
			 "carta di credito|kaartnummer|kortnummer|numer karty",
		.strength = 0.95,
		.chance = 0.1,
		.named = 0.7,
	},
	{
		.what = {"card_in_text", "payment card number inside a longer text", DETECT_PERSONAL, ENCRYPT, false},
		.rank = RANK_INSIDE,
		.gate = {.len_min = 14, .len_max = VALUE_MAX, .digits_min = 13, .digits_max = 255},
		.test = has_card,
		.strength = 0.8,
		.chance = 1e-4,
	},
	{
		.what = {"iban", "IBAN (country, length, check digits)", DETECT_PERSONAL, ENCRYPT, false},
		.gate = {.len_min = 15, .len_max = 42, .may = HAS_DIGIT | HAS_LETTER | HAS_SPACE, .must = HAS_DIGIT},
		.test = is_iban,
		.words = "*iban*|bank account|bank account number|bankkonto|kontonummer|bankverbindung|account "
			 "iban|rekeningnummer|"
			 "numero de compte|cuenta bancaria|conto corrente|numer konta|account number|account no|acct "
			 "no|acct number",
		.strength = 1.0,
		.chance = 1e-4,
		.named = 0.6,
	},
	{
		.what = {"iban_in_text", "IBAN inside a longer text", DETECT_PERSONAL, ENCRYPT, false},
		.rank = RANK_INSIDE,
		.gate = {.len_min = 16, .len_max = VALUE_MAX, .must = HAS_DIGIT},
		.test = has_iban,
		.strength = 0.9,
		.chance = 1e-5,
	},
	{
		.what = {"email", "e-mail address", DETECT_PERSONAL, ENCRYPT, false},
		.gate = {.len_min = 6, .len_max = 320, .must = HAS_AT | HAS_DOT},
		.test = is_email,
		.words = "*email*|mail|mail address|e mail address|correo|correo electronico|courriel|posta "
			 "elettronica|mailadresse|"
			 "*mailadres*|adresse mail|epost|e post",
		.strength = 1.0,
		.chance = 1e-4,
		.named = 0.7,
	},
	{
		.what = {"email_in_text", "e-mail address inside a longer text", DETECT_PERSONAL, ENCRYPT, false},
		.rank = RANK_INSIDE,
		.gate = {.len_min = 7, .len_max = VALUE_MAX, .must = HAS_AT | HAS_DOT},
		.test = has_email,
		.strength = 0.9,
		.chance = 1e-4,
	},
	{
		.what = {"phone", "telephone number", DETECT_PERSONAL, ENCRYPT, false},
		.gate = {.len_min = 8, .len_max = 30, .digits_min = 8, .digits_max = 17, .may = PHONE},
		.test = is_phone,
		.words = "*phone*|tel|mobile|mobile number|mobile no|cell|cell number|msisdn|fax|fax "
			 "number|*telefon*|handy|handynummer|"
			 "mobil|mobilnummer|rufnummer|portable|movil|celular|cellulare|gsm|komorka|telnr|tel nr|tel "
			 "no|puhelin|"
			 "whatsapp",
		.strength = 0.9,
		.chance = 0.01,
		.named = 0.7,
	},
	{
		.what = {"us_ssn", "US social security number", DETECT_PERSONAL, ENCRYPT, false},
		.gate = {.len_min = 11,
			 .len_max = 11,
			 .digits_min = 9,
			 .digits_max = 9,
			 .may = SEPARATED,
			 .must = HAS_DIGIT},
		.test = is_us_ssn,
		.words = "ssn|social security|social security number|social security no|social sec no|us ssn|ss "
			 "number",
		.strength = 0.9,
		.chance = 0.05,
		.named = 0.7,
	},
	{
		.what = {"ipv4", "IPv4 address", DETECT_PERSONAL, ENCRYPT, false},
		.gate = {.len_min = 7,
			 .len_max = 21,
			 .digits_min = 4,
			 .digits_max = 17,
			 .may = HAS_DIGIT | HAS_DOT | HAS_SLASH | HAS_COLON,
			 .must = HAS_DIGIT | HAS_DOT},
		.test = is_ipv4,
		.words = "ip|ip address|ip addr|client ip|remote addr|remote address|ip adresse|adresse ip|direccion "
			 "ip|ipv4|ipv6",
		.strength = 0.9,
		.chance = 0.05,
		.named = 0.6,
	},
	{
		.what = {"ipv6", "IPv6 address", DETECT_PERSONAL, ENCRYPT, false},
		.gate = {.len_min = 4, .len_max = 64, .must = HAS_COLON},
		.test = is_ipv6,
		.strength = 0.95,
		.chance = 1e-3,
	},
};
const size_t detect_n_rules = sizeof(detect_rules) / sizeof(detect_rules[0]);

const char detect_last_words[] =
	"type|kind|status|state of|count|verified|verification|enabled|disabled|sent|at|flag|valid|validated|"
	"changed|updated|expires|expiry|expiration|format|template|policy|length|size|opt in|opt out|optin|"
	"consent|preference|provider|confirmed|bounced|attempts|attempt|required|index|rank|score|version|"
	"label|hint|placeholder|regex|pattern|hash";
const char detect_first_words[] = "is|has|num|count|number of|needs|requires|allow|show|hide|last changed";
const char detect_other_things[] = "file name|host name|class name|table name|domain name|product name|brand "
				   "name|company name|event name|web address|"
				   "topic name|column name|field name|path name|display mode|code name|tag "
				   "name|group name|service name|server name|"
				   "method name|function name|index name|process name|thread name|app "
				   "name|application name|package name|device name";
