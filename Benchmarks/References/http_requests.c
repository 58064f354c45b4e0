#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "http_requests.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char SECRET[] = "not a secret", REGION[] = "us-east-1", ACCESS_KEY[] = "AKIDEXAMPLE";

/* MARK: Encodings */

static const char HEX[] = "0123456789abcdef";
static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/* Two characters for twelve bits: several times as fast as libcrypto's encoder. */
static char base64_pairs[4096][2];

static void fill_base64(void) {
    for (int bits = 0; bits < 4096; bits++) {
        base64_pairs[bits][0] = BASE64[bits >> 6];
        base64_pairs[bits][1] = BASE64[bits & 63];
    }
}

static char *write_base64(char *end, const unsigned char *bytes, size_t count) {
    /* Six bytes at a time, out of the eight that one load has. */
    for (; count >= 8; count -= 6, bytes += 6, end += 8) {
        uint64_t bits;
        memcpy(&bits, bytes, 8);
        bits = be64toh(bits);
        memcpy(end, base64_pairs[bits >> 52], 2);
        memcpy(end + 2, base64_pairs[bits >> 40 & 4095], 2);
        memcpy(end + 4, base64_pairs[bits >> 28 & 4095], 2);
        memcpy(end + 6, base64_pairs[bits >> 16 & 4095], 2);
    }
    for (; count >= 3; count -= 3, bytes += 3, end += 4) {
        unsigned value = (unsigned)bytes[0] << 16 | (unsigned)bytes[1] << 8 | bytes[2];
        memcpy(end, base64_pairs[value >> 12], 2);
        memcpy(end + 2, base64_pairs[value & 4095], 2);
    }
    if (!count) return end;
    unsigned value = (unsigned)bytes[0] << 16 | (count == 2 ? (unsigned)bytes[1] << 8 : 0);
    memcpy(end, base64_pairs[value >> 12], 2);
    end[2] = count == 2 ? base64_pairs[value & 4095][0] : '=';
    end[3] = '=';
    return end + 4;
}

static char *write_hex(char *end, const unsigned char *bytes, size_t count) {
    for (size_t index = 0; index < count; index++) {
        *end++ = HEX[bytes[index] >> 4];
        *end++ = HEX[bytes[index] & 15];
    }
    return end;
}

/* A text as JSON has it, without the quotes around it. Runs that need no escape are copied at once. */
static char *write_json(char *end, const char *text, size_t count) {
    size_t start = 0;
    for (size_t index = 0; index < count; index++) {
        unsigned char byte = (unsigned char)text[index];
        if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
        memcpy(end, text + start, index - start);
        end += index - start;
        start = index + 1;
        *end++ = '\\';
        switch (byte) {
        case '"': *end++ = '"'; break;
        case '\\': *end++ = '\\'; break;
        case '\n': *end++ = 'n'; break;
        case '\r': *end++ = 'r'; break;
        case '\t': *end++ = 't'; break;
        default: end += sprintf(end, "u%04x", byte);
        }
    }
    memcpy(end, text + start, count - start);
    return end + (count - start);
}

static char *write_text(char *end, const char *text) {
    size_t count = strlen(text);
    memcpy(end, text, count);
    return end + count;
}

static char *write_number(char *end, int64_t number) {
    char digits[20];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while (count) *end++ = digits[--count];
    return end;
}

/* MARK: Signatures */

static void digest(request_signer *signer, const void *first, size_t first_count, const void *rest, size_t rest_count,
                   unsigned char *result) {
    EVP_DigestInit_ex2(signer->context, signer->algorithm, NULL);
    if (first_count) EVP_DigestUpdate(signer->context, first, first_count);
    EVP_DigestUpdate(signer->context, rest, rest_count);
    EVP_DigestFinal_ex(signer->context, result, NULL);
}

/* The key has at most 64 bytes. */
static void set_key(request_signer *signer, const void *key, size_t count) {
    memset(signer->inner, 0, sizeof signer->inner);
    memcpy(signer->inner, key, count);
    memcpy(signer->outer, signer->inner, sizeof signer->outer);
    for (int index = 0; index < 64; index++) {
        signer->inner[index] ^= 0x36;
        signer->outer[index] ^= 0x5c;
    }
}

static void sign(request_signer *signer, const void *bytes, size_t count, unsigned char *result) {
    unsigned char inner[32];
    digest(signer, signer->inner, 64, bytes, count, inner);
    digest(signer, signer->outer, 64, inner, sizeof inner, result);
}

