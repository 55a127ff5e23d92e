/* Kills the process in a chosen system call on the files of one folder, or lets the call fail.
 *
 * Loaded by LD_PRELOAD; tests/crash/faulty_calls.py chooses the fault. Without a fault, calls are only counted. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum operation { OPEN, WRITE, FSYNC, RENAME };

static char folder[4096];
static int fault_operation = -1;
static char effect[16];
static int value; /* an error number, or microseconds */
static long fault_call;
static atomic_bool is_failing;
static atomic_long calls[4];

void set_fault(const char *path, int operation, const char *new_effect, int new_value, long call) {
    snprintf(folder, sizeof folder, "%s", path);
    snprintf(effect, sizeof effect, "%s", new_effect);
    fault_operation = operation, value = new_value, fault_call = call;
}

long num_calls(int operation) { return calls[operation]; }

static int is_inside(const char *path) {
    char absolute[8192] = "";
    size_t length = strlen(folder);
    if (path[0] != '/' && getcwd(absolute, 4096)) strcat(absolute, "/");
    strncat(absolute, path, sizeof absolute - strlen(absolute) - 1);
    return length && !strncmp(absolute, folder, length) && (!absolute[length] || absolute[length] == '/');
}

static int is_open_inside(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = folder[0] ? readlink(link, path, sizeof path - 1) : -1;
    if (length < 0) return 0;
    path[length] = 0;
    return is_inside(path);
}

static void *kill_later(void *nothing) {
    usleep(value);
    kill(getpid(), SIGKILL);
    return nothing;
}

static void kill_now(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static int is(const char *name) { return !strcmp(effect, name); }

/* Begin a call; return -1 if it fails, 1 if it is the chosen one, and 0 otherwise. */
static int begin(enum operation operation) {
    int is_chosen = ++calls[operation] == fault_call && operation == fault_operation;
    pthread_t thread;
    if (is_chosen && is("before")) kill_now();
    if (is_chosen && is("during")) pthread_create(&thread, NULL, kill_later, NULL);
    if (is_chosen && is("lasting")) is_failing = 1;
    if (!is_failing && !(is_chosen && is("once"))) return is_chosen;
    errno = value;
    return -1;
}

static long end(int is_chosen, long result) {
    if (is_chosen && is("after")) kill_now();
    return result;
}

ssize_t write(int descriptor, const void *data, size_t size) {
    int chosen = is_open_inside(descriptor) ? begin(WRITE) : 0;
    if (chosen < 0) return -1;
    if (!chosen || !(is("half") || is("short") || is("torn"))) {
        return end(chosen, syscall(SYS_write, descriptor, data, size));
    }
    ssize_t written = syscall(SYS_write, descriptor, data, size > 1 ? size / 2 : size);
    if (is("half")) kill_now();
    is_failing = is("torn");
    return written;
}

int fsync(int descriptor) {
    int chosen = is_open_inside(descriptor) ? begin(FSYNC) : 0;
    return chosen < 0 ? -1 : end(chosen, syscall(SYS_fsync, descriptor));
}

int rename(const char *source, const char *target) {
    int chosen = is_inside(target) ? begin(RENAME) : 0;
    return chosen < 0 ? -1 : end(chosen, syscall(SYS_renameat2, AT_FDCWD, source, AT_FDCWD, target, 0));
}

int ftruncate64(int descriptor, off64_t size) {
    if (is_failing && is_open_inside(descriptor)) return errno = value, -1;
    return syscall(SYS_ftruncate, descriptor, size);
}

int ftruncate(int descriptor, off_t size) { return ftruncate64(descriptor, size); }

static int open_file(const char *path, int flags, mode_t mode) {
    int chosen = (flags & (O_WRONLY | O_RDWR)) && is_inside(path) ? begin(OPEN) : 0;
    return chosen < 0 ? -1 : end(chosen, syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, int);
    va_end(rest);
    return open_file(path, flags | O_LARGEFILE, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, int);
    va_end(rest);
    return open_file(path, flags, mode);
}
