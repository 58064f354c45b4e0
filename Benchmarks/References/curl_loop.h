#ifndef CURL_LOOP_H
#define CURL_LOOP_H

#include "references.h"

#include <curl/curl.h>

/* libcurl's multi interface, driven by epoll. */
typedef struct {
    CURLM *multi;
    int poll;
    long timeout;
} curl_loop;

/* The loop stays where it is from then on. */
void curl_loop_begin(curl_loop *loop);
/* Waits for sockets once, and has libcurl do what there is to do. Returns 0, with an error, after a minute without anything. */
int curl_loop_wait(curl_loop *loop, reference_result *result);
void curl_loop_end(curl_loop *loop);

#endif
