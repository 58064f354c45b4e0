#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "references.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* One request at a time on one handle. */
typedef struct {
    CURL *easy;
    char *body;
    size_t body_count;
    int messages;
} slot;

typedef struct {
    CURLM *multi;
    int poll;
    long timeout;
    reference_http_service service;
    int size, batch;
    const char *payload;
    int64_t begun, done, goal, answered_bytes;
} client;

static size_t receive(char *bytes, size_t size, size_t count, void *context) {
    (void)bytes;
    ((client *)context)->answered_bytes += (int64_t)(size * count);
    return size * count;
}

static int watch(CURL *easy, curl_socket_t socket, int what, void *context, void *place) {
    (void)easy, (void)place;
    client *client = context;
    struct epoll_event event = {
        .events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0), .data = {.fd = socket}};
    if (what == CURL_POLL_REMOVE)
        epoll_ctl(client->poll, EPOLL_CTL_DEL, socket, &event);
    else if (epoll_ctl(client->poll, EPOLL_CTL_MOD, socket, &event))
        epoll_ctl(client->poll, EPOLL_CTL_ADD, socket, &event);
    return 0;
}

static int set_timer(CURLM *multi, long milliseconds, void *context) {
    (void)multi;
    ((client *)context)->timeout = milliseconds;
    return 0;
}

/* Writes a request's body. Its payload needs no escape. */
static void write_body(client *client, slot *slot) {
    int64_t left = client->goal - client->begun;
    slot->messages = left < client->batch ? (int)left : client->batch;
    char *end = slot->body;
    switch (client->service) {
    case REFERENCE_HTTP_WEBHOOK:
        memcpy(end, client->payload, (size_t)client->size);
        end += client->size;
        break;
    case REFERENCE_HTTP_SQS:
        end += sprintf(end, "{\"QueueUrl\":\"http://127.0.0.1/000000000000/bench\",\"Entries\":[");
        for (int index = 0; index < slot->messages; index++)
            end += sprintf(end, "%s{\"Id\":\"%d\",\"MessageBody\":\"%s\"}", index ? "," : "", index, client->payload);
        end += sprintf(end, "]}");
        break;
    case REFERENCE_HTTP_KINESIS:
        end += sprintf(end, "{\"StreamName\":\"bench\",\"Records\":[");
        for (int index = 0; index < slot->messages; index++)
            end += sprintf(
                end, "%s{\"Data\":\"%s\",\"PartitionKey\":\"key-%lld\"}", index ? "," : "", client->payload,
                (long long)(client->begun + index));
        end += sprintf(end, "]}");
        break;
    }
    slot->body_count = (size_t)(end - slot->body);
}

static void begin(client *client, slot *slot) {
    write_body(client, slot);
    client->begun += slot->messages;
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDS, slot->body);
    curl_easy_setopt(slot->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)slot->body_count);
    curl_multi_add_handle(client->multi, slot->easy);
}

/* Takes what is done, and begins what is left. */
static int collect(client *client, reference_result *result) {
    CURLMsg *message;
    int rest;
    while ((message = curl_multi_info_read(client->multi, &rest))) {
        if (message->msg != CURLMSG_DONE) continue;
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        slot *slot;
        long status = 0;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&slot);
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        curl_multi_remove_handle(client->multi, easy);
        if (code || status != 200) {
            snprintf(result->error, sizeof result->error, "status %ld: %s", status, curl_easy_strerror(code));
            return 0;
        }
        client->done += slot->messages;
        if (client->begun < client->goal) begin(client, slot);
    }
    return 1;
}

reference_result reference_http(
    const char *url, reference_http_service service, int64_t messages, int size, int batch, int window) {
    reference_result result = {0};
    /* In base 64 where it is in JSON, as a transport sends any bytes. */
    size_t payload_size = service != REFERENCE_HTTP_WEBHOOK ? ((size_t)size + 2) / 3 * 4 : (size_t)size;
    char *payload = malloc(payload_size + 1);
    memset(payload, 'x', payload_size);
    payload[payload_size] = 0;
    client client = {.multi = curl_multi_init(), .poll = epoll_create1(EPOLL_CLOEXEC), .timeout = -1, .service = service,
                     .size = size, .batch = batch, .payload = payload, .goal = messages};
    curl_multi_setopt(client.multi, CURLMOPT_SOCKETFUNCTION, watch);
    curl_multi_setopt(client.multi, CURLMOPT_SOCKETDATA, &client);
    curl_multi_setopt(client.multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(client.multi, CURLMOPT_TIMERDATA, &client);
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    headers = curl_slist_append(headers, "Content-Type: application/x-amz-json-1.0");
    slot *slots = calloc((size_t)window, sizeof *slots);
    double began = reference_now();
    for (int index = 0; index < window && client.begun < messages; index++) {
        slot *slot = &slots[index];
        slot->easy = curl_easy_init();
        slot->body = malloc(256 + (size_t)batch * (payload_size + 96));
        curl_easy_setopt(slot->easy, CURLOPT_URL, url);
        curl_easy_setopt(slot->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(slot->easy, CURLOPT_WRITEFUNCTION, receive);
        curl_easy_setopt(slot->easy, CURLOPT_WRITEDATA, &client);
        curl_easy_setopt(slot->easy, CURLOPT_PRIVATE, slot);
        curl_easy_setopt(slot->easy, CURLOPT_NOSIGNAL, 1L);
        begin(&client, slot);
    }
    struct epoll_event events[64];
    while (client.done < messages) {
        int count = epoll_wait(client.poll, events, 64, client.timeout < 0 ? 60000 : (int)client.timeout), running;
        if (count == 0 && client.timeout < 0) {
            snprintf(result.error, sizeof result.error, "a minute without an answer");
            break;
        }
        if (count <= 0) {
            client.timeout = -1;
            curl_multi_socket_action(client.multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        for (int index = 0; index < count; index++)
            curl_multi_socket_action(
                client.multi, events[index].data.fd,
                (events[index].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                    (events[index].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                    (events[index].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0),
                &running);
        if (!collect(&client, &result)) break;
    }
    result.seconds = reference_now() - began;
    result.messages = client.done;
    result.bytes = client.done * size;
    for (int index = 0; index < window; index++) {
        if (!slots[index].easy) continue;
        curl_multi_remove_handle(client.multi, slots[index].easy);
        curl_easy_cleanup(slots[index].easy);
        free(slots[index].body);
    }
    curl_multi_cleanup(client.multi);
    curl_slist_free_all(headers);
    close(client.poll);
    free(slots);
    free(payload);
    return result;
}
