#ifndef SWIFT_OUTBOX_CCRYPTO_SHIM_H
#define SWIFT_OUTBOX_CCRYPTO_SHIM_H

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Where a key is encrypted, the library would ask at the terminal. */
static inline int outbox_crypto_no_password(char *buffer, int size, int writes, void *context) {
    (void)buffer, (void)size, (void)writes, (void)context;
    return -1;
}

static inline EVP_PKEY *outbox_crypto_private_key(BIO *text) {
    return PEM_read_bio_PrivateKey(text, NULL, outbox_crypto_no_password, NULL);
}

#if defined(__x86_64__)
/* 24 bytes at a time become 32 letters: each field of six bits is moved into a byte of its own by multiplications, and becomes a letter by adding
   what its range of the alphabet is away (Muła and Lemire, Faster Base64 Encoding and Decoding Using AVX2 Instructions, 2018). */
__attribute__((target("avx2"))) static inline size_t outbox_base64_by_avx2(
    const unsigned char *bytes, size_t count, unsigned char *text) {
    const __m256i spread = _mm256_setr_epi8(
        1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10, 1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
    const __m256i distances = _mm256_setr_epi8(
        'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
        '+' - 62, '/' - 63, 'A', 0, 0, 'a' - 26, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52, '0' - 52,
        '0' - 52, '0' - 52, '0' - 52, '+' - 62, '/' - 63, 'A', 0, 0);
    size_t done = 0;
    /* Two loads of 16 bytes, of which twelve count. */
    for (; done + 28 <= count; done += 24, text += 32) {
        __m256i in = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(bytes + done))),
            _mm_loadu_si128((const __m128i *)(const void *)(bytes + done + 12)), 1);
        in = _mm256_shuffle_epi8(in, spread);
        __m256i outer = _mm256_mulhi_epu16(
            _mm256_and_si256(in, _mm256_set1_epi32(0x0fc0fc00)), _mm256_set1_epi32(0x04000040));
        __m256i inner = _mm256_mullo_epi16(
            _mm256_and_si256(in, _mm256_set1_epi32(0x003f03f0)), _mm256_set1_epi32(0x01000010));
        __m256i fields = _mm256_or_si256(outer, inner);
        __m256i range = _mm256_or_si256(
            _mm256_subs_epu8(fields, _mm256_set1_epi8(51)),
            _mm256_and_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(26), fields), _mm256_set1_epi8(13)));
        _mm256_storeu_si256(
            (__m256i *)(void *)text, _mm256_add_epi8(fields, _mm256_shuffle_epi8(distances, range)));
    }
    return done;
}
#endif

/* Writes the letters of base 64 for as many of the bytes as this processor does at once; four letters for three bytes, without padding.
   Returns how many bytes that were, always a multiple of 24; 0 where it has no such instructions. */
static inline size_t outbox_base64(const unsigned char *bytes, size_t count, unsigned char *text) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return outbox_base64_by_avx2(bytes, count, text);
#endif
    (void)bytes, (void)count, (void)text;
    return 0;
}

#endif
