/*
 * vectors: FF1 against NIST's samples (csrc.nist.gov, FF1samples) and the ACVP server's sample answers
 * (ACVP-AES-FF1-1.0), on every back end and on both paths.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "crypto/ff1.h"
#include "vector.h"

struct vector {
	const char *alphabet;
	uint32_t radix;
	const char *key, *tweak, *plain, *cipher;
};

static const struct vector nist[] = {
	{DIGITS36, 10, "2B7E151628AED2A6ABF7158809CF4F3C", "", "0123456789", "2433477484"},
	{DIGITS36, 10, "2B7E151628AED2A6ABF7158809CF4F3C", "39383736353433323130", "0123456789", "6124200773"},
	{DIGITS36, 36, "2B7E151628AED2A6ABF7158809CF4F3C", "3737373770717273373737", "0123456789abcdefghi",
	 "a9tv40mll9kdu509eum"},
	{DIGITS36, 10, "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F", "", "0123456789", "2830668132"},
	{DIGITS36, 10, "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F", "39383736353433323130", "0123456789",
	 "2496655549"},
	{DIGITS36, 36, "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F", "3737373770717273373737",
	 "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"},
	{DIGITS36, 10, "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94", "", "0123456789",
	 "6657667009"},
	{DIGITS36, 10, "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94", "39383736353433323130",
	 "0123456789", "1001623463"},
	{DIGITS36, 36, "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94", "3737373770717273373737",
	 "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"},
};

static const struct vector acvp[] = {
	{DIGITS, 10, "CF11A34764AB09FFBF8B8A1660E881A2", "", "0846108952", "7759031405"},
	{DIGITS, 10, "3544151C9CEB324C3C1ED31ADE99406D", "6CA0E692B2773C7ECA2ECA1E7793DAA1",
	 "80013770071781669296061827483885771389518248319371666162",
	 "09295026876845967206918789775693655654016802646140865387"},
	{DIGITS, 10, "69B78DCE4755CFD6B0D6ED4843B85B0A", "167F4D5BE41F56", "78917394023964149540436650710442239",
	 "41453449297956880604605360387505540"},
	{DIGITS, 10, "A3B6C90EF1C1AD731FBAC8C8EFBAC3EB", "2453", "057249080508607460521889373589939900603191",
	 "442602316218708601476550458937068254296180"},
	{DIGITS, 10, "CBBCF93E14DC2C48997288BF1D4DA2AF", "08AAAF", "4174217715070973658683",
	 "4099802985390383287464"},
	{DIGITS, 10, "66CD1402BEB8E109F4C32127BC671612", "",
	 "3977633797152882484132285829138398283498299038365691586",
	 "5779864671334843538915338106140220357402582782642380644"},
	{LOWER, 26, "C99B3CDC33EC9F06546405C94AAE548C", "", "uhaekdtgya", "mysdvijyhu"},
	{LOWER, 26, "35BB510F46F954E6E30C66B7D2FA740B", "B726CF9FDA21BE995220DA27F9B5E07F",
	 "gcxlhzfozazwxyahmbtvuxzuuklqeyzxuiofxtam", "foarmyqmdyhigguanyzprvxbuaocltoyxevynmyu"},
	{LOWER, 26, "107EDB49D0F4EEFC31A9DC25936A7B46", "5F8F9B190B", "ekjmouxshy", "qszgbbbegm"},
	{BASE64, 64, "D943FA73D0DFBBFE5CBBB51AE1883B1F", "", "g0mbl8Ztx4", "4NNV4Ujcsq"},
	{BASE64, 64, "89D7519CCC4503C8677DA86659C1BD58", "DE11F4D9482BFAE2930E9B0109AB972F",
	 "uW0MALBLj7tiLxlZVCLxHzKpx/KV", "VXD9LcAWGKBXCJhBefiFKytCbss8"},
	{BASE64, 64, "3E75EC6441C85F898CC0BA115628A410", "7910CDABA9", "qLp2P6qu9XL", "i+sjnEoLFh6"},
	{BASE64, 64, "FFC1EEEEA6874EE315E7ED9C02FD02C5", "34B6BFEB966C", "+ZbJtphV+V3p", "+EaxdgG52HWF"},
};

static void check(const struct vector *v)
{
	uint8_t key[32], tweak[64];
	uint16_t value[64], plain[64], cipher[64];
	struct ff1_item item = {.numerals = value, .radix = v->radix};
	struct ff1 *ff1;

	item.tweak = vector_hex(v->tweak, tweak, sizeof(tweak));
	item.n = (uint32_t)vector_numerals(v->alphabet, v->plain, plain, 64);
	assert_int_equal(vector_numerals(v->alphabet, v->cipher, cipher, 64), item.n);
	assert_int_equal(ff1_new(vector_hex(v->key, key, sizeof(key)), &ff1, NULL), SEAL_OK);
	memcpy(value, plain, item.n * sizeof(value[0]));
	assert_int_equal(ff1_encrypt_many(ff1, &item, 1, NULL), SEAL_OK);
	assert_memory_equal(value, cipher, item.n * sizeof(value[0]));
	assert_int_equal(ff1_decrypt_many(ff1, &item, 1, NULL), SEAL_OK);
	assert_memory_equal(value, plain, item.n * sizeof(value[0]));
	ff1_free(ff1);
}

static void check_all(void)
{
	for (size_t i = 0; i < sizeof(nist) / sizeof(nist[0]); i++)
		check(&nist[i]);
	for (size_t i = 0; i < sizeof(acvp) / sizeof(acvp[0]); i++)
		check(&acvp[i]);
}

/* `name` NULL: whatever is chosen. Skipped where this machine lacks the back end. */
static void with_backend(const char *name, bool general)
{
	const char *was = ff1_backend();

	if (!ff1_backend_force(name))
		skip();
	ff1_force_general(general);
	check_all();
	ff1_force_general(false);
	assert_true(ff1_backend_force(was));
}

static void openssl_short(void **state)
{
	with_backend("openssl", false);
}

static void openssl_general(void **state)
{
	with_backend("openssl", true);
}

static void aesni_short(void **state)
{
	with_backend("aes-ni", false);
}

static void aesni_general(void **state)
{
	with_backend("aes-ni", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_short),
		cmocka_unit_test(openssl_general),
		cmocka_unit_test(aesni_short),
		cmocka_unit_test(aesni_general),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
