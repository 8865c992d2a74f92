/* Child processes, whose output is read while they run, and interrupts. */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Gathers bytes to lines; a line that is too long goes out in pieces. */
struct lines {
    char part[1024];
    size_t len;
    void (*line)(void *user, const char *line);
    void *user;
};

static const struct {
    int number;
    const char *name;
} caught_signals[] = {{SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGHUP, "SIGHUP"}};

static atomic_int caught; /* by the handler, in any thread, and asked for by others; never goes back to 0 */

static void handle(int number, void (*handler)(int))
{
    struct sigaction old, action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaction(number, &action, NULL);
}

/* Whichever signal comes next, it shall end the program. */
static void catch(int signal)
{
    atomic_store(&caught, signal);
    for (size_t i = 0; i < COUNT_OF(caught_signals); i++)
        handle(caught_signals[i].number, SIG_DFL);
}

void interrupt_catch(void)
{
    for (size_t i = 0; i < COUNT_OF(caught_signals); i++)
        handle(caught_signals[i].number, catch);
}

int interrupted(void)
{
    return atomic_load(&caught);
}

const char *interrupt_name(int signal)
{
    for (size_t i = 0; i < COUNT_OF(caught_signals); i++)
        if (caught_signals[i].number == signal)
            return caught_signals[i].name;
    return "a signal";
}

static void end_line(struct lines *l)
{
    l->part[l->len] = '\0';
    if (l->len)
        l->line(l->user, l->part);
    l->len = 0;
}

static void add_bytes(struct lines *l, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\n' || l->len + 1 == sizeof l->part)
            end_line(l);
        if (bytes[i] != '\n' && bytes[i] != '\0')
            l->part[l->len++] = bytes[i];
    }
}

/* Reads until the other side is closed, and says why it ended earlier. */
static int read_lines(int fd, uint64_t timeout_ns, struct lines *l)
{
    enum { SLICE_MS = 100 }; /* an interrupt between the look at it and poll() is seen so much later */
    uint64_t start = clock_ns();
    while (!interrupted()) {
        uint64_t gone = clock_ns() - start;
        if (gone >= timeout_ns)
            return PROCESS_TIMED_OUT;
        uint64_t left_ms = (timeout_ns - gone) / 1000000 + 1;
        struct pollfd one = {.fd = fd, .events = POLLIN};
        if (poll(&one, 1, left_ms < SLICE_MS ? (int)left_ms : SLICE_MS) <= 0)
            continue;
        char bytes[1024];
        ssize_t n = read(fd, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            end_line(l);
            return PROCESS_EXITED;
        }
        add_bytes(l, bytes, (size_t)n);
    }
    return PROCESS_INTERRUPTED;
}

/* `out` becomes both outputs of the child. */
static int spawn(char *const argv[], int out, pid_t *child)
{
    posix_spawn_file_actions_t actions;
    int why = fault_here() ? ENOMEM : posix_spawn_file_actions_init(&actions);
    if (why)
        return why;
    why = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (!why)
        why = posix_spawn_file_actions_adddup2(&actions, out, 1);
    if (!why)
        why = posix_spawn_file_actions_adddup2(&actions, out, 2);
    if (!why)
        why = posix_spawn(child, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return why;
}

enum st process_run(char *const argv[], uint64_t timeout_ns, void (*line)(void *user, const char *line), void *user,
                    struct process_end *end)
{
    enum st s = ST_OK;
    struct lines l = {.line = line, .user = user};
    int fd[2] = {-1, -1}, status = 0, why = 0;
    pid_t child = -1;
    if (pipe(fd) != 0)
        TRY(st_fail(ST_SYSTEM, "cannot make a pipe: %s", strerror(errno)));
    fcntl(fd[0], F_SETFD, FD_CLOEXEC);
    fcntl(fd[1], F_SETFD, FD_CLOEXEC);
    why = spawn(argv, fd[1], &child);
    if (why)
        TRY(st_fail(ST_SYSTEM, "cannot start %s: %s", argv[0], strerror(why)));
    close(fd[1]);
    fd[1] = -1;
    int how = read_lines(fd[0], timeout_ns, &l);
    if (how != PROCESS_EXITED)
        kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    *end = (struct process_end){.how = PROCESS_EXITED, .code = WEXITSTATUS(status)};
    if (how != PROCESS_EXITED)
        end->how = how == PROCESS_TIMED_OUT ? PROCESS_TIMED_OUT : PROCESS_INTERRUPTED;
    else if (WIFSIGNALED(status))
        *end = (struct process_end){.how = PROCESS_SIGNALLED, .code = WTERMSIG(status)};
out:
    for (int i = 0; i < 2; i++)
        if (fd[i] >= 0)
            close(fd[i]);
    return s;
}
