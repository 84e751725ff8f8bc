/* Preloaded into a script: writes down, in order, what it asks of the disk for the files of a log, and what it
 * sends over sockets, so that a test can work out what a power cut would have left.
 *
 * DISK_RECORD is the file to write to, DISK_PREFIX the path of the log. A record is a line
 * "<operation> <offset> <length> <name>\n" and `length` bytes. Names are what follows the prefix ("" is the
 * database itself, "-wal" its log), "-unnamed" for a file that has no name yet, or "/" for the folder. What is
 * only asked for is recorded before it is done, a sync when it is done: never is the disk credited with too much.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#define MOST_FILES 4096
#define UNNAMED "-unnamed"
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *names[MOST_FILES]; /* by descriptor: what is recorded of it; NULL for foreign files */

/* The name under which a path is recorded; NULL for one that is none of ours. */
static const char *name_of(const char *path) {
    const char *prefix = getenv("DISK_PREFIX");
    if (prefix == NULL || path == NULL) return NULL;
    size_t length = strlen(prefix);
    if (strncmp(path, prefix, length) == 0) return path + length;
    size_t folder = strrchr(prefix, '/') - prefix;
    return strncmp(path, prefix, folder) == 0 && path[folder] == 0 ? "/" : NULL;
}

static void record(const char *operation, long offset, const void *data, long length, const char *name) {
    static int to = -1;
    char line[512];
    pthread_mutex_lock(&lock);
    if (to < 0) to = REAL(open64)(getenv("DISK_RECORD"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    int size = snprintf(line, sizeof line, "%s %ld %ld %s\n", operation, offset, data ? length : 0, name);
    ssize_t (*put)(int, const void *, size_t) = REAL(write);
    if (put(to, line, size) != size || (data && put(to, data, length) != length)) abort();
    pthread_mutex_unlock(&lock);
}

static const char *known(int descriptor) {
    return descriptor >= 0 && descriptor < MOST_FILES ? names[descriptor] : NULL;
}

static int opened(int descriptor, const char *path, int flags) {
    const char *name = name_of(path);
    int unnamed = name && (flags & O_TMPFILE) == O_TMPFILE; /* until it is linked */
    if (unnamed) name = UNNAMED;
    if (descriptor < 0 || descriptor >= MOST_FILES) return descriptor;
    names[descriptor] = name ? strdup(name) : NULL;
    if (name && (unnamed || flags & O_CREAT)) record("create", 0, NULL, 0, name);
    if (name && flags & O_TRUNC) record("truncate", 0, NULL, 0, name);
    return descriptor;
}

#define OPEN(function)                                          \
    int function(const char *path, int flags, ...) {            \
        va_list rest;                                           \
        va_start(rest, flags);                                  \
        int makes = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE; \
        mode_t mode = makes ? va_arg(rest, int) : 0;            \
        va_end(rest);                                           \
        return opened(REAL(function)(path, flags, mode), path, flags); \
    }
OPEN(open)
OPEN(open64)

int close(int descriptor) {
    if (descriptor >= 0 && descriptor < MOST_FILES) names[descriptor] = NULL;
    return REAL(close)(descriptor);
}

#define PWRITE(function, offset_type)                                                            \
    ssize_t function(int descriptor, const void *data, size_t length, offset_type offset) {      \
        if (known(descriptor)) record("write", offset, data, length, known(descriptor));         \
        return REAL(function)(descriptor, data, length, offset);                                 \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int descriptor, const void *data, size_t length) {
    if (known(descriptor)) record("write", lseek(descriptor, 0, SEEK_CUR), data, length, known(descriptor));
    return REAL(write)(descriptor, data, length);
}

#define SYNC(function)                                                                    \
    int function(int descriptor) {                                                        \
        int failed = REAL(function)(descriptor);                                          \
        if (!failed && known(descriptor)) record("sync", 0, NULL, 0, known(descriptor));  \
        return failed;                                                                    \
    }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(function, offset_type)                                                        \
    int function(int descriptor, offset_type length) {                                         \
        if (known(descriptor)) record("truncate", length, NULL, 0, known(descriptor));         \
        return REAL(function)(descriptor, length);                                             \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

int unlink(const char *path) {
    if (name_of(path)) record("unlink", 0, NULL, 0, name_of(path));
    return REAL(unlink)(path);
}

int rename(const char *from, const char *to) {
    if (name_of(from) && name_of(to)) record("rename", 0, name_of(from), strlen(name_of(from)), name_of(to));
    return REAL(rename)(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    if (name_of(to)) record("rename", 0, UNNAMED, strlen(UNNAMED), name_of(to));
    return REAL(linkat)(from_folder, from, to_folder, to, flags);
}

ssize_t send(int descriptor, const void *data, size_t length, int flags) {
    if (getenv("DISK_PREFIX")) record("send", 0, data, length, "");
    return REAL(send)(descriptor, data, length, flags);
}
