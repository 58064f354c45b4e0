#ifndef SWIFT_OUTBOX_CCRYPTO_SHIM_H
#define SWIFT_OUTBOX_CCRYPTO_SHIM_H

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

/* Where a key is encrypted, the library would ask at the terminal. */
static inline int outbox_crypto_no_password(char *buffer, int size, int writes, void *context) {
    (void)buffer, (void)size, (void)writes, (void)context;
    return -1;
}

static inline EVP_PKEY *outbox_crypto_private_key(BIO *text) {
    return PEM_read_bio_PrivateKey(text, NULL, outbox_crypto_no_password, NULL);
}

#endif
