/* What the benchmarks measure against: the least that a program in C with libpq, librabbitmq, librdkafka or libcurl can do for the same
   result; and the load that they put on a server, which has to be cheap itself. All calls block. */
#ifndef OUTBOX_REFERENCES_H
#define OUTBOX_REFERENCES_H

#include <stdint.h>

/* What a call has done, and in what time. */
typedef struct {
    double seconds;
    /* Of a processor, by the calling thread; 0: not measured. */
    double processor_seconds;
    int64_t messages;
    /* Of the payloads. */
    int64_t bytes;
    /* What went wrong; empty: nothing. */
    char error[512];
} reference_result;

/* Seconds of the clock that all times here are of. */
double reference_now(void);

/* How long the calling thread has used a processor, in seconds. */
double reference_processor_now(void);

/* How much memory of this process is resident, in bytes; 0 where that cannot be known. */
int64_t reference_resident_bytes(void);

/*
 * Reads all messages of a destination in pages, by id, in binary, and looks at the length of every payload. It keeps no
 * cursor, knows no late commits and delivers to nobody. The connection and the plan are not in the time.
 *
 * log: the table, qualified and quoted.
 */
reference_result reference_drain(const char *conninfo, const char *log, const char *destination, int page);

/*
 * Inserts messages of one length into a table with COPY, in binary and in one transaction. The connection is not in the time.
 *
 * has_segment: whether the table is a log, whose column segment is given.
 */
reference_result reference_copy(
    const char *conninfo, const char *table, int has_segment, const char *destination, int64_t messages, int size);

/*
 * Commits one statement again and again over a number of connections, in one thread: until a time is over or a number of
 * commits reached, whichever is first. The statement has a parameter $1::bigint: when it was sent, in nanoseconds of
 * reference_now.
 *
 * seconds: 0: however long.
 * messages: how many commits at most; 0: any number.
 * rate: commits a second, if the server keeps up; 0: as many as it can.
 */
reference_result reference_commits(
    const char *conninfo, const char *statement, int clients, double seconds, int64_t messages, double rate);

/*
 * Commits messages one at a time with pauses between them, as on a quiet system. A payload is the message's number, from 0,
 * as 4 bytes, most significant first.
 *
 * committed: takes, for each message, when its COMMIT was sent.
 */
reference_result reference_quiet_commits(
    const char *conninfo, const char *log, const char *destination, int messages, double pause, double *committed);

/* One that LISTENs, and SELECTs when it was notified. */
typedef struct reference_listener reference_listener;

/* Connects and listens; to be ended with reference_listener_run. */
reference_listener *reference_listen(
    const char *conninfo, const char *log, const char *destination, const char *channel);

/*
 * Receives messages of reference_quiet_commits until it has all, or a minute passes without one; then disconnects.
 *
 * arrived: takes, for each message, when it was in hand.
 */
reference_result reference_listener_run(reference_listener *listener, int messages, double *arrived);

/* How many messages there are to handle, which may become known while a worker is at work. */
typedef struct reference_goal reference_goal;
reference_goal *reference_goal_create(int64_t messages);
void reference_goal_set(reference_goal *goal, int64_t messages);
void reference_goal_free(reference_goal *goal);

/*
 * The worker of a queue in a table: claims messages, looks at the length of every payload, and finishes them; until the goal
 * is reached, or a minute passes without a message.
 *
 * claim: returns id and payload; $1::bigint: how many at most.
 * finish: $1::bigint[]: their ids.
 * channel: waits there for a notification when there is nothing to claim, a second at most; null: looks every 20 ms.
 * is_transaction: whether claim and finish are one transaction, or two.
 */
reference_result reference_work(
    const char *conninfo, const char *claim, const char *finish, const char *channel, int is_transaction, int page,
    reference_goal *goal);

/*
 * Publishes persistent messages of one length to a durable queue of RabbitMQ, through the default exchange, on one channel with
 * confirms. The connection and the queue's declaration are not in the time.
 *
 * window: how many messages may be unconfirmed.
 */