/* The key of a day is made once. */
static void set_day(request_signer *signer, const char *day, const char *service) {
    if (!memcmp(signer->day, day, 8)) return;
    memcpy(signer->day, day, 8);
    unsigned char key[32];
    char first[64];
    set_key(signer, first, (size_t)sprintf(first, "AWS4%s", SECRET));
    const char *parts[] = {signer->day, REGION, service, "aws4_request"};
    for (int index = 0; index < 4; index++) {
        sign(signer, parts[index], strlen(parts[index]), key);
        set_key(signer, key, sizeof key);
    }
}

static char *set_header(request *request, int number, const char *name) {
    request->headers[number].data = request->texts[number];
    if (number) request->headers[number - 1].next = &request->headers[number];
    request->headers[number].next = NULL;
    return write_text(request->texts[number], name);
}

static const char *content_type(reference_http_service service) {
    switch (service) {
    case REFERENCE_HTTP_WEBHOOK: return "application/json";
    case REFERENCE_HTTP_SQS: return "application/x-amz-json-1.0";
    case REFERENCE_HTTP_KINESIS: return "application/x-amz-json-1.1";
    }
}

void request_set_plain_headers(const request_maker *maker, request *request) {
    *set_header(request, 0, "Expect:") = 0;
    *write_text(set_header(request, 1, "content-type: "), content_type(maker->service)) = 0;
}

/* Standard Webhooks. */
static void sign_webhook(request_maker *maker, request *request, int64_t first) {
    time_t now = time(NULL);
    char text[64], *end = write_text(write_number(text, first), ".");
    end = write_text(write_number(end, now), ".");
    unsigned char signature[32], inner[32];
    request_signer *signer = &maker->signer;
    EVP_DigestInit_ex2(signer->context, signer->algorithm, NULL);
    EVP_DigestUpdate(signer->context, signer->inner, 64);
    EVP_DigestUpdate(signer->context, text, (size_t)(end - text));
    EVP_DigestUpdate(signer->context, request->body, request->body_count);
    EVP_DigestFinal_ex(signer->context, inner, NULL);
    digest(signer, signer->outer, 64, inner, sizeof inner, signature);
    *write_number(set_header(request, 2, "webhook-id: "), first) = 0;
    *write_number(set_header(request, 3, "webhook-timestamp: "), now) = 0;
    *write_base64(set_header(request, 4, "webhook-signature: v1,"), signature, 32) = 0;
}

/* Signature Version 4. */
static void sign_aws(request_maker *maker, request *request) {
    int is_sqs = maker->service == REFERENCE_HTTP_SQS;
    const char *service = is_sqs ? "sqs" : "kinesis";
    const char *target = is_sqs ? "AmazonSQS.SendMessageBatch" : "Kinesis_20131202.PutRecords";
    static const char names[] = "content-type;host;x-amz-date;x-amz-target";
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    char date[24];
    strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &utc);
    set_day(&maker->signer, date, service);
    unsigned char hash[32];
    digest(&maker->signer, NULL, 0, request->body, request->body_count, hash);
    char text[1024], scope[64];
    char *end = text + sprintf(
        text, "POST\n/\n\ncontent-type:%s\nhost:%s\nx-amz-date:%s\nx-amz-target:%s\n\n%s\n", content_type(maker->service),
        maker->host, date, target, names);
    end = write_hex(end, hash, sizeof hash);
    digest(&maker->signer, NULL, 0, text, (size_t)(end - text), hash);
    sprintf(scope, "%.8s/%s/%s/aws4_request", date, REGION, service);
    end = text + sprintf(text, "AWS4-HMAC-SHA256\n%s\n%s\n", date, scope);
    end = write_hex(end, hash, sizeof hash);
    sign(&maker->signer, text, (size_t)(end - text), hash);
    *write_text(set_header(request, 2, "x-amz-date: "), date) = 0;
    *write_text(set_header(request, 3, "x-amz-target: "), target) = 0;
    end = set_header(request, 4, "authorization: ");
    end += sprintf(
        end, "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=", ACCESS_KEY, scope, names);
    *write_hex(end, hash, sizeof hash) = 0;
}

void request_sign(request_maker *maker, request *request, int64_t first) {
    request_set_plain_headers(maker, request);
    if (maker->service == REFERENCE_HTTP_WEBHOOK) sign_webhook(maker, request, first);
    else sign_aws(maker, request);
}

/* MARK: Bodies */

