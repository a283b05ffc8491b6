/* Signatures that a certificate's RSA key has made (RSASSA-PKCS1-v1_5), as notifications of SNS have them. */
#ifndef CRYPTO_CERTIFICATE_H
#define CRYPTO_CERTIFICATE_H

#include "base/bytes.h"
#include "base/err.h"

enum certificate_hash { CERTIFICATE_SHA1, CERTIFICATE_SHA256 };

/*
 * Has the key of the certificate (PEM text) signed `message`? SEAL_OK: yes. SEAL_DATA/SEAL_E_TAMPERED: no; SEAL_E_SYNTAX: it is no
 * certificate of an RSA key. Who the certificate belongs to, and until when, is not looked at.
 */
SEAL_MUST_USE enum seal_status certificate_verify(struct seal_bytes pem, enum certificate_hash hash,
						  struct seal_bytes message, struct seal_bytes signature,
						  struct seal_err *err);

#endif
