#ifndef SWIFT_OUTBOX_CCURL_SHIM_H
#define SWIFT_OUTBOX_CCURL_SHIM_H

/* The checks of types are macros, which look at what the functions below are called with. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#ifdef __linux__
#include <sys/epoll.h>
#include <unistd.h>

/* Which sockets are ready. Swift's Glibc does not have epoll, whose structure has a pointer in a union. */

typedef struct {
    int socket;
    int is_readable, is_writable, has_failed;
} outbox_ready_socket;

static inline int outbox_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

/* Watches a socket that is watched already, or is not; for nothing: no more. */
static inline void outbox_epoll_watch(int poll, int socket, int reads, int writes, int is_watched) {
    struct epoll_event event = {.events = (reads ? EPOLLIN : 0) | (writes ? EPOLLOUT : 0), .data = {.fd = socket}};
    epoll_ctl(poll, !event.events ? EPOLL_CTL_DEL : is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event);
}

static inline int outbox_epoll_wait(int poll, outbox_ready_socket *ready, int most, int milliseconds) {
    struct epoll_event events[64];
    int count = epoll_wait(poll, events, most < 64 ? most : 64, milliseconds);
    for (int i = 0; i < count; i++) {
        ready[i].socket = events[i].data.fd;
        ready[i].is_readable = (events[i].events & (EPOLLIN | EPOLLHUP)) != 0;
        ready[i].is_writable = (events[i].events & EPOLLOUT) != 0;
        ready[i].has_failed = (events[i].events & EPOLLERR) != 0;
    }
    return count;
}
#endif

/* curl_easy_setopt and its like, which Swift cannot call because they take any type, one function for each type. */

static inline CURLcode outbox_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode outbox_curl_set_size(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode outbox_curl_set_text(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode outbox_curl_set_pointer(CURL *easy, CURLoption option, const void *value) {
    return curl_easy_setopt(easy, option, value);
}

typedef size_t (*outbox_curl_receiver)(char *bytes, size_t size, size_t count, void *context);

static inline CURLcode outbox_curl_set_receiver(CURL *easy, CURLoption option, outbox_curl_receiver receiver) {
    return curl_easy_setopt(easy, option, receiver);
}

typedef curl_socket_t (*outbox_curl_opener)(void *context, curlsocktype purpose, struct curl_sockaddr *address);

static inline CURLcode outbox_curl_set_opener(CURL *easy, outbox_curl_opener opener) {
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, opener);
}

typedef int (*outbox_curl_closer)(void *context, curl_socket_t socket);

static inline CURLcode outbox_curl_set_closer(CURL *easy, outbox_curl_closer closer) {
    return curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, closer);
}

static inline CURLcode outbox_curl_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode outbox_curl_size(CURL *easy, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode outbox_curl_pointer(CURL *easy, CURLINFO info, void **value) {
    return curl_easy_getinfo(easy, info, (char **)value);
}

static inline CURLcode outbox_curl_socket(CURL *easy, CURLINFO info, curl_socket_t *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLMcode outbox_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

static inline CURLMcode outbox_curl_multi_set_pointer(CURLM *multi, CURLMoption option, void *value) {
    return curl_multi_setopt(multi, option, value);
}

static inline CURLMcode outbox_curl_multi_set_watcher(CURLM *multi, curl_socket_callback watcher) {
    return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watcher);
}

static inline CURLMcode outbox_curl_multi_set_timer(CURLM *multi, curl_multi_timer_callback timer) {
    return curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer);
}

/* A message's result, which is in a union. */
static inline CURLcode outbox_curl_result(const CURLMsg *message) { return message->data.result; }

/* Macros with casts, which Swift does not read. */
static const curl_socket_t outbox_curl_no_socket = CURL_SOCKET_BAD;
static const size_t outbox_curl_refuse = CURL_WRITEFUNC_ERROR;

#endif