void request_maker_begin(
    request_maker *maker, reference_http_service service, const char *url, const char *payloads, size_t payload_size,
    int64_t payload_count) {
    *maker = (request_maker){
        .service = service, .payloads = payloads, .payload_size = payload_size, .payload_count = payload_count};
    const char *host = strstr(url, "://") + 3;
    snprintf(maker->host, sizeof maker->host, "%.*s", (int)strcspn(host, "/"), host);
    maker->signer.algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    maker->signer.context = EVP_MD_CTX_new();
    if (service == REFERENCE_HTTP_WEBHOOK) set_key(&maker->signer, SECRET, sizeof SECRET - 1);
    fill_base64();
}

void request_maker_end(request_maker *maker) {
    EVP_MD_CTX_free(maker->signer.context);
    EVP_MD_free(maker->signer.algorithm);
}

size_t request_body_room(const request_maker *maker, int messages) {
    return 256 + (size_t)messages * (6 * maker->payload_size + 192);
}

static const char *next_payload(const request_maker *maker, int64_t *number) {
    if (++*number == maker->payload_count) *number = 0;
    return maker->payloads + (size_t)*number * maker->payload_size;
}

void request_write_body(const request_maker *maker, request *request, int64_t first, int messages) {
    char *end = request->body;
    int64_t number = first % maker->payload_count;
    const char *payload = maker->payloads + (size_t)number * maker->payload_size;
    switch (maker->service) {
    case REFERENCE_HTTP_WEBHOOK:
        memcpy(end, payload, maker->payload_size);
        end += maker->payload_size;
        break;
    case REFERENCE_HTTP_SQS:
        end = write_text(end, "{\"QueueUrl\":\"http://");
        end = write_text(end, maker->host);
        end = write_text(end, "/000000000000/bench\",\"Entries\":[");
        for (int index = 0; index < messages; index++) {
            end = write_text(end, index ? ",{\"Id\":\"" : "{\"Id\":\"");
            end = write_text(write_number(end, index), "-");
            end = write_text(write_number(end, first + index), "\",\"MessageBody\":\"");
            end = write_json(end, payload, maker->payload_size);
            payload = next_payload(maker, &number);
            end = write_text(
                end, "\",\"MessageAttributes\":{\"outbox-id\":{\"DataType\":\"String\",\"StringValue\":\"");
            end = write_text(write_number(end, first + index), "\"}}}");
        }
        end = write_text(end, "]}");
        break;
    case REFERENCE_HTTP_KINESIS:
        end = write_text(end, "{\"StreamName\":\"bench\",\"Records\":[");
        for (int index = 0; index < messages; index++) {
            end = write_text(end, index ? ",{\"PartitionKey\":\"key-" : "{\"PartitionKey\":\"key-");
            end = write_text(write_number(end, (first + index) % 10000), "\",\"Data\":\"");
            end = write_base64(end, (const unsigned char *)payload, maker->payload_size);
            payload = next_payload(maker, &number);
            end = write_text(end, "\"}");
        }
        end = write_text(end, "]}");
        break;
    }
    request->body_count = (size_t)(end - request->body);
}

/* MARK: Answers */

/* How often a text is followed by a value that is not empty. */
static int members(const char *answer, size_t count, const char *name) {
    int result = 0;
    const char *end = answer + count;
    size_t length = strlen(name);
    while ((answer = memmem(answer, (size_t)(end - answer), name, length))) {
        answer += length;
        if (answer < end && *answer != '"') result++;
    }
    return result;
}

int answer_successes(
    reference_http_service service, const char *answer, size_t count, int64_t first, int messages) {
    switch (service) {
    case REFERENCE_HTTP_WEBHOOK: return messages;
    case REFERENCE_HTTP_KINESIS:
        if (members(answer, count, "\"ErrorCode\":\"")) return 0;
        return members(answer, count, "\"SequenceNumber\":\"");
    case REFERENCE_HTTP_SQS: {
        if (memmem(answer, count, "\"Failed\":", 9)) return 0;
        int result = 0;
        const char *end = answer + count;
        while ((answer = memmem(answer, (size_t)(end - answer), "\"Id\":\"", 6))) {
            char *rest;
            long index = strtol(answer + 6, &rest, 10);
            if (index < 0 || index >= messages || *rest != '-' || strtoll(rest + 1, &rest, 10) != first + index) return 0;
            result++;
            answer = rest;
        }
        return members(end - count, count, "\"MessageId\":\"") == result ? result : 0;
    }
    }
}
