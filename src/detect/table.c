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

#define SEPARATED (HAS_DIGIT | HAS_SPACE | HAS_DASH | HAS_DOT)
#define ALNUM (HAS_DIGIT | HAS_LETTER)
#define ENCODED (ALNUM | HAS_DASH | HAS_DOT | HAS_UNDER | HAS_SLASH | HAS_PLUS)
#define PHONE (HAS_DIGIT | HAS_SPACE | HAS_DASH | HAS_DOT | HAS_SLASH | HAS_PAREN | HAS_PLUS)

const struct detect_rule detect_rules[] = {
	{
		.what = {"sealstream", "value protected by sealstream", DETECT_TOKEN, NULL, false, false},
		.gate = {.len_min = 7, .len_max = VALUE_MAX, .must = HAS_COLON, .first = "js"},
		.pattern = "(?s)(json\\+)?seal:[0-9a-z]++:.*",
		.strength = 1.0,
		.chance = 1e-6,
	},
	{
		.what = {"vault", "value encrypted by Vault's Transit", DETECT_TOKEN, NULL, false, false},
		.gate = {.len_min = 9, .len_max = VALUE_MAX, .must = HAS_COLON | HAS_DIGIT, .first = "jv"},
		.pattern = "(?s)(json\\+)?vault:v[0-9]++:.*",
		.strength = 1.0,
		.chance = 1e-6,
	},
	{
		.what = {"jwt", "JSON Web Token", DETECT_TOKEN, ENCRYPT, false, false},
		.gate = {.len_min = 20, .len_max = VALUE_MAX, .must = HAS_DOT | HAS_LOWER | HAS_UPPER},
		.test = has_jwt,
		.words = "jwt|id token|access jwt",
		.strength = 1.0,
		.chance = 1e-6,
		.named = 0.6,
	},
	{
		.what = {"private_key", "private key (PEM, PuTTY)", DETECT_SECRET, ENCRYPT, false, false},
		.gate = {.len_min = 20, .len_max = VALUE_MAX, .must = HAS_DASH | HAS_UPPER},
		.test = has_private_key,
		.words = "private key|privatekey|privkey|private key pem",
		.strength = 1.0,
		.chance = 1e-6,
		.named = 0.8,
	},
	{
		.what = {"api_key", "API key or token of a known form", DETECT_SECRET, ENCRYPT, false, false},
		.gate = {.len_min = 20, .len_max = VALUE_MAX},
		.test = has_api_key,
		.words = "api key|*apikey*|x api key|api token|api secret|access key|secret access key|"
			 "access key id",
		.strength = 1.0,
		.chance = 1e-5,
		.named = 0.7,
	},
	{
		.what = {"login_in_text", "password inside a URL or a connection string", DETECT_SECRET, ENCRYPT,
			 false, false},
		.gate = {.len_min = 9, .len_max = VALUE_MAX},
		.test = has_login,
		.words = "connection string|database url|dsn|jdbc url|conn str",
		.strength = 0.9,
		.chance = 1e-4,
		.named = 0.5,
	},
	{
		.what = {"password", "password or other secret (by field name)", DETECT_SECRET, ENCRYPT, true, true},
		.words = "*password*|*passwd*|pwd|pass phrase|passcode|pass code|=pass|=secret|secret|"
			 "secret key|client secret|access token|refresh token|auth token|bearer token|bearer|"
			 "session token|session key|encryption key|signing key|webhook secret|credential|"
			 "=credentials|kennwort|*passwort*|mot de passe|motdepasse|contrasena|clave secreta|"
			 "senha|wachtwoord|haslo|losenord|salasana|heslo|jelszo|parola|=pin|pin code|"
			 "pin number|otp|one time password|mfa secret|totp secret|security answer|"
			 "security question|=authorization|=token|csrf token|device token|push token|"
			 "api secret|shared secret|geheimnis",
		.named = 0.8,
	},
	{
		.what = {"random_text", "random text, as keys and tokens are", DETECT_SECRET, ENCRYPT, false, false},
		.rank = RANK_LAST,
		.gate = {.len_min = 20,
			 .len_max = 200,
			 .digits_min = 2,
			 .digits_max = 200,
			 .may = ENCODED,
			 .must = HAS_DIGIT | HAS_UPPER | HAS_LOWER},
		.test = is_random_text,
		.strength = 0.7,
		.chance = 0.01,
	},
	{
		.what = {"card", "payment card number (issuer, length, Luhn)", DETECT_PERSONAL, DIGITS_KEEP_4, true,
			 false},
		.gate = {.len_min = 12,
			 .len_max = 23,
			 .digits_min = 12,
			 .digits_max = 19,
			 .may = HAS_DIGIT | HAS_SPACE | HAS_DASH},
		.test = is_card,
		.words = "card number|credit card|debit card|payment card|bank card|card no|card num|pan|"
			 "primary account number|cc number|ccnum|cc no|credit card number|credit card no|"
			 "kreditkarte|kreditkartennummer|kartennummer|karten nr|carte bancaire|"
			 "carte de credit|numero carte|numero de carte|tarjeta|numero tarjeta|"
			 "numero de tarjeta|cartao|numero cartao|numero do cartao|carta di credito|"
			 "numero carta|creditcardnummer|kaartnummer|kortnummer|numer karty|kredi karti",
		.strength = 0.95,
		.chance = 0.1,
		.named = 0.7,
	},
	{
		.what = {"card_in_text", "payment card number inside a longer text", DETECT_PERSONAL, ENCRYPT, false,
			 false},
		.rank = RANK_INSIDE,
		.gate = {.len_min = 14, .len_max = VALUE_MAX, .digits_min = 13, .digits_max = 255},
		.test = has_card,
		.strength = 0.8,
		.chance = 1e-3,
	},
	{
		.what = {"card_code", "security code of a card (by field name)", DETECT_PERSONAL, "type: remove",
			 true, true},
		.gate = {.len_min = 3, .len_max = 4, .digits_min = 3, .digits_max = 4, .may = HAS_DIGIT},
		.test = is_number_like,
		.words = "cvv|cvc|cvv2|cvc2|cvn|csc|cid code|card verification|card verification value|"
			 "card verification code|card security code|security code|cvv code|cvc code|card code|"
			 "prufziffer|prufnummer|kartenprufnummer|cryptogramme",
		.named = 0.8,
	},
	{
		.what = {"iban", "IBAN (country, length, check digits)", DETECT_PERSONAL, ENCRYPT, false, false},
		.gate = {.len_min = 15, .len_max = 42, .may = HAS_DIGIT | HAS_LETTER | HAS_SPACE, .must = HAS_DIGIT},
		.test = is_iban,
		.words = "*iban*|bankverbindung|bank account iban",
		.strength = 1.0,
		.chance = 5e-4,
		.named = 0.7,
	},
	{
		.what = {"iban_in_text", "IBAN inside a longer text", DETECT_PERSONAL, ENCRYPT, false, false},
		.rank = RANK_INSIDE,
		.gate = {.len_min = 16, .len_max = VALUE_MAX, .must = HAS_DIGIT},
		.test = has_iban,
		.strength = 0.9,
		.chance = 1e-5,
	},
	{
		.what = {"email", "e-mail address", DETECT_PERSONAL, ENCRYPT, false, false},
		.gate = {.len_min = 6, .len_max = 320, .must = HAS_AT | HAS_DOT},
		.test = is_email,
		.words = "*email*|e mail|mail|mail address|e mail address|e mails|correo|correo electronico|"
			 "courriel|posta elettronica|mailadresse|e mail adresse|*mailadres*|adresse mail|"
			 "epost|e post|epostadress",
		.strength = 1.0,
		.chance = 1e-4,
		.named = 0.7,
	},
	{
		.what = {"email_in_text", "e-mail address inside a longer text", DETECT_PERSONAL, ENCRYPT, false,
			 false},
		.rank = RANK_INSIDE,
		.gate = {.len_min = 7, .len_max = VALUE_MAX, .must = HAS_AT | HAS_DOT},
		.test = has_email,
		.strength = 0.9,
		.chance = 1e-4,
	},
	{
		.what = {"phone", "telephone number", DETECT_PERSONAL, ENCRYPT, false, false},
		.gate = {.len_min = 8, .len_max = 36, .digits_min = 8, .digits_max = 23, .may = PHONE | HAS_LOWER},
		.test = is_phone,
		.words = "*phone*|tel|mobile|mobile number|mobile no|cell|cell number|msisdn|fax|fax number|"
			 "fax no|*telefon*|handy|handynummer|mobil|mobilnummer|rufnummer|portable|movil|"
			 "celular|cellulare|gsm|komorka|telnr|tel nr|tel no|tel number|puhelin|whatsapp|"
			 "contact number",
		.strength = 0.95,
		.chance = 0.12,
		.named = 0.7,
	},
	{
		.what = {"phone_digits", "telephone number, digits alone (by field name)", DETECT_PERSONAL, ENCRYPT,
			 true, true},
		.gate = {.len_min = 6, .len_max = 30, .digits_min = 6, .digits_max = 15, .may = PHONE},
		.test = is_phone_digits,
		.words = "*phone*|tel|mobile|mobile number|mobile no|cell|cell number|msisdn|fax|fax number|"
			 "fax no|*telefon*|handy|handynummer|mobil|mobilnummer|rufnummer|portable|movil|"
			 "celular|cellulare|gsm|komorka|telnr|tel nr|tel no|tel number|puhelin|whatsapp|"
			 "contact number",
		.named = 0.7,
	},
	{
		.what = {"phone_in_text", "telephone number with its country code inside a longer text",
			 DETECT_PERSONAL, ENCRYPT, false, false},
		.rank = RANK_INSIDE,
		.gate = {.len_min = 12, .len_max = VALUE_MAX, .digits_min = 10, .digits_max = 255, .must = HAS_PLUS},
		.test = has_phone,
		.strength = 0.8,
		.chance = 1e-3,
	},
	{
		.what = {"us_ssn", "United States: social security number", DETECT_PERSONAL, ENCRYPT, false, false},
		.gate = {.len_min = 11, .len_max = 11, .digits_min = 9, .digits_max = 9, .may = SEPARATED},
		.test = is_us_ssn,
		.words = "ssn|social security|social security number|social security no|social sec no|us ssn|"
			 "ss number",
		.strength = 0.9,
		.chance = 0.05,
		.named = 0.7,
	},
	{
		.what = {"us_ssn_in_text", "US social security number inside a longer text", DETECT_PERSONAL, ENCRYPT,
			 false, false},
		.rank = RANK_INSIDE,
		.gate = {.len_min = 12, .len_max = VALUE_MAX, .digits_min = 9, .digits_max = 255, .must = HAS_DASH},
		.test = has_us_ssn,
		.strength = 0.8,
		.chance = 1e-3,
	},
	{
		.what = {"gb_nino", "United Kingdom: National Insurance number", DETECT_PERSONAL, ENCRYPT, false,
			 false},
		.gate = {.len_min = 9,
			 .len_max = 13,
			 .digits_min = 6,
			 .digits_max = 6,
			 .may = ALNUM | HAS_SPACE | HAS_DASH | HAS_DOT},
		.test = is_gb_nino,
		.words = "nino|national insurance|national insurance number|national insurance no|ni number|"
			 "ni no",
		.strength = 0.85,
		.chance = 0.1,
		.named = 0.7,
	},
	{
		.what = {"gb_nhs", "England and Wales: NHS number", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 10, .len_max = 12, .digits_min = 10, .digits_max = 10, .may = SEPARATED},
		.test = is_gb_nhs,
		.words = "nhs|nhs number|nhs no",
		.strength = 0.9,
		.chance = 0.1,
		.named = 0.7,
	},
	{
		.what = {"de_tax_id", "Germany: tax identification number", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 11, .len_max = 14, .digits_min = 11, .digits_max = 11, .may = SEPARATED},
		.test = is_de_tax_id,
		.words = "steuer id|steueridentifikationsnummer|steuerliche identifikationsnummer|idnr|tin|"
			 "steuer identifikationsnummer|steuer idnr",
		.strength = 0.9,
		.chance = 0.05,
		.named = 0.7,
	},
	{
		.what = {"fr_nir", "France: social security number (NIR)", DETECT_PERSONAL, ENCRYPT, false, false},
		.gate = {.len_min = 15,
			 .len_max = 21,
			 .digits_min = 14,
			 .digits_max = 15,
			 .may = ALNUM | HAS_SPACE | HAS_DASH | HAS_DOT},
		.test = is_fr_nir,
		.words = "nir|numero securite sociale|numero de securite sociale|securite sociale|num secu|"
			 "insee number|no secu",
		.strength = 0.9,
		.chance = 0.02,
		.named = 0.7,
	},
	{
		.what = {"es_dni", "Spain: DNI or NIE", DETECT_PERSONAL, ENCRYPT, false, false},
		.gate = {.len_min = 9,
			 .len_max = 12,
			 .digits_min = 7,
			 .digits_max = 8,
			 .may = ALNUM | HAS_SPACE | HAS_DASH | HAS_DOT},
		.test = is_es_dni,
		.words = "dni|nie|dni nie|documento nacional de identidad|nif",
		.strength = 0.9,
		.chance = 0.05,
		.named = 0.7,
	},
	{
		.what = {"it_codice_fiscale", "Italy: codice fiscale", DETECT_PERSONAL, ENCRYPT, false, false},
		.gate = {.len_min = 16, .len_max = 16, .may = ALNUM},
		.test = is_it_codice_fiscale,
		.words = "codice fiscale|cod fiscale|codicefiscale|cod fisc",
		.strength = 0.9,
		.chance = 0.02,
		.named = 0.7,
	},
	{
		.what = {"nl_bsn", "Netherlands: BSN", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 9, .len_max = 11, .digits_min = 9, .digits_max = 9, .may = SEPARATED},
		.test = is_nl_bsn,
		.words = "bsn|burgerservicenummer|burger service nummer|sofinummer|sofi",
		.strength = 0.9,
		.chance = 0.1,
		.named = 0.7,
	},
	{
		.what = {"be_national", "Belgium: national number", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 11, .len_max = 15, .digits_min = 11, .digits_max = 11, .may = SEPARATED},
		.test = is_be_national,
		.words = "rijksregisternummer|rijksregister|numero national|numero de registre national|"
			 "numero registre national|niss|insz|rrn",
		.strength = 0.9,
		.chance = 0.02,
		.named = 0.7,
	},
	{
		.what = {"se_personnummer", "Sweden: personnummer", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 10,
			 .len_max = 13,
			 .digits_min = 10,
			 .digits_max = 12,
			 .may = HAS_DIGIT | HAS_DASH | HAS_PLUS},
		.test = is_se_personnummer,
		.words = "personnummer|person nummer|samordningsnummer|pnr|personnr|person nr",
		.strength = 0.9,
		.chance = 0.05,
		.named = 0.7,
	},
	{
		.what = {"fi_hetu", "Finland: personal identity code", DETECT_PERSONAL, ENCRYPT, false, false},
		.gate = {.len_min = 11,
			 .len_max = 11,
			 .digits_min = 9,
			 .digits_max = 10,
			 .may = ALNUM | HAS_DASH | HAS_PLUS},
		.test = is_fi_hetu,
		.words = "hetu|henkilotunnus|henkilo tunnus|sotu",
		.strength = 0.9,
		.chance = 0.05,
		.named = 0.7,
	},
	{
		.what = {"dk_cpr", "Denmark: CPR number", DETECT_PERSONAL, ENCRYPT, false, false},
		.gate = {.len_min = 11,
			 .len_max = 11,
			 .digits_min = 10,
			 .digits_max = 10,
			 .may = HAS_DIGIT | HAS_DASH,
			 .must = HAS_DASH},
		.test = is_dk_cpr,
		.words = "cpr|cpr nummer|cpr number|cprnr|cpr nr",
		.strength = 0.9,
		.chance = 0.2,
		.named = 0.7,
	},
	{
		.what = {"no_fodselsnummer", "Norway: national identity number", DETECT_PERSONAL, ENCRYPT, true,
			 false},
		.gate = {.len_min = 11, .len_max = 12, .digits_min = 11, .digits_max = 11, .may = SEPARATED},
		.test = is_no_fodselsnummer,
		.words = "fodselsnummer|fnr|fodsels nummer|d nummer",
		.strength = 0.9,
		.chance = 0.01,
		.named = 0.7,
	},
	{
		.what = {"pl_pesel", "Poland: PESEL", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 11, .len_max = 11, .digits_min = 11, .digits_max = 11, .may = HAS_DIGIT},
		.test = is_pl_pesel,
		.words = "pesel|numer pesel|nr pesel",
		.strength = 0.9,
		.chance = 0.05,
		.named = 0.7,
	},
	{
		.what = {"cz_rodne_cislo", "Czechia, Slovakia: birth number", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 10,
			 .len_max = 11,
			 .digits_min = 10,
			 .digits_max = 10,
			 .may = HAS_DIGIT | HAS_SLASH},
		.test = is_cz_rodne_cislo,
		.words = "rodne cislo|rodnecislo|birth number|rc",
		.strength = 0.9,
		.chance = 0.05,
		.named = 0.7,
	},
	{
		.what = {"ro_cnp", "Romania: CNP", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 13, .len_max = 13, .digits_min = 13, .digits_max = 13, .may = HAS_DIGIT},
		.test = is_ro_cnp,
		.words = "cnp|cod numeric personal",
		.strength = 0.9,
		.chance = 0.05,
		.named = 0.7,
	},
	{
		.what = {"hr_oib", "Croatia: OIB", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 11, .len_max = 11, .digits_min = 11, .digits_max = 11, .may = HAS_DIGIT},
		.test = is_hr_oib,
		.words = "oib|osobni identifikacijski broj",
		.strength = 0.9,
		.chance = 0.1,
		.named = 0.7,
	},
	{
		.what = {"ch_ahv", "Switzerland: AHV number", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 13, .len_max = 16, .digits_min = 13, .digits_max = 13, .may = SEPARATED},
		.test = is_ch_ahv,
		.words = "ahv|ahv nummer|ahvn13|avs|numero avs|ahv nr|no avs|avs number|ahv number",
		.strength = 0.9,
		.chance = 0.02,
		.named = 0.7,
	},
	{
		.what = {"at_svnr", "Austria: social insurance number", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 10, .len_max = 13, .digits_min = 10, .digits_max = 10, .may = SEPARATED},
		.test = is_at_svnr,
		.words = "svnr|sv nummer|sozialversicherungsnummer|sv nr|vsnr",
		.strength = 0.9,
		.chance = 0.05,
		.named = 0.7,
	},
	{
		.what = {"pt_nif", "Portugal: NIF", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 9, .len_max = 11, .digits_min = 9, .digits_max = 9, .may = SEPARATED},
		.test = is_pt_nif,
		.words = "nif|numero de contribuinte|contribuinte|numero contribuinte",
		.strength = 0.9,
		.chance = 0.1,
		.named = 0.7,
	},
	{
		.what = {"ie_pps", "Ireland: PPS number", DETECT_PERSONAL, ENCRYPT, false, false},
		.gate = {.len_min = 8, .len_max = 9, .digits_min = 7, .digits_max = 7, .may = ALNUM},
		.test = is_ie_pps,
		.words = "pps|ppsn|pps number|pps no",
		.strength = 0.9,
		.chance = 0.05,
		.named = 0.7,
	},
	{
		.what = {"ca_sin", "Canada: social insurance number", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 9, .len_max = 11, .digits_min = 9, .digits_max = 9, .may = SEPARATED},
		.test = is_ca_sin,
		.words = "sin|sin number|social insurance number|social insurance no",
		.strength = 0.9,
		.chance = 0.1,
		.named = 0.7,
	},
	{
		.what = {"br_cpf", "Brazil: CPF", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 11, .len_max = 14, .digits_min = 11, .digits_max = 11, .may = SEPARATED},
		.test = is_br_cpf,
		.words = "cpf|numero cpf|cpf number|cadastro de pessoa fisica",
		.strength = 0.9,
		.chance = 0.02,
		.named = 0.7,
	},
	{
		.what = {"cl_rut", "Chile: RUT", DETECT_PERSONAL, ENCRYPT, false, false},
		.gate = {.len_min = 9,
			 .len_max = 12,
			 .digits_min = 7,
			 .digits_max = 9,
			 .may = HAS_DIGIT | HAS_DOT | HAS_DASH | HAS_LETTER,
			 .must = HAS_DASH},
		.test = is_cl_rut,
		.words = "rut|run|rol unico tributario",
		.strength = 0.9,
		.chance = 0.1,
		.named = 0.7,
	},
	{
		.what = {"mx_curp", "Mexico: CURP", DETECT_PERSONAL, ENCRYPT, false, false},
		.gate = {.len_min = 18, .len_max = 18, .digits_min = 7, .digits_max = 8, .may = ALNUM},
		.test = is_mx_curp,
		.words = "curp|clave curp",
		.strength = 0.9,
		.chance = 1e-3,
		.named = 0.7,
	},
	{
		.what = {"in_aadhaar", "India: Aadhaar", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 12, .len_max = 14, .digits_min = 12, .digits_max = 12, .may = SEPARATED},
		.test = is_in_aadhaar,
		.words = "aadhaar|aadhar|aadhaar number|aadhar number|aadhaar no|aadhar no|uidai",
		.strength = 0.9,
		.chance = 0.1,
		.named = 0.7,
	},
	{
		.what = {"in_pan", "India: PAN", DETECT_PERSONAL, ENCRYPT, false, false},
		.gate = {.len_min = 10, .len_max = 10, .digits_min = 4, .digits_max = 4, .may = ALNUM},
		.test = is_in_pan,
		.words = "pan|pan number|pan no|pan card|permanent account number",
		.strength = 0.85,
		.chance = 0.02,
		.named = 0.7,
	},
	{
		.what = {"cn_resident", "China: resident identity number", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 18, .len_max = 18, .digits_min = 17, .digits_max = 18, .may = ALNUM},
		.test = is_cn_resident,
		.words = "shenfenzheng|resident id|resident identity card|id card no|sfz",
		.strength = 0.9,
		.chance = 0.01,
		.named = 0.7,
	},
	{
		.what = {"kr_resident", "South Korea: resident registration number", DETECT_PERSONAL, ENCRYPT, false,
			 false},
		.gate = {.len_min = 14,
			 .len_max = 14,
			 .digits_min = 13,
			 .digits_max = 13,
			 .may = HAS_DIGIT | HAS_DASH,
			 .must = HAS_DASH},
		.test = is_kr_resident,
		.words = "rrn|jumin|resident registration number|jumin number",
		.strength = 0.85,
		.chance = 0.05,
		.named = 0.7,
	},
	{
		.what = {"jp_my_number", "Japan: Individual Number", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 12, .len_max = 14, .digits_min = 12, .digits_max = 12, .may = SEPARATED},
		.test = is_jp_my_number,
		.words = "my number|mynumber|individual number|kojin bango",
		.strength = 0.9,
		.chance = 0.1,
		.named = 0.7,
	},
	{
		.what = {"za_id", "South Africa: identity number", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 13, .len_max = 15, .digits_min = 13, .digits_max = 13, .may = SEPARATED},
		.test = is_za_id,
		.words = "sa id|sa id number|south african id|rsa id|rsa id number",
		.strength = 0.9,
		.chance = 0.05,
		.named = 0.7,
	},
	{
		.what = {"au_tfn", "Australia: tax file number", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 9, .len_max = 11, .digits_min = 9, .digits_max = 9, .may = SEPARATED},
		.test = is_au_tfn,
		.words = "tfn|tax file number|tax file no",
		.strength = 0.9,
		.chance = 0.1,
		.named = 0.7,
	},
	{
		.what = {"tr_kimlik", "Turkey: T.C. kimlik no", DETECT_PERSONAL, ENCRYPT, true, false},
		.gate = {.len_min = 11, .len_max = 11, .digits_min = 11, .digits_max = 11, .may = HAS_DIGIT},
		.test = is_tr_kimlik,
		.words = "tckn|tc kimlik|tc kimlik no|kimlik no|kimlik numarasi|tc no|tc kimlik numarasi",
		.strength = 0.9,
		.chance = 0.02,
		.named = 0.7,
	},
	{
		.what = {"sg_nric", "Singapore: NRIC or FIN", DETECT_PERSONAL, ENCRYPT, false, false},
		.gate = {.len_min = 9, .len_max = 9, .digits_min = 7, .digits_max = 7, .may = ALNUM},
		.test = is_sg_nric,
		.words = "nric|nric no|nric number|nric fin|fin number",
		.strength = 0.9,
		.chance = 0.05,
		.named = 0.7,
	},
	{
		.what = {"national_id", "national id, tax or insurance number (by field name)", DETECT_PERSONAL,
			 ENCRYPT, true, true},
		.gate = {.len_min = 6,
			 .len_max = 24,
			 .digits_min = 4,
			 .digits_max = 24,
			 .may = ALNUM | HAS_SPACE | HAS_DASH | HAS_DOT | HAS_SLASH},
		.test = is_number_like,
		.words = "national id|national id number|national identification number|"
			 "national identity number|government id|gov id|tax id|tax number|"
			 "tax identification number|taxpayer id|tin|steuernummer|steuer nr|identity number|"
			 "identification number|identity card|identity card number|id card|id card number|"
			 "personal id|personal number|personal identity number|personal identity code|ssn|"
			 "social security|social security number|social insurance number|"
			 "sozialversicherungsnummer|rentenversicherungsnummer|numero de identidad|cedula|"
			 "numero de cedula|numero identificacion|documento de identidad|citizen id|id number",
		.named = 0.7,
	},
	{
		.what = {"id_document", "passport, driving licence, number plate (by field name)", DETECT_PERSONAL,
			 ENCRYPT, true, true},
		.gate = {.len_min = 4,
			 .len_max = 24,
			 .digits_min = 2,
			 .digits_max = 20,
			 .may = ALNUM | HAS_SPACE | HAS_DASH | HAS_DOT | HAS_SLASH},
		.test = is_number_like,
		.words = "*passport*|passnummer|pass nr|reisepass|reisepassnummer|pasaporte|"
			 "numero de pasaporte|passeport|numero passeport|passaporto|passaporte|paspoort|"
			 "paspoortnummer|driver license|driver licence|drivers license|drivers licence|"
			 "driver license number|drivers license number|driving license|driving licence|"
			 "driving license number|driving licence number|license number|licence number|"
			 "dl number|fuhrerschein|fuhrerscheinnummer|permis de conduire|patente|"
			 "patente di guida|licencia de conducir|rijbewijs|ausweis|ausweisnummer|"
			 "personalausweis|personalausweisnummer|visa number|license plate|licence plate|"
			 "number plate|plate number|kennzeichen",
		.named = 0.7,
	},
	{
		.what = {"account_number", "number of an account, a customer, a patient, an employee (by field name)",
			 DETECT_PERSONAL, ENCRYPT, true, true},
		.gate = {.len_min = 3,
			 .len_max = 34,
			 .digits_min = 2,
			 .digits_max = 34,
			 .may = ALNUM | HAS_SPACE | HAS_DASH | HAS_DOT | HAS_SLASH | HAS_UNDER},
		.test = is_number_like,
		.words = "bank account|bank account number|bank account no|account number|account no|"
			 "account nr|acct no|acct number|acct num|bankkonto|kontonummer|konto nr|"
			 "rekeningnummer|numero de compte|cuenta bancaria|numero de cuenta|conto corrente|"
			 "numer konta|customer number|customer no|customer nr|customer id|kundennummer|"
			 "kundennr|kunden nr|kunden id|patient id|patient number|patient no|"
			 "medical record number|mrn|member id|member number|member no|membership number|"
			 "membership id|employee id|employee number|employee no|personalnummer|"
			 "mitgliedsnummer|versichertennummer|versicherungsnummer|insurance number|"
			 "insurance policy number|policy number|numero client|numero de client|numero cliente|"
			 "numero de cliente|codice cliente|klantnummer|numer klienta|kundnummer|"
			 "loyalty number|frequent flyer number|subscriber id|subscriber number|student id|"
			 "student number|matrikelnummer|vertragsnummer|beneficiary id",
		.named = 0.65,
	},
	{
		.what = {"ipv4", "IPv4 address", DETECT_PERSONAL, ENCRYPT, false, false},
		.gate = {.len_min = 7,
			 .len_max = 21,
			 .digits_min = 4,
			 .digits_max = 17,
			 .may = HAS_DIGIT | HAS_DOT | HAS_SLASH | HAS_COLON,
			 .must = HAS_DIGIT | HAS_DOT},
		.test = is_ipv4,
		.words = "ip|ip address|ip addr|client ip|remote addr|remote address|remote ip|source ip|"
			 "src ip|dst ip|ip adresse|adresse ip|direccion ip|indirizzo ip|ipv4|ipv4 address|"
			 "x forwarded for",
		.strength = 0.9,
		.chance = 0.05,
		.named = 0.6,
	},
	{
		.what = {"ipv6", "IPv6 address", DETECT_PERSONAL, ENCRYPT, false, false},
		.gate = {.len_min = 4, .len_max = 64, .must = HAS_COLON},
		.test = is_ipv6,
		.words = "ipv6|ipv6 address",
		.strength = 0.95,
		.chance = 1e-3,
		.named = 0.6,
	},
	{
		.what = {"birth_date", "date of birth (by field name)", DETECT_PERSONAL, ENCRYPT, true, true},
		.gate = {.len_min = 4, .len_max = 35, .digits_min = 3, .digits_max = 23},
		.test = is_birth_date,
		.words = "date of birth|birth date|birthdate|birthday|dob|birth day|born|born on|birth year|"
			 "year of birth|birthdate day|date birth|geburtsdatum|geburtstag|geburtsjahr|geboren|"
			 "geboren am|geb datum|gebdat|date de naissance|date naissance|naissance|ne le|"
			 "fecha de nacimiento|fecha nacimiento|nacimiento|data di nascita|data nascita|"
			 "nascita|data nascimento|data de nascimento|nascimento|geboortedatum|fodelsedatum|"
			 "fodselsdato|fodselsdag|data urodzenia|syntymaaika|datum narozeni|szuletesi datum|"
			 "dogum tarihi",
		.named = 0.8,
	},
	{
		.what = {"person_name", "name of a person (by field name)", DETECT_PERSONAL, ENCRYPT, false, true},
		.gate = {.len_min = 2,
			 .len_max = 80,
			 .may = HAS_LETTER | HAS_HIGH | HAS_SPACE | HAS_DASH | HAS_DOT | HAS_OTHER},
		.test = is_name_like,
		.words = "=name|=names|first name|last name|middle name|middle initial|full name|"
			 "given name|family name|surname|forename|maiden name|nickname|nick name|person name|"
			 "people name|customer name|client name|contact name|contact person|patient name|"
			 "employee name|user full name|student name|cardholder|cardholder name|card holder|"
			 "card holder name|name on card|account holder|account holder name|account name|"
			 "holder name|recipient|recipient name|sender name|buyer name|seller name|passenger|"
			 "passenger name|guest name|owner name|author name|beneficiary|beneficiary name|payee|"
			 "payee name|mother maiden name|mothers maiden name|father name|mother name|"
			 "spouse name|emergency contact|legal name|real name|=display name|fname|"
			 "lname|mname|vorname|nachname|familienname|geburtsname|vor und nachname|kundenname|"
			 "karteninhaber|kontoinhaber|ansprechpartner|empfanger|=nom|prenom|nom de famille|"
			 "nom complet|nom client|titulaire|=nombre|nombre completo|apellido|primer apellido|"
			 "segundo apellido|nombre y apellidos|titular|cognome|=nome|nome completo|"
			 "nome cognome|intestatario|sobrenome|apelido|=naam|voornaam|achternaam|"
			 "volledige naam|fornamn|efternamn|=namn|imie|nazwisko|imie i nazwisko|=navn|fornavn|"
			 "etternavn|efternavn|=nimi|etunimi|sukunimi|jmeno|prijmeni|keresztnev|vezeteknev|"
			 "=nev|isim|soyisim|soyad",
		.named = 0.7,
	},
	{
		.what = {"address", "postal address (by field name)", DETECT_PERSONAL, ENCRYPT, true, true},
		.words = "=address|address line|street|street address|street name|street number|house number|"
			 "house no|home address|billing address|shipping address|delivery address|"
			 "postal address|mailing address|residential address|customer address|work address|"
			 "residence|=addr|addr line|zip|zip code|zip5|zip4|postal code|postcode|post code|"
			 "apartment number|place of birth|birth place|birthplace|plz|postleitzahl|strasse|strase|"
			 "str nr|hausnummer|hausnr|anschrift|=adresse|lieferadresse|rechnungsadresse|wohnort|"
			 "wohnadresse|geburtsort|adresse postale|adresse de livraison|code postal|=rue|"
			 "lieu de naissance|=direccion|direccion postal|=calle|codigo postal|domicilio|"
			 "=indirizzo|indirizzo di residenza|luogo di nascita|endereco|=rua|=cep|straat|"
			 "straatnaam|huisnummer|=adres|postadres|woonplaats|kod pocztowy|=ulica|"
			 "adres zamieszkania|gatuadress|=adress|postnummer|postnr|gateadresse|=vej|=osoite|"
			 "katuosoite|postinumero|utca|iranyitoszam|posta kodu",
		.named = 0.7,
	},
	{
		.what = {"location", "position on the earth (by field name)", DETECT_PERSONAL, ENCRYPT, true, true},
		.words = "latitude|longitude|=lat|=lon|=lng|=long|lat lon|lat long|lat lng|geo point|"
			 "geo location|geolocation|gps|gps position|gps coordinates|=coordinates|=coords|"
			 "breitengrad|langengrad|home location|last location",
		.named = 0.4,
	},
};
const size_t detect_n_rules = sizeof(detect_rules) / sizeof(detect_rules[0]);

const char detect_last_words[] = "type|kind|status|count|verified|verification|enabled|disabled|sent|at|flag|valid|"
				 "validated|changed|updated|expires|expiry|"
				 "expiration|format|template|policy|length|size|opt in|opt "
				 "out|optin|consent|preference|provider|confirmed|bounced|attempts|"
				 "attempt|required|index|rank|score|version|label|hint|placeholder|regex|pattern";
const char detect_first_words[] = "is|has|num|count|number of|needs|requires|allow|show|hide|last changed";
const char detect_other_things[] = "zip file|zip archive|secret name|key name|token name|file name|host name|class "
				   "name|table name|domain name|product name|brand "
				   "name|company name|event name|web address|"
				   "topic name|column name|field name|path name|display mode|code name|tag "
				   "name|group name|service name|server name|"
				   "method name|function name|index name|process name|thread name|app "
				   "name|application name|package name|device name";
