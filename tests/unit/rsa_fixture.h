/*
 * The RSA key of RFC 7515, appendix A.2, as PKCS #8 text, and what it signs there. Its numbers are put into DER here. Include after
 * cmocka.h.
 */
#ifndef TESTS_RSA_FIXTURE_H
#define TESTS_RSA_FIXTURE_H

#include "base/buf.h"
#include "base/encode.h"

static const char *const rsa_numbers[] = {
	/* n */ "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-"
		"yRT-SFd2lZS-"
		"pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"
		"UTo7WTBEMa2R2Ca"
		"pHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
		"h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb5"
		"4h4FRWyuXpoQ",
	/* e */ "AQAB",
	/* d */
	"Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_"
	"GO-"
	"pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_"
	"0ZHHzQlBjud"
	"U2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_"
	"RQyGWSeWjnczT0QU91p1"
	"DhOVRuOopznQ",
	/* p */
	"4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_"
	"Py5PJdTJNPY8cQn7ouZ2KK"
	"DcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
	/* q */
	"uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_"
	"Hl"
	"B-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
	/* dp */
	"BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-"
	"FOKnu1R6HsJeDCjn12Sk3vmA"
	"ktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
	/* dq */
	"h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-"
	"NKJnwgjMd2w9cj"
	"z3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU",
	/* qi */
	"IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_"
	"QJQ3ydy5cY7YIBi87w93IKLEdfnbJ"
	"toOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U",
};

#define RSA_MESSAGE                                                                                                  \
	"eyJhbGciOiJSUzI1NiJ9."                                                                                      \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define RSA_SIGNATURE                                                                                                \
	"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb"   \
	"F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383"   \
	"LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWy"   \
	"wlVmtVrBp0igcN_IoypGlUPQGe77Rw"

/* One element of DER, of at most 64 KiB. */
static inline void der_put(struct seal_buf *out, uint8_t tag, struct seal_bytes content)
{
	assert_int_equal(buf_append_u8(out, tag, NULL), SEAL_OK);
	if (content.len < 128) {
		assert_int_equal(buf_append_u8(out, (uint8_t)content.len, NULL), SEAL_OK);
	} else {
		assert_int_equal(buf_append_u8(out, 0x82, NULL), SEAL_OK);
		assert_int_equal(buf_append_u8(out, (uint8_t)(content.len >> 8), NULL), SEAL_OK);
		assert_int_equal(buf_append_u8(out, (uint8_t)content.len, NULL), SEAL_OK);
	}
	assert_int_equal(buf_append(out, content, NULL), SEAL_OK);
}

/* RFC 8017, appendix A.1.2: version, n, e, d, p, q, dP, dQ, qInv. */
static inline void der_rsa(struct seal_buf *out)
{
	struct seal_buf numbers = BUF_INIT(4096);

	der_put(&numbers, 0x02, bytes_of("\0", 1));
	for (size_t i = 0; i < sizeof(rsa_numbers) / sizeof(rsa_numbers[0]); i++) {
		uint8_t raw[512] = {0};
		size_t len;

		assert_true(base64url_decode(bytes_str(rsa_numbers[i]), raw + 1, &len));
		if (raw[1] & 0x80)
			der_put(&numbers, 0x02, bytes_of(raw, len + 1));
		else
			der_put(&numbers, 0x02, bytes_of(raw + 1, len));
	}
	der_put(out, 0x30, buf_bytes(&numbers));
	buf_clear(&numbers);
}

/* RFC 5208, section 5; `oid` and its parameters as DER. */
static inline void der_pkcs8(struct seal_buf *out, struct seal_bytes oid, struct seal_bytes key)
{
	struct seal_buf parts = BUF_INIT(8192);

	der_put(&parts, 0x02, bytes_of("\0", 1));
	der_put(&parts, 0x30, oid);
	der_put(&parts, 0x04, key);
	der_put(out, 0x30, buf_bytes(&parts));
	buf_clear(&parts);
}

/* `der` between two lines, 64 characters a line, each ended by `eol`; a zero byte behind. */
static inline void pem_put(struct seal_buf *out, const char *label, struct seal_bytes der, const char *eol)
{
	char text[8192];
	size_t len;

	assert_true(BASE64_LEN(der.len) < sizeof(text));
	len = base64_encode(der, text);
	assert_int_equal(buf_printf(out, NULL, "-----BEGIN %s-----%s", label, eol), SEAL_OK);
	for (size_t at = 0; at < len; at += 64)
		assert_int_equal(
			buf_printf(out, NULL, "%.*s%s", (int)(len - at < 64 ? len - at : 64), text + at, eol),
			SEAL_OK);
	assert_int_equal(buf_printf(out, NULL, "-----END %s-----%s", label, eol), SEAL_OK);
	assert_int_equal(buf_append_u8(out, '\0', NULL), SEAL_OK);
	out->len--;
}

#define OID_RSA BYTES_LIT("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00")

/* The whole of it, as a file of a service account has it; `eol` "\\n" for one that stands in JSON. */
static inline void rsa_pem(struct seal_buf *out, const char *eol)
{
	struct seal_buf key = BUF_INIT(4096), der = BUF_INIT(4096);

	der_rsa(&key);
	der_pkcs8(&der, OID_RSA, buf_bytes(&key));
	pem_put(out, "PRIVATE KEY", buf_bytes(&der), eol);
	buf_clear(&key);
	buf_clear(&der);
}

#endif
