/* A volume that refuses things, under real programs: LD_PRELOAD it with REFUSE_BELOW=<folder> and REFUSE=owners|writes|hangs|gone.
 *
 * owners  chmod and chown fail with EPERM, and a new file is open to all whatever mode was asked for (squashed roots of
 *         network volumes)          writes  nothing can be made or opened for writing: EROFS
 * hangs   whoever looks at it waits for good, as for a server that is away
 * gone    whoever looks at it gets ENOTCONN, as for a FUSE mount whose process has ended
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int below(const char *path) {
    const char *root = getenv("REFUSE_BELOW");
    return root && path && strncmp(path, root, strlen(root)) == 0;
}
static int is(const char *what) { const char *said = getenv("REFUSE"); return said && strcmp(said, what) == 0; }
static int descriptor_below(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t got = readlink(link, path, sizeof path - 1);
    if (got < 0) return 0;
    path[got] = 0;
    return below(path);
}
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define REFUSED(condition) if (is("owners") && (condition)) { errno = EPERM; return -1; }

int chmod(const char *p, mode_t m) { REFUSED(below(p)) return REAL(chmod)(p, m); }
int fchmod(int fd, mode_t m) { REFUSED(descriptor_below(fd)) return REAL(fchmod)(fd, m); }
int fchmodat(int d, const char *p, mode_t m, int f) { REFUSED(below(p)) return REAL(fchmodat)(d, p, m, f); }
int chown(const char *p, uid_t u, gid_t g) { REFUSED(below(p)) return REAL(chown)(p, u, g); }
int lchown(const char *p, uid_t u, gid_t g) { REFUSED(below(p)) return REAL(lchown)(p, u, g); }
int fchown(int fd, uid_t u, gid_t g) { REFUSED(descriptor_below(fd)) return REAL(fchown)(fd, u, g); }
int fchownat(int d, const char *p, uid_t u, gid_t g, int f) { REFUSED(below(p)) return REAL(fchownat)(d, p, u, g, f); }

int mkdir(const char *p, mode_t m) {
    if (is("writes") && below(p)) { errno = EROFS; return -1; }
    return REAL(mkdir)(p, m);
}
static int opened(const char *p, int flags, int fd) {
    if (fd >= 0 && is("owners") && (flags & O_CREAT) && below(p)) REAL(fchmod)(fd, 0666);
    return fd;
}
#define OPEN(name)                                                                                  \
    int name(const char *p, int flags, ...) {                                                       \
        va_list rest; va_start(rest, flags); mode_t m = va_arg(rest, mode_t); va_end(rest);         \
        if (is("writes") && below(p) && (flags & (O_WRONLY | O_RDWR | O_CREAT))) { errno = EROFS; return -1; } \
        return opened(p, flags, ((int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name))(p, flags, m));      \
    }
int stat64(const char *p, struct stat64 *s) {
    if (is("hangs") && below(p)) for (;;) pause();
    if (is("gone") && below(p)) { errno = ENOTCONN; return -1; }
    return REAL(stat64)(p, s);
}
int stat(const char *p, struct stat *s) {
    if (is("hangs") && below(p)) for (;;) pause();
    if (is("gone") && below(p)) { errno = ENOTCONN; return -1; }
    return REAL(stat)(p, s);
}
OPEN(open)
OPEN(open64)
