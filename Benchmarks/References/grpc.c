#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "curl_loop.h"
#include "grpc.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

/* One call at a time on one handle. */
typedef struct {
    CURL *easy;
    unsigned char *body;
    int messages;
    unsigned char answer[1 << 14];
    size_t answer_count;
    int is_ok;
} slot;

typedef struct {
    curl_loop loop;
    int size, is_ordered, batch;
    /* One after the other, of one length. */
    const char *payloads;
    int64_t held, begun, done, goal;
} client;

static const char topic[] = "projects/bench/topics/bench";
static const char time_text[] = "1764439200000";

static size_t receive(char *bytes, size_t size, size_t count, void *context) {
    slot *slot = context;
    count *= size;
    if (slot->answer_count + count > sizeof slot->answer) return 0;
    memcpy(slot->answer + slot->answer_count, bytes, count);
    slot->answer_count += count;
    return count;
}

/* The status comes behind the answer. */
static size_t receive_header(char *bytes, size_t size, size_t count, void *context) {
    slot *slot = context;
    static const char ok[] = "grpc-status: 0";
    if (size * count >= sizeof ok - 1 && !memcmp(bytes, ok, sizeof ok - 1)) slot->is_ok = 1;
    return size * count;
}

static size_t size_of_attribute(const char *name, size_t count) {
    return protobuf_size_of_bytes(strlen(name)) + protobuf_size_of_bytes(count);
}

static unsigned char *put_attribute(unsigned char *end, const char *name, const char *value, size_t count) {
    *end++ = 2 << 3 | 2;
    end = protobuf_put_number(end, size_of_attribute(name, count));
    end = protobuf_put_bytes(end, 1, name, strlen(name));
    return protobuf_put_bytes(end, 2, value, count);
}

/* A message of a request, with its number. */
static unsigned char *put_message(client *client, unsigned char *end, int64_t number) {
    char id[24], key[32];
    size_t id_count = (size_t)sprintf(id, "%lld", (long long)number);
    size_t key_count = (size_t)sprintf(key, "key-%lld", (long long)(number % 10000));
    size_t count = protobuf_size_of_bytes((size_t)client->size) +
                   protobuf_size_of_bytes(size_of_attribute("outbox-id", id_count)) +
                   protobuf_size_of_bytes(size_of_attribute("outbox-enqueued-at", sizeof time_text - 1)) +
                   (client->is_ordered ? protobuf_size_of_bytes(key_count) : 0);
    *end++ = 2 << 3 | 2;
    end = protobuf_put_number(end, count);
    end = protobuf_put_bytes(
        end, 1, client->payloads + (size_t)(number % client->held) * (size_t)client->size, (size_t)client->size);
    end = put_attribute(end, "outbox-id", id, id_count);
    end = put_attribute(end, "outbox-enqueued-at", time_text, sizeof time_text - 1);
    return client->is_ordered ? protobuf_put_bytes(end, 5, key, key_count) : end;
}

static void begin(client *client, slot *slot) {
    int64_t left = client->goal - client->begun;
    slot->messages = left < client->batch ? (int)left : client->batch;
    slot->answer_count = 0;
    slot->is_ok = 0;
    unsigned char *end = protobuf_put_bytes(slot->body + GRPC_PREFIX, 1, topic, sizeof topic - 1);
    for (int index = 0; index < slot->messages; index++) end = put_message(client, end, client->begun + index);
    grpc_put_prefix(slot->body, (size_t)(end - slot->body) - GRPC_PREFIX);
    client->begun += slot->messages;
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, slot->body);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(end - slot->body));
    curl_multi_add_handle(client->loop.multi, slot->easy);
}

/* Takes what is done, and begins what is left. */
static int collect(client *client, reference_result *result) {
    CURLMsg *message;
    int rest;
    while ((message = curl_multi_info_read(client->loop.multi, &rest))) {
        if (message->msg != CURLMSG_DONE) continue;
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        slot *slot;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&slot);
        curl_multi_remove_handle(client->loop.multi, easy);
        int published = slot->answer_count < GRPC_PREFIX
                            ? 0
                            : protobuf_count(slot->answer + GRPC_PREFIX, slot->answer_count - GRPC_PREFIX, 1);
        if (code || !slot->is_ok || published != slot->messages) {
            snprintf(
                result->error, sizeof result->error, "%d of %d messages: %s", published, slot->messages,
                curl_easy_strerror(code));
            return 0;
        }
        client->done += slot->messages;
        if (client->begun < client->goal) begin(client, slot);
    }
    return 1;
}

static void prepare(slot *slot, client *client, const char *url, const char *certificate, struct curl_slist *headers) {
    slot->easy = curl_easy_init();
    slot->body = malloc(64 + (size_t)client->batch * ((size_t)client->size + 160));
    curl_easy_setopt(slot->easy, CURLOPT_URL, url);
    curl_easy_setopt(slot->easy, CURLOPT_CAINFO, certificate);
    curl_easy_setopt(slot->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(slot->easy, CURLOPT_PIPEWAIT, 1L);
    curl_easy_setopt(slot->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(slot->easy, CURLOPT_WRITEDATA, slot);
    curl_easy_setopt(slot->easy, CURLOPT_HEADERFUNCTION, receive_header);
    curl_easy_setopt(slot->easy, CURLOPT_HEADERDATA, slot);
    curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot);
    curl_easy_setopt(slot->easy, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(slot->easy, CURLOPT_NOSIGNAL, 1L);
}

reference_result reference_publish(
    const char *url, const char *certificate, int64_t messages, int size, int64_t held, int is_ordered,
    int batch, int window) {
    reference_result result = {0};
    size_t room = (size_t)held * (size_t)size + 1;
    char *payloads = malloc(room);
    memset(payloads, 'x', room);
    client client = {.size = size,
                     .is_ordered = is_ordered, .batch = batch, .payloads = payloads, .held = held, .goal = messages};
    curl_loop_begin(&client.loop);
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    for (const char *const *line = (const char *const[]){"te: trailers", "content-type: application/grpc", "grpc-timeout: 30000m",
                                                         "authorization: Bearer not-a-secret",
                                                         "x-goog-request-params: topic=projects%2Fbench%2Ftopics%2Fbench", NULL};
         *line; line++)
        headers = curl_slist_append(headers, *line);
    slot *slots = calloc((size_t)window, sizeof *slots);
    double began = reference_now(), processor_began = reference_processor_now();
    for (int index = 0; index < window && client.begun < messages; index++) {
        prepare(&slots[index], &client, url, certificate, headers);
        begin(&client, &slots[index]);
    }
    while (client.done < messages && curl_loop_wait(&client.loop, &result) && collect(&client, &result)) {
    }
    result.seconds = reference_now() - began;
    result.processor_seconds = reference_processor_now() - processor_began;
    result.messages = client.done;
    result.bytes = client.done * size;
    for (int index = 0; index < window; index++) {
        if (!slots[index].easy) continue;
        curl_multi_remove_handle(client.loop.multi, slots[index].easy);
        curl_easy_cleanup(slots[index].easy);
        free(slots[index].body);
    }
    curl_loop_end(&client.loop);
    curl_slist_free_all(headers);
    free(slots);
    free(payloads);
    return result;
}
