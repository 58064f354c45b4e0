#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "references.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_CONNECTIONS = 4096 };

typedef struct {
    char *bytes;
    size_t count, room;
} buffer;

typedef struct {
    buffer received, answer;
    /* When the answer is to be sent. */
    double due;
} connection;

struct reference_http_server {
    reference_http_service service;
    int listener, port, pipe[2];
    atomic_llong requests;
    pthread_t thread;
    double delay;
    struct pollfd polls[MOST_CONNECTIONS + 2];
    connection connections[MOST_CONNECTIONS + 2];
    int count;
};

static void append(buffer *buffer, const char *bytes, size_t count) {
    if (buffer->count + count + 1 > buffer->room) {
        buffer->room = 2 * (buffer->count + count + 1);
        buffer->bytes = realloc(buffer->bytes, buffer->room);
    }
    memcpy(buffer->bytes + buffer->count, bytes, count);
    buffer->count += count;
    buffer->bytes[buffer->count] = 0;
}

/* How many entries a body has: how often it has a text that each entry has once. */
static int entries(const char *body, size_t count, const char *mark) {
    int result = 0;
    const char *end = body + count;
    size_t length = strlen(mark);
    while ((body = memmem(body, (size_t)(end - body), mark, length))) {
        result++;
        body += length;
    }
    return result;
}

/* What the service says to a body whose messages it has taken. */
static void answer_body(reference_http_service service, const char *body, size_t count, buffer *answer) {
    char line[256];
    switch (service) {
    case REFERENCE_HTTP_WEBHOOK: return;
    case REFERENCE_HTTP_SQS: {
        append(answer, "{\"Successful\":[", 15);
        const char *end = body + count, *id = body;
        int is_first = 1;
        while ((id = memmem(id, (size_t)(end - id), "\"Id\":\"", 6))) {
            id += 6;
            const char *quote = memchr(id, '"', (size_t)(end - id));
            if (!quote) break;
            int length = snprintf(
                line, sizeof line, "%s{\"Id\":\"%.*s\",\"MessageId\":\"00000000-0000-0000-0000-000000000000\"}",
                is_first ? "" : ",", (int)(quote - id), id);
            append(answer, line, (size_t)length);
            is_first = 0;
        }
        append(answer, "]}", 2);
        return;
    }
    case REFERENCE_HTTP_KINESIS: {
        append(answer, "{\"FailedRecordCount\":0,\"Records\":[", 34);
        int records = entries(body, count, "\"PartitionKey\":");
        for (int index = 0; index < records; index++) {
            int length = snprintf(
                line, sizeof line, "%s{\"SequenceNumber\":\"%d\",\"ShardId\":\"shardId-000000000000\"}", index ? "," : "",
                index);
            append(answer, line, (size_t)length);
        }
        append(answer, "]}", 2);
        return;
    }
    }
}

/* Sends what is due. Returns whether the connection goes on. */
static int send_answer(int socket, connection *connection) {
    buffer *answer = &connection->answer;
    for (size_t sent = 0; sent < answer->count;) {
        ssize_t count = send(socket, answer->bytes + sent, answer->count - sent, MSG_NOSIGNAL);
        if (count <= 0) return 0;
        sent += (size_t)count;
    }
    answer->count = 0;
    return 1;
}

