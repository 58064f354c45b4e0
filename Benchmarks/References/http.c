#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "curl_loop.h"
#include "http_requests.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One request at a time on one handle. */
typedef struct {
    CURL *easy;
    request request;
    int64_t first;
    int messages;
    char *answer;
    size_t answer_count, answer_room;
} slot;

typedef struct {
    curl_loop loop;
    request_maker maker;
    reference_http_work work;
    int batch;
    int64_t begun, done, goal;
    /* What is sent again and again, where nothing is made for each request: full, and with what is left for the last. */
    request full, last;
} client;

static size_t receive(char *bytes, size_t size, size_t count, void *context) {
    slot *slot = context;
    count *= size;
    if (slot->answer_count + count + 1 > slot->answer_room) {
        slot->answer_room = 2 * (slot->answer_count + count + 1);
        slot->answer = realloc(slot->answer, slot->answer_room);
    }
    memcpy(slot->answer + slot->answer_count, bytes, count);
    slot->answer_count += count;
    slot->answer[slot->answer_count] = 0;
    return count;
}

static size_t ignore(char *bytes, size_t size, size_t count, void *context) {
    (void)bytes, (void)context;
    return size * count;
}

/* Writes the body, signs, and begins the request; or begins one that was made before. */
static void begin(client *client, slot *slot) {
    int64_t left = client->goal - client->begun;
    slot->messages = left < client->batch ? (int)left : client->batch;
    slot->first = client->begun;
    slot->answer_count = 0;
    client->begun += slot->messages;
    request *request = &slot->request;
    if (client->work == REFERENCE_HTTP_SENDS) {
        request = slot->messages == client->batch ? &client->full : &client->last;
    } else {
        request_write_body(&client->maker, request, slot->first, slot->messages);
        request_sign(&client->maker, request, slot->first);
        curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, request->headers);
    }
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, request->body);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_count);
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
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&slot);
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        curl_multi_remove_handle(client->loop.multi, easy);
        if (code || status != 200) {
            snprintf(result->error, sizeof result->error, "status %ld: %s", status, curl_easy_strerror(code));
            return 0;
        }
        if (client->work == REFERENCE_HTTP_DOES_ALL &&
            answer_successes(client->maker.service, slot->answer, slot->answer_count, slot->first, slot->messages) !=
                slot->messages) {
            snprintf(result->error, sizeof result->error, "an answer does not say that all is delivered");
            return 0;
        }
        client->done += slot->messages;
        if (client->begun < client->goal) begin(client, slot);
    }
    return 1;
}

static request prepared(client *client, int messages) {
    request request = {.body = malloc(request_body_room(&client->maker, messages))};
    request_write_body(&client->maker, &request, 0, messages);
    return request;
}

/* The beginning of lines of JSON, as the messages of the benchmark have it, in which a quote comes all few bytes. */
static char *make_payloads(int64_t count, int size) {
    char *payloads = malloc((size_t)(count * size) + 1);
    static const char line[] = "{\"id\":\"0123456789abcdef\",\"sku\":\"0123456789abcdef\"}\n";
    for (int64_t number = 0; number < count; number++)
        for (int index = 0; index < size; index++)
            payloads[number * size + index] = line[(size_t)index % (sizeof line - 1)];
    return payloads;
}

reference_result reference_http(
    const char *url, reference_http_service service, reference_http_work work, int64_t messages, int size, int64_t held,
    int batch, int window) {
    reference_result result = {0};
    char *payloads = make_payloads(held, size);
    client client = {.work = work,
                     .batch = batch, .goal = messages};
    request_maker_begin(&client.maker, service, url, payloads, (size_t)size, held);
    curl_loop_begin(&client.loop);
    client.full = prepared(&client, batch);
    client.last = prepared(&client, (int)(messages % batch));
    request_set_plain_headers(&client.maker, &client.full);
    slot *slots = calloc((size_t)window, sizeof *slots);
    double began = reference_now(), processor_began = reference_processor_now();
    for (int index = 0; index < window && client.begun < messages; index++) {
        slot *slot = &slots[index];
        slot->easy = curl_easy_init();
        if (work == REFERENCE_HTTP_DOES_ALL) slot->request.body = malloc(request_body_room(&client.maker, batch));
        curl_easy_setopt(slot->easy, CURLOPT_URL, url);
        curl_easy_setopt(slot->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, client.full.headers);
        curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, work == REFERENCE_HTTP_DOES_ALL ? receive : ignore);
        curl_easy_setopt(slot->easy, CURLOPT_WRITEDATA, slot);
        curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot);
        curl_easy_setopt(slot->easy, CURLOPT_NOSIGNAL, 1L);
        begin(&client, slot);
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
        free(slots[index].request.body);
        free(slots[index].answer);
    }
    curl_loop_end(&client.loop);
    request_maker_end(&client.maker);
    free(client.full.body);
    free(client.last.body);
    free(slots);
    free(payloads);
    return result;
}
