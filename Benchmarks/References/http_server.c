#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "references.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_CONNECTIONS = 4096 };

typedef struct {
    char *bytes;
    size_t count, room;
} buffer;

typedef struct {
    int socket;
    /* Its place among those that are open. */
    int index;
    buffer received, answer;
    /* When the answer is to be sent. */
    double due;
} connection;

struct reference_http_server {
    reference_http_service service;
    int listener, port, pipe[2], poll;
    atomic_llong requests;
    pthread_t thread;
    double delay;
    /* Those that are open. */
    connection *connections[MOST_CONNECTIONS];
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

static void append_text(buffer *buffer, const char *text) { append(buffer, text, strlen(text)); }

static void append_number(buffer *buffer, int number) {
    char digits[12], *first = digits + sizeof digits;
    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    append(buffer, first, (size_t)(digits + sizeof digits - first));
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
            append_text(answer, is_first ? "{\"Id\":\"" : ",{\"Id\":\"");
            append(answer, id, (size_t)(quote - id));
            append_text(answer, "\",\"MessageId\":\"00000000-0000-0000-0000-000000000000\"}");
            is_first = 0;
        }
        append(answer, "]}", 2);
        return;
    }
    case REFERENCE_HTTP_KINESIS: {
        append(answer, "{\"FailedRecordCount\":0,\"Records\":[", 34);
        int records = entries(body, count, "\"PartitionKey\":");
        for (int index = 0; index < records; index++) {
            append_text(answer, index ? ",{\"SequenceNumber\":\"" : "{\"SequenceNumber\":\"");
            append_number(answer, index);
            append_text(answer, "\",\"ShardId\":\"shardId-000000000000\"}");
        }
        append(answer, "]}", 2);
        return;
    }
    }
}

/* Sends what is due. Returns whether the connection goes on. */
static int send_answer(connection *connection) {
    buffer *answer = &connection->answer;
    for (size_t sent = 0; sent < answer->count;) {
        ssize_t count = send(connection->socket, answer->bytes + sent, answer->count - sent, MSG_NOSIGNAL);
        if (count <= 0) return 0;
        sent += (size_t)count;
    }
    answer->count = 0;
    return 1;
}

/* Answers all requests that are there whole. Returns whether the connection goes on. */
static int serve(reference_http_server *server, connection *connection) {
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
    if (server->delay <= 0) return send_answer(connection);
    if (start) connection->due = reference_now() + server->delay;
    return 1;
}

static void watch(reference_http_server *server, int descriptor, void *what) {
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = what}};
    epoll_ctl(server->poll, EPOLL_CTL_ADD, descriptor, &event);
}

static void accept_one(reference_http_server *server) {
    int socket = accept(server->listener, NULL, NULL);
    if (socket < 0) return;
    int yes = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (server->count == MOST_CONNECTIONS) {
        close(socket);
        return;
    }
    connection *connection = calloc(1, sizeof *connection);
    connection->socket = socket;
    connection->index = server->count;
    server->connections[server->count++] = connection;
    watch(server, socket, connection);
}

static void close_connection(reference_http_server *server, connection *connection) {
    server->connections[connection->index] = server->connections[--server->count];
    server->connections[connection->index]->index = connection->index;
    close(connection->socket);
    free(connection->received.bytes);
    free(connection->answer.bytes);
    free(connection);
}

/* Returns whether the connection goes on. */
static int receive(reference_http_server *server, connection *connection) {
    char bytes[256 << 10];
    ssize_t count = recv(connection->socket, bytes, sizeof bytes, 0);
    if (count <= 0) return 0;
    append(&connection->received, bytes, (size_t)count);
    return serve(server, connection);
}

/* Waits until something has come, or an answer is due. */
static int wait_for_work(reference_http_server *server, struct epoll_event *events, int most) {
    struct timespec time, *limit = NULL;
    double first = -1;
    for (int index = 0; server->delay > 0 && index < server->count; index++) {
        const connection *connection = server->connections[index];
        if (connection->answer.count && (first < 0 || connection->due < first)) first = connection->due;
    }
    if (first >= 0) {
        double seconds = first - reference_now();
        if (seconds < 0) seconds = 0;
        time.tv_sec = (time_t)seconds;
        time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
        limit = &time;
    }
    return epoll_pwait2(server->poll, events, most, limit, NULL);
}

static void send_due(reference_http_server *server) {
    double now = reference_now();
    for (int index = server->count - 1; index >= 0; index--) {
        connection *connection = server->connections[index];
        if (connection->answer.count && connection->due <= now && !send_answer(connection))
            close_connection(server, connection);
    }
}

static void *work(void *argument) {
    reference_http_server *server = argument;
    pthread_setname_np(pthread_self(), REFERENCE_SERVER_THREAD);
    struct epoll_event events[64];
    for (int goes_on = 1; goes_on;) {
        int count = wait_for_work(server, events, 64);
        for (int index = 0; index < count; index++) {
            void *what = events[index].data.ptr;
            if (what == server->pipe) goes_on = 0;
            else if (what == &server->listener) accept_one(server);
            else if (!receive(server, what)) close_connection(server, what);
        }
        if (server->delay > 0) send_due(server);
    }
    while (server->count) close_connection(server, server->connections[0]);
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
    server->poll = epoll_create1(EPOLL_CLOEXEC);
    watch(server, server->pipe[0], server->pipe);
    watch(server, server->listener, &server->listener);
    pthread_create(&server->thread, NULL, work, server);
    return server;
}

int reference_http_server_port(const reference_http_server *server) { return server->port; }

int64_t reference_http_server_requests(const reference_http_server *server) { return atomic_load(&server->requests); }

void reference_http_server_stop(reference_http_server *server) {
    close(server->pipe[1]);
    pthread_join(server->thread, NULL);
    close(server->poll);
    close(server->pipe[0]);
    close(server->listener);
    free(server);
}
