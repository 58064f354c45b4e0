#include "references.h"

#ifdef __APPLE__
#include <mach/mach.h>

int64_t reference_resident_bytes(void) {
    struct mach_task_basic_info info;
    mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
    kern_return_t status = task_info(mach_task_self(), MACH_TASK_BASIC_INFO, (task_info_t)&info, &count);
    return status == KERN_SUCCESS ? (int64_t)info.resident_size : 0;
}
#else
#include <stdio.h>
#include <unistd.h>

int64_t reference_resident_bytes(void) {
    long total, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file) return 0;
    int count = fscanf(file, "%ld %ld", &total, &resident);
    fclose(file);
    return count == 2 ? (int64_t)resident * sysconf(_SC_PAGESIZE) : 0;
}
#endif
