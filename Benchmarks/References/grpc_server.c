#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "grpc.h"
#include "references.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_STREAMS = 100, FRAME_HEAD = 9, WINDOW = 1 << 30 };
enum { DATA = 0, HEADERS = 1, SETTINGS = 4, PING = 6, WINDOW_UPDATE = 8, END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

typedef struct {
    unsigned char *bytes;
    size_t count, room;
} buffer;

/* A call whose request has begun. */
typedef struct {
    uint32_t number;
    buffer request;
    /* When it is to be answered; 0: its request has not come whole. */
    double due;
} stream;

typedef struct connection {
    reference_grpc_server *server;
    struct connection *next;
    int socket;
    SSL *ssl;
    buffer received, answers;
    stream streams[MOST_STREAMS];
    /* How much was read that the client was not told it may send again, and how much it takes. */
    uint32_t read;
    int64_t room;
} connection;

struct reference_grpc_server {
    int listener, port;
    double delay;
    SSL_CTX *context;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t has_ended;
    /* Those that are open, each with a thread that is not waited for but by the end of it. */
    connection *connections;
};

static unsigned char *extend(buffer *buffer, size_t count) {
    if (buffer->count + count > buffer->room) {
        buffer->room = 2 * (buffer->count + count);
        buffer->bytes = realloc(buffer->bytes, buffer->room);
    }
    buffer->count += count;
    return buffer->bytes + buffer->count - count;
}

static unsigned char *put_number(unsigned char *end, uint32_t number) {
    for (int shift = 24; shift >= 0; shift -= 8) *end++ = (unsigned char)(number >> shift);
    return end;
}

/* Begins a frame of so many bytes, and returns where these belong. */
static unsigned char *frame(buffer *out, int kind, int flags, uint32_t stream, size_t count) {
    unsigned char *end = extend(out, FRAME_HEAD + count);
    for (int shift = 16; shift >= 0; shift -= 8) *end++ = (unsigned char)(count >> shift);
    *end++ = (unsigned char)kind;
    *end++ = (unsigned char)flags;
    return put_number(end, stream);
}

/* A header that no table is to have. */
static unsigned char *put_header(unsigned char *end, const char *name, const char *value) {
    *end++ = 0;
    for (int part = 0; part < 2; part++) {
        const char *text = part ? value : name;
        *end++ = (unsigned char)strlen(text);
        end = (unsigned char *)stpcpy((char *)end, text);
    }
    return end;
}

/* All messages of a request are published: an id for each. Returns whether the client has room for it. */
static int answer(connection *connection, stream *stream) {
    buffer *request = &stream->request, *out = &connection->answers;
    int messages =
        request->count < GRPC_PREFIX ? 0 : protobuf_count(request->bytes + GRPC_PREFIX, request->count - GRPC_PREFIX, 2);
    size_t count = (size_t)messages * 3;
    unsigned char head[64], *end = head;
    /* “:status: 200”, which all tables have. */
    *end++ = 0x88;
    end = put_header(end, "content-type", "application/grpc");
    memcpy(frame(out, HEADERS, END_HEADERS, stream->number, (size_t)(end - head)), head, (size_t)(end - head));
    end = grpc_put_prefix(frame(out, DATA, 0, stream->number, GRPC_PREFIX + count), count);
    for (int index = 0; index < messages; index++) end = protobuf_put_bytes(end, 1, "1", 1);
    end = put_header(head, "grpc-status", "0");
    memcpy(frame(out, HEADERS, END_HEADERS | END_STREAM, stream->number, (size_t)(end - head)), head, (size_t)(end - head));
    connection->room -= (int64_t)(GRPC_PREFIX + count);
    stream->number = 0;
    stream->due = 0;
    request->count = 0;
    return connection->room >= 0;
}

/* The request has come whole. */
static int take_request(connection *connection, stream *stream) {
    if (connection->server->delay <= 0) return answer(connection, stream);
    stream->due = reference_now() + connection->server->delay;
    return 1;
}

/* Answers what is due. Returns whether the connection goes on. */
static int answer_due(connection *connection) {
    double now = reference_now();
    for (int index = 0; index < MOST_STREAMS; index++) {
        stream *stream = &connection->streams[index];
        if (stream->due > 0 && stream->due <= now && !answer(connection, stream)) return 0;
    }
    return 1;
}

/* Waits until something has come, or an answer is due. Returns whether something has come. */
static int wait_for_work(connection *connection) {
    if (connection->server->delay <= 0 || SSL_pending(connection->ssl)) return 1;
    double first = 0;
    for (int index = 0; index < MOST_STREAMS; index++) {
        double due = connection->streams[index].due;
        if (due > 0 && (first <= 0 || due < first)) first = due;
    }
    struct timespec time, *limit = NULL;
    if (first > 0) {
        double seconds = first - reference_now();
        if (seconds < 0) seconds = 0;
        time.tv_sec = (time_t)seconds;
        time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
        limit = &time;
    }
    struct pollfd poll = {.fd = connection->socket, .events = POLLIN};
    return ppoll(&poll, 1, limit, NULL) != 0;
}

static stream *find(connection *connection, uint32_t number) {
    for (int index = 0; index < MOST_STREAMS; index++)
        if (connection->streams[index].number == number) return &connection->streams[index];
    return NULL;
}

/* What headers say is not looked at. Returns whether the connection goes on. */
static int take(connection *connection, int kind, int flags, uint32_t number, const unsigned char *bytes, size_t count) {
    switch (kind) {
    case HEADERS: {
        stream *stream = find(connection, 0);
        if (!stream) return 0;
        stream->number = number;
        return flags & END_STREAM ? take_request(connection, stream) : 1;
    }
    case DATA: {
        stream *stream = find(connection, number);
        if (!stream) return 0;
        memcpy(extend(&stream->request, count), bytes, count);
        connection->read += (uint32_t)count;
        return flags & END_STREAM ? take_request(connection, stream) : 1;
    }
    case SETTINGS:
        if (!(flags & ACK)) frame(&connection->answers, SETTINGS, ACK, 0, 0);
        return 1;
    case PING:
        if (!(flags & ACK)) memcpy(frame(&connection->answers, PING, ACK, 0, count), bytes, count);
        return 1;
    case WINDOW_UPDATE:
        if (number == 0 && count == 4) connection->room += ntohl(*(const uint32_t *)(const void *)bytes);
        return 1;
    default: return 1;
    }
}

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static void open_window(connection *connection, uint32_t count) {
    put_number(frame(&connection->answers, WINDOW_UPDATE, 0, 0, 4), count);
}

/* As many calls as Google's servers take on a connection, and all that they send. */
static void greet(connection *connection) {
    unsigned char *end = frame(&connection->answers, SETTINGS, 0, 0, 12);
    *end++ = 0, *end++ = 3;
    end = put_number(end, MOST_STREAMS);
    *end++ = 0, *end++ = 4;
    put_number(end, WINDOW);
    open_window(connection, WINDOW);
}

/* Takes all frames that are there whole. */
static int take_frames(connection *connection) {
    buffer *received = &connection->received;
    size_t start = 0;
    while (received->count - start >= FRAME_HEAD) {
        unsigned char *head = received->bytes + start;
        size_t count = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        if (received->count - start < FRAME_HEAD + count) break;
        uint32_t number = ntohl(*(uint32_t *)(void *)(head + 5)) & 0x7fffffff;
        if (!take(connection, head[3], head[4], number, head + FRAME_HEAD, count)) return 0;
        start += FRAME_HEAD + count;
    }
    memmove(received->bytes, received->bytes + start, received->count - start);
    received->count -= start;
    if (connection->read > WINDOW / 4) {
        open_window(connection, connection->read);
        connection->read = 0;
    }
    return 1;
}

static int send_answers(connection *connection) {
    buffer *answers = &connection->answers;
    int is_sent = !answers->count || SSL_write(connection->ssl, answers->bytes, (int)answers->count) > 0;
    answers->count = 0;
    return is_sent;
}

static void end_connection(connection *ended) {
    reference_grpc_server *server = ended->server;
    pthread_mutex_lock(&server->lock);
    connection **place = &server->connections;
    while (*place != ended) place = &(*place)->next;
    *place = ended->next;
    SSL_free(ended->ssl);
    close(ended->socket);
    free(ended->received.bytes);
    free(ended->answers.bytes);
    for (int index = 0; index < MOST_STREAMS; index++) free(ended->streams[index].request.bytes);
    free(ended);
    pthread_cond_signal(&server->has_ended);
    pthread_mutex_unlock(&server->lock);
}

static void *serve(void *argument) {
    connection *connection = argument;
    pthread_setname_np(pthread_self(), REFERENCE_SERVER_THREAD);
    /* A client that has gone is no reason to end the process. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    int goes_on = SSL_accept(connection->ssl) == 1, is_greeted = 0;
    connection->room = 65535;
    if (goes_on) greet(connection);
    while (goes_on && answer_due(connection) && send_answers(connection)) {
        if (!wait_for_work(connection)) continue;
        /* All that has come, so that its answers are sent together. */
        do {
            enum { PIECE = 16384 };
            buffer *received = &connection->received;
            unsigned char *end = extend(received, PIECE);
            int count = SSL_read(connection->ssl, end, PIECE);
            received->count -= PIECE - (count > 0 ? (size_t)count : 0);
            goes_on = count > 0;
        } while (goes_on && SSL_pending(connection->ssl));
        size_t skipped = is_greeted ? 0 : sizeof preface - 1;
        if (connection->received.count < skipped) continue;
        connection->received.count -= skipped;
        memmove(connection->received.bytes, connection->received.bytes + skipped, connection->received.count);
        is_greeted = 1;
        goes_on = goes_on && take_frames(connection);
    }
    end_connection(connection);
    return NULL;
}

