#ifndef REFERENCES_HTTP_REQUESTS_H
#define REFERENCES_HTTP_REQUESTS_H

#include "references.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <stddef.h>

enum { MOST_HEADERS = 8, HEADER_ROOM = 512 };

/* SHA-256 and what is signed with it. The context is used again and again, which costs less than one for each. */
typedef struct {
    EVP_MD *algorithm;
    EVP_MD_CTX *context;
    /* The key in the two blocks that HMAC begins with, so that a signature begins with nothing but these. */
    unsigned char inner[64], outer[64];
    /* For which day the key is. */
    char day[9];
} request_signer;

/* A request that is made again and again. */
typedef struct {
    char *body;
    size_t body_count;
    /* For libcurl: the list's nodes and their texts are parts of the request, so nothing is allocated for them. */
    struct curl_slist headers[MOST_HEADERS];
    char texts[MOST_HEADERS][HEADER_ROOM];
} request;

/* What is the same for all requests. */
typedef struct {
    reference_http_service service;
    /* With the port. */
    char host[64];
    /* One after the other; each message has the next one, and the first again after the last. */
    const char *payloads;
    size_t payload_size;
    int64_t payload_count;
    request_signer signer;
} request_maker;

void request_maker_begin(
    request_maker *maker, reference_http_service service, const char *url, const char *payloads, size_t payload_size,
    int64_t payload_count);
void request_maker_end(request_maker *maker);

/* How long a body can be. */
size_t request_body_room(const request_maker *maker, int messages);
/* Makes the body of messages that have consecutive numbers. */
void request_write_body(const request_maker *maker, request *request, int64_t first, int messages);
/* Makes the headers of a body, with its signature. */
void request_sign(request_maker *maker, request *request, int64_t first);
/* Makes the headers that are the same for every body. */
void request_set_plain_headers(const request_maker *maker, request *request);

/* How many messages an answer says are delivered, of those that the request had. */
int answer_successes(
    reference_http_service service, const char *answer, size_t count, int64_t first, int messages);

#endif
