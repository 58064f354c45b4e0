#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "curl_loop.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

static int watch(CURL *easy, curl_socket_t socket, int what, void *context, void *place) {
    (void)easy, (void)place;
    curl_loop *loop = context;
    struct epoll_event event = {
        .events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0), .data = {.fd = socket}};
    if (what == CURL_POLL_REMOVE)
        epoll_ctl(loop->poll, EPOLL_CTL_DEL, socket, &event);
    else if (epoll_ctl(loop->poll, EPOLL_CTL_MOD, socket, &event))
        epoll_ctl(loop->poll, EPOLL_CTL_ADD, socket, &event);
    return 0;
}

static int set_timer(CURLM *multi, long milliseconds, void *context) {
    (void)multi;
    ((curl_loop *)context)->timeout = milliseconds;
    return 0;
}

void curl_loop_begin(curl_loop *loop) {
    loop->multi = curl_multi_init();
    loop->poll = epoll_create1(EPOLL_CLOEXEC);
    loop->timeout = -1;
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, watch);
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
}

int curl_loop_wait(curl_loop *loop, reference_result *result) {
    struct epoll_event events[64];
    int count = epoll_wait(loop->poll, events, 64, loop->timeout < 0 ? 60000 : (int)loop->timeout), running;
    if (count == 0 && loop->timeout < 0) {
        snprintf(result->error, sizeof result->error, "a minute without an answer");
        return 0;
    }
    if (count <= 0) {
        loop->timeout = -1;
        curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    for (int index = 0; index < count; index++)
        curl_multi_socket_action(
            loop->multi, events[index].data.fd,
            (events[index].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                (events[index].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                (events[index].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0),
            &running);
    return 1;
}

void curl_loop_end(curl_loop *loop) {
    curl_multi_cleanup(loop->multi);
    close(loop->poll);
}