static void *accept_all(void *argument) {
    reference_grpc_server *server = argument;
    int socket, yes = 1;
    while ((socket = accept(server->listener, NULL, NULL)) >= 0) {
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        connection *connection = calloc(1, sizeof *connection);
        connection->server = server;
        connection->socket = socket;
        connection->ssl = SSL_new(server->context);
        SSL_set_fd(connection->ssl, socket);
        pthread_mutex_lock(&server->lock);
        connection->next = server->connections;
        server->connections = connection;
        pthread_mutex_unlock(&server->lock);
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, connection))
            end_connection(connection);
        else
            pthread_detach(thread);
    }
    return NULL;
}

static int choose_http2(
    SSL *ssl, const unsigned char **chosen, unsigned char *count, const unsigned char *offered, unsigned int offered_count,
    void *context) {
    (void)ssl, (void)context;
    static const unsigned char own[] = "\x02h2";
    return SSL_select_next_proto((unsigned char **)chosen, count, own, sizeof own - 1, offered, offered_count) ==
                   OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* A certificate for localhost that signs itself, in a file too. Returns whether it could be made. */
static int make_certificate(SSL_CTX *context, const char *path) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 2 * 86400);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_set_pubkey(certificate, key);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost");
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    FILE *file = fopen(path, "w");
    int is_made = file && X509_sign(certificate, key, EVP_sha256()) && PEM_write_X509(file, certificate) &&
                  SSL_CTX_use_certificate(context, certificate) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1;
    if (file) fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return is_made;
}