reference_result reference_amqp(
    const char *host, int port, const char *queue, int64_t messages, int size, int window);

/*
 * Produces records to Kafka, idempotent and with acks=all, each with a key, a header as the transport adds it, and a payload
 * that is lent; until all are confirmed. Connecting is not in the time.
 *
 * keys: how many different ones.
 * window: how many are under way at most.
 */
reference_result reference_kafka(
    const char *brokers, const char *topic, int64_t messages, int size, int keys, int window, double linger_ms);

/* Brokers of librdkafka's own, in this process, with one topic. They keep the newest messages in memory. */
typedef struct reference_kafka_brokers reference_kafka_brokers;
/* Null: they do not start. */
reference_kafka_brokers *reference_kafka_brokers_start(int brokers, const char *topic, int partitions);
/* With commas; as long as they run. */
const char *reference_kafka_brokers_addresses(const reference_kafka_brokers *brokers);
void reference_kafka_brokers_stop(reference_kafka_brokers *brokers);

/* What the threads of the servers below are called, so that their time can be told from that of what uses them. */
#define REFERENCE_SERVER_THREAD "bench-server"

/* A service that is spoken to by HTTP. */
typedef enum { REFERENCE_HTTP_WEBHOOK, REFERENCE_HTTP_SQS, REFERENCE_HTTP_KINESIS } reference_http_service;

/* A server of HTTP/1.1 on this machine, in a thread of this process, that takes everything and keeps nothing: the least that such a service does. */
typedef struct reference_http_server reference_http_server;
/*
 * Null: it does not start.
 *
 * delay: how many seconds it waits with an answer.
 */
reference_http_server *reference_http_server_start(reference_http_service service, double delay);
int reference_http_server_port(const reference_http_server *server);
int64_t reference_http_server_requests(const reference_http_server *server);
void reference_http_server_stop(reference_http_server *server);

/* What a program does for each request. */
typedef enum {
    /* Nothing: it sends bytes that were made before the time begins, signed by nothing, and does not read what an answer says. */
    REFERENCE_HTTP_SENDS,
    /* What a transport does: it makes the body from the payloads, signs, and reads which messages the answer says are delivered. */
    REFERENCE_HTTP_DOES_ALL,
} reference_http_work;

/*
 * Posts messages of one length with libcurl, driven by epoll, until all are answered with 200.
 *
 * held: how many payloads are in memory, which are sent again and again.
 * batch: how many messages a request has.
 * window: how many requests are under way, on a connection each.
 */
reference_result reference_http(
    const char *url, reference_http_service service, reference_http_work work, int64_t messages, int size, int64_t held,
    int batch, int window);

/* A server of gRPC on this machine, by HTTP/2 with TLS, a thread for each connection, that publishes everything and keeps nothing: the least that
   Pub/Sub does. */
typedef struct reference_grpc_server reference_grpc_server;
/*
 * Null: it does not start.
 *
 * certificate: a file that is written: whose certificate is to be trusted, for localhost.
 * delay: how many seconds it waits with an answer.
 */
reference_grpc_server *reference_grpc_server_start(const char *certificate, double delay);
int reference_grpc_server_port(const reference_grpc_server *server);
void reference_grpc_server_stop(reference_grpc_server *server);

/*
 * Publishes messages of one length with libcurl, driven by epoll, until all are answered with an id. Each has its number and its time as attributes, as
 * the transport sends them.
 *
 * certificate: a file with what is trusted.
 * held: how many payloads are in memory, which are sent again and again.
 * is_ordered: whether a message has an ordering key.
 * batch: how many messages a request has.
 * window: how many requests are under way, on one connection where it takes them.
 */
reference_result reference_publish(
    const char *url, const char *certificate, int64_t messages, int size, int64_t held, int is_ordered,
    int batch, int window);

#endif
