/* What the client and the server of Pub/Sub share. */
#ifndef OUTBOX_REFERENCES_GRPC_H
#define OUTBOX_REFERENCES_GRPC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A message of gRPC begins with a byte that says that it is not compressed, and four with its length. */
enum { GRPC_PREFIX = 5 };

static inline unsigned char *grpc_put_prefix(unsigned char *end, size_t count) {
    *end++ = 0;
    for (int shift = 24; shift >= 0; shift -= 8) *end++ = (unsigned char)(count >> shift);
    return end;
}

static inline unsigned char *protobuf_put_number(unsigned char *end, uint64_t number) {
    while (number > 0x7f) {
        *end++ = (unsigned char)(number | 0x80);
        number >>= 7;
    }
    *end++ = (unsigned char)number;
    return end;
}

static inline size_t protobuf_size_of_number(uint64_t number) {
    size_t count = 1;
    while (number >>= 7) count++;
    return count;
}

/* A field with bytes, whose number is below 16. */
static inline unsigned char *protobuf_put_bytes(unsigned char *end, int field, const void *bytes, size_t count) {
    *end++ = (unsigned char)(field << 3 | 2);
    end = protobuf_put_number(end, count);
    memcpy(end, bytes, count);
    return end + count;
}

static inline size_t protobuf_size_of_bytes(size_t count) { return 1 + protobuf_size_of_number(count) + count; }

/* How many fields of that number a message has whose fields are all bytes, with a number below 16. */
static inline int protobuf_count(const unsigned char *bytes, size_t count, int field) {
    int found = 0;
    for (size_t place = 0; place < count;) {
        found += bytes[place++] >> 3 == field;
        uint64_t length = 0;
        int shift = 0;
        while (place < count) {
            unsigned char byte = bytes[place++];
            length |= (uint64_t)(byte & 0x7f) << shift;
            shift += 7;
            if (byte < 0x80) break;
        }
        place += length;
    }
    return found;
}

#endif