reference_grpc_server *reference_grpc_server_start(const char *certificate, double delay) {
    reference_grpc_server *server = calloc(1, sizeof *server);
    server->delay = delay;
    server->context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_alpn_select_cb(server->context, choose_http2, NULL);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (server->listener < 0 || !make_certificate(server->context, certificate) ||
        bind(server->listener, (struct sockaddr *)&address, sizeof address) || listen(server->listener, 64) ||
        getsockname(server->listener, (struct sockaddr *)&address, &length)) {
        if (server->listener >= 0) close(server->listener);
        SSL_CTX_free(server->context);
        free(server);
        return NULL;
    }
    server->port = ntohs(address.sin_port);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->has_ended, NULL);
    pthread_create(&server->thread, NULL, accept_all, server);
    return server;
}

int reference_grpc_server_port(const reference_grpc_server *server) { return server->port; }

void reference_grpc_server_stop(reference_grpc_server *server) {
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    pthread_mutex_lock(&server->lock);
    for (connection *open = server->connections; open; open = open->next) shutdown(open->socket, SHUT_RDWR);
    while (server->connections) pthread_cond_wait(&server->has_ended, &server->lock);
    pthread_mutex_unlock(&server->lock);
    pthread_cond_destroy(&server->has_ended);
    pthread_mutex_destroy(&server->lock);
    SSL_CTX_free(server->context);
    free(server);
}