/* Answers all requests that are there whole. Returns whether the connection goes on. */
static int serve(reference_http_server *server, int socket, connection *connection) {
    buffer *received = &connection->received;
    size_t start = 0;
    while (received->count > start) {
        char *head = received->bytes + start;
        char *end = memmem(head, received->count - start, "\r\n\r\n", 4);
        if (!end) break;
        size_t length = 0;
        for (char *line = head; line && line < end; line = memchr(line, '\n', (size_t)(end - line))) {
            if (*line == '\n') line++;
            if (!strncasecmp(line, "content-length:", 15)) length = strtoul(line + 15, NULL, 10);
        }
        char *body = end + 4;
        if ((size_t)(received->bytes + received->count - body) < length) break;
        buffer text = {0};
        answer_body(server->service, body, length, &text);
        char lines[128];
        int count = snprintf(lines, sizeof lines, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", text.count);
        append(&connection->answer, lines, (size_t)count);
        if (text.count) append(&connection->answer, text.bytes, text.count);
        free(text.bytes);
        atomic_fetch_add(&server->requests, 1);
        start = (size_t)(body + length - received->bytes);
    }
    if (start) {
        memmove(received->bytes, received->bytes + start, received->count - start);
        received->count -= start;
    }
    if (server->delay <= 0) return send_answer(socket, connection);
    if (start) connection->due = reference_now() + server->delay;
    return 1;
}

static void accept_one(reference_http_server *server) {
    int socket = accept(server->listener, NULL, NULL);
    if (socket < 0) return;
    int yes = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (server->count == MOST_CONNECTIONS + 2) {
        close(socket);
        return;
    }
    server->polls[server->count] = (struct pollfd){.fd = socket, .events = POLLIN};
    server->connections[server->count++] = (connection){0};
}

static void close_connection(reference_http_server *server, int index) {
    close(server->polls[index].fd);
    free(server->connections[index].received.bytes);
    free(server->connections[index].answer.bytes);
}

/* Waits until something has come, or an answer is due. */
static int wait_for_work(reference_http_server *server) {
    struct timespec time, *limit = NULL;
    if (server->delay > 0) {
        double first = -1;
        for (int index = 2; index < server->count; index++) {
            const connection *connection = &server->connections[index];
            if (connection->answer.count && (first < 0 || connection->due < first)) first = connection->due;
        }
        if (first >= 0) {
            double seconds = first - reference_now();
            if (seconds < 0) seconds = 0;
            time.tv_sec = (time_t)seconds;
            time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
            limit = &time;
        }
    }
    return ppoll(server->polls, (nfds_t)server->count, limit, NULL) >= 0;
}

static void *work(void *argument) {
    reference_http_server *server = argument;
    pthread_setname_np(pthread_self(), REFERENCE_SERVER_THREAD);
    char bytes[256 << 10];
    while (wait_for_work(server)) {
        if (server->polls[0].revents) break;
        if (server->polls[1].revents) accept_one(server);
        double now = server->delay > 0 ? reference_now() : 0;
        for (int index = server->count - 1; index > 1; index--) {
            connection *connection = &server->connections[index];
            int socket = server->polls[index].fd, goes_on = 1;
            if (server->polls[index].revents) {
                ssize_t count = recv(socket, bytes, sizeof bytes, 0);
                goes_on = count > 0;
                if (goes_on) {
                    append(&connection->received, bytes, (size_t)count);
                    goes_on = serve(server, socket, connection);
                }
            }
            if (goes_on && connection->answer.count && connection->due <= now) goes_on = send_answer(socket, connection);
            if (goes_on) continue;
            close_connection(server, index);
            server->count--;
            server->polls[index] = server->polls[server->count];
            server->connections[index] = server->connections[server->count];
        }
    }
    for (int index = 2; index < server->count; index++) close_connection(server, index);
    return NULL;
}

reference_http_server *reference_http_server_start(reference_http_service service, double delay) {
    reference_http_server *server = calloc(1, sizeof *server);
    server->service = service;
    server->delay = delay;
    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (server->listener < 0 || bind(server->listener, (struct sockaddr *)&address, sizeof address) ||
        listen(server->listener, 1024) || getsockname(server->listener, (struct sockaddr *)&address, &length) ||
        pipe(server->pipe)) {
        if (server->listener >= 0) close(server->listener);
        free(server);
        return NULL;
    }
    server->port = ntohs(address.sin_port);
    server->polls[0] = (struct pollfd){.fd = server->pipe[0], .events = POLLIN};
    server->polls[1] = (struct pollfd){.fd = server->listener, .events = POLLIN};
    server->count = 2;
    pthread_create(&server->thread, NULL, work, server);
    return server;
}

int reference_http_server_port(const reference_http_server *server) { return server->port; }

int64_t reference_http_server_requests(const reference_http_server *server) { return atomic_load(&server->requests); }

void reference_http_server_stop(reference_http_server *server) {
    close(server->pipe[1]);
    pthread_join(server->thread, NULL);
    close(server->pipe[0]);
    close(server->listener);
    free(server);
}
