/*
 * base: what every other floor stands on: status, notes, memory, arena, text, numbers, random numbers, files, clock,
 * threads, fault points. Knows nothing of OpenCL, nets or data. Prints nothing: notes go to a hook that `cmd` sets.
 */
#ifndef CLUTCH_BASE_H
#define CLUTCH_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- status: errors are values ------------------------------------------------------------------------------- */

enum st {
    ST_OK = 0,
    ST_INPUT,    /* wrong usage or bad input: the user can mend it; exit code 2 */
    ST_MEMORY,   /* host memory ran out */
    ST_SYSTEM,   /* a file or system call failed */
    ST_DEVICE,   /* an OpenCL call failed, or a device has too little of something */
    ST_NUMERIC,  /* a value that must be finite is not */
    ST_STOPPED,  /* another thread failed, and tells why */
    ST_INTERRUPTED, /* a signal asked for the end, and what could be kept was; exit code 128 + the signal */
    ST_INTERNAL, /* our own mistake */
};

/* Fills this thread's error record (code, file:line, message) and returns `code`. The message is lower case, starts
 * with what is wrong, has no full stop. Later failures replace earlier ones. */
#define st_fail(code, ...) st_fail_at((code), __FILE__, __LINE__, __VA_ARGS__)
MUST_USE enum st st_fail_at(enum st code, const char *file, int line, const char *fmt, ...) PRINTF(4, 5);

/* Puts a phrase and ": " before the message of the failure `s` on its way up; returns `s`. ST_OK passes untouched. */
MUST_USE enum st st_context(enum st s, const char *fmt, ...) PRINTF(2, 3);

const char *st_message(void); /* this thread's last failure; "" where there was none */
const char *st_where(void);   /* "file:line" of the site that failed */

/* The one way out: a function has `enum st s = ST_OK`, a label `out`, and releases what it holds behind it. */
#define TRY(expr)              \
    do {                       \
        s = (expr);            \
        if (s != ST_OK)        \
            goto out;          \
    } while (0)

/* ---- notes: things a user should know that are no failures ------------------------------------------------------ */

/* One line (without newline) to whoever listens; nobody by default. Thread: set the hook before threads start. */
void note(const char *fmt, ...) PRINTF(1, 2);
/* The same, but for a line that the listener was told before. Any thread. */
void note_once(const char *fmt, ...) PRINTF(1, 2);
void note_to(void (*hook)(const char *line));

/* ---- memory: the only door to malloc ----------------------------------------------------------------------------- */

/* `n` zeroed elements of `size` bytes; NULL with the record filled where memory ends. n = 0 gives a valid pointer. */
MUST_USE void *mem_alloc(size_t n, size_t size);
/* Resizes (p may be NULL); on failure returns NULL, fills the record, and `p` stays valid. New bytes are not cleared.
 * */
MUST_USE void *mem_resize(void *p, size_t n, size_t size);
void mem_free(void *p); /* accepts NULL */
uint64_t mem_count(void); /* allocations since the start; tests pin that a training step makes none */

/* TRY(NEW(p, n)): allocates an array of n elements of what p points to. */
#define NEW(p, n) (((p) = mem_alloc((n), sizeof *(p))) ? ST_OK : ST_MEMORY)

/* ---- arena: many small things with one life ---------------------------------------------------------------------- */

struct arena {
    struct arena_block *top;
};

MUST_USE void *arena_alloc(struct arena *a, size_t n,
                           size_t size); /* zeroed, aligned for any type; NULL: record filled */
MUST_USE char *arena_copy(struct arena *a, const char *s, size_t len); /* adds the closing NUL */
void arena_free(struct arena *a); /* everything at once; the arena can be used again */

/* ---- text: a growing string -------------------------------------------------------------------------------------- */

/* A failure sticks: further adds do nothing, and text_status() tells. Start from {0}. */
struct text {
    char *s; /* NUL-terminated once anything was added; NULL before */
    size_t len, cap;
    bool failed;
};

void text_add(struct text *t, const char *fmt, ...) PRINTF(2, 3);
void text_add_bytes(struct text *t, const char *bytes, size_t len);
MUST_USE enum st text_status(const struct text *t); /* ST_OK or ST_MEMORY */
void text_clear(struct text *t); /* length 0, memory kept */
void text_free(struct text *t);

/* ---- numbers from text: the whole word must be the number -------------------------------------------------------- */

MUST_USE bool parse_i64(const char *word, int64_t *out);
MUST_USE bool parse_f64(const char *word, double *out); /* finite only */
/* "61.2 MiB", "512 B": writes at most `size` bytes, returns `out` (for use inside a printf). */
char *show_bytes(char *out, size_t size, uint64_t bytes);

/* ---- what people read -------------------------------------------------------------------------------------------- */

/* The code point at s and its bytes; 0 bytes where it is no UTF-8: cut short, overlong, a surrogate, or too large. */
uint32_t utf8_at(const char *s, int *bytes);
/* Adds foreign text for readers that take UTF-8 alone: bytes that are none come as \xff, all else as it is. */
void text_add_foreign(struct text *t, const char *s);
/* One character of foreign text as a terminal may show it; returns what is behind it. What would steer the terminal,
 * hide in a line or turn it around, and bytes that are no UTF-8, come as \n, \u001b, \u202e, \xff: JSON stays the
 * same JSON. s must not be empty. */
enum { SHOW_NEXT_MAX = 16 };
const char *show_next(const char *s, char out[SHOW_NEXT_MAX]);
/* The i-th name of something, NULL behind the last. */
typedef const char *show_name(const void *of, size_t i);
/* "a, b, c", or "a, b and 19,980 more" where they are many, or "none". Like all below, writes at most `size` bytes and
 * returns `out`. */
char *show_names(char *out, size_t size, show_name *name, const void *of);
/* "19,980" */
char *show_count(char *out, size_t size, uint64_t n);
/* The name that `word` most likely stands for: a letter or two away; NULL where none is that near. */
const char *nearest_name(const char *word, show_name *name, const void *of);
/* "unknown KIND 'WORD'; did you mean 'x'? known: x, y, z" */
char *show_unknown(char *out, size_t size, const char *kind, const char *word, show_name *name, const void *of);
enum { SHOW_UNKNOWN_MAX = 1024 };
const char *plural(uint64_t n); /* "" for 1, else "s": "%d epoch%s" */

/* ---- random numbers: counter-based, so that any element can be computed on any device in any order --------------- */

/* Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). cl/random.cl is its twin. */
void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* A sequential stream over it. Streams of one seed are told apart by `stream`. */
struct rng {
    uint32_t key[2], counter[4], block[4];
    int used;
};

void rng_init(struct rng *r, uint64_t seed, uint64_t stream);
uint32_t rng_u32(struct rng *r);
double rng_unit(struct rng *r);   /* [0, 1), 32 bits */
double rng_normal(struct rng *r); /* mean 0, variance 1 */
uint32_t rng_below(struct rng *r, uint32_t n); /* 0..n-1, unbiased; n >= 1 */
void rng_shuffle(struct rng *r, uint32_t *items, size_t n);

/* ---- files ----------------------------------------------------------------------------------------------------- */

/* The one door to the disk: other floors open, rename and remove nothing themselves. Only regular files are read and
 * written: a FIFO, a socket, a device or a folder is refused without waiting for it, ST_INPUT, and named.
 *
 * Writing lasts: what is written whole is on the disk, and so is its name, when the function returns. */

/* Opens for reading: the caller closes *fd. A missing or unreadable file, or one over `max_bytes`, is ST_INPUT. */
MUST_USE enum st file_open(const char *path, uint64_t max_bytes, int *fd, uint64_t *size);
/* Whole file into memory, with a NUL behind it that `*len` does not count. Caller frees with mem_free. Refuses as
 * file_open does. */
MUST_USE enum st file_read(const char *path, size_t max_bytes, char **data, size_t *len);
/* The first bytes of a file of any size: `most`, or as many as there are. */
MUST_USE enum st file_read_start(const char *path, void *bytes, size_t most, size_t *got);
/* Writes beside the target and renames: readers see the old file or the new one, never a part; a link is replaced, not
 * followed. ST_SYSTEM on failure, which leaves the old file. */
MUST_USE enum st file_write(const char *path, const void *data, size_t len);
/* Adds lines to a text, in one write. Half a line at its end, of a write that was cut short, is cut off first. A
 * failure leaves the file as it was; a link, or what is no file, is ST_SYSTEM. */
MUST_USE enum st file_append(const char *path, const void *lines, size_t len);
/* Leaves the first `bytes` of a file; ST_INPUT where it has fewer. 0 of a file that is not there: nothing is done. */
MUST_USE enum st file_cut(const char *path, uint64_t bytes);
/* Removes a file, or a link itself; a missing one is fine. */
MUST_USE enum st file_remove(const char *path);
/* Gives a file that file_write made a second name, whose file is replaced whole: a hard link, or a copy where the file
 * system has none. */
MUST_USE enum st file_link(const char *path, const char *new_path);
bool file_exists(const char *path); /* anything of that name; a link counts as what it leads to */
enum file_kind { FILE_NONE, FILE_REGULAR, FILE_FOLDER, FILE_LINK, FILE_OTHER };
enum file_kind file_kind(const char *path); /* a link counts as a link */
bool dir_exists(const char *path);
MUST_USE enum st dir_check_writable(const char *path); /* ST_INPUT where no file can be made in it */
/* The path from the root, without links; false where there is nothing. */
bool file_absolute(const char *path, char *out, size_t size);
MUST_USE enum st dir_make(const char *path); /* with parents, as mkdir -p */
MUST_USE enum st dir_make_new(const char *path, bool *made); /* without parents; *made: it was not there before */
void dir_remove_empty(const char *path); /* leaves a folder with anything in it */

/* A folder that one process at a time writes into. It is resolved once, through links or not: until it is released, the
 * functions that write, make, remove and list names take each path that begins with `path` from its descriptor on, and
 * follow no link below it. A file .clutch-lock, locked by flock(2), is there for as long. Where another process has the
 * folder, under whatever name, that is ST_INPUT and says which process. Any thread. */
struct dir;
MUST_USE enum st dir_hold(const char *path, struct dir **out);
void dir_release(struct dir *d); /* accepts NULL */
MUST_USE enum st dir_check_free(const char *path); /* fails where dir_hold would for another process; takes nothing */
/* Removes what writers that were killed left half-written in a folder: files of our own temporary names (.clutch-, 16
 * random digits, .part) that nobody is writing. */
void dir_clear(const char *path);
/* All names in a folder, in the order of their bytes, but for the lock and temporary files of our own. */
MUST_USE enum st dir_names(const char *path, struct arena *arena, char ***names, size_t *n);
/* Names in folder `path`, in the order of their bytes, without hidden ones: of the files that end in `ending`, be it in
 * capitals, or, where that is NULL, of the sub-folders. A link counts as what it leads to. None where there is no such
 * folder; one that cannot be read is ST_INPUT. Names and the array of them live in `arena`. */
MUST_USE enum st dir_list_all(const char *path, const char *ending, struct arena *arena, char ***names, size_t *n);
/* The same, the first `most` of them, into the caller's array. */
MUST_USE enum st dir_list(const char *path, const char *ending, int most, struct arena *arena, char **names, int *n);
/* The user's cache folder for this program: $XDG_CACHE_HOME/clutch or ~/.cache/clutch; false where there is none. */
bool dir_cache(char *out, size_t size);
/* Likewise for what the user may keep and share: $XDG_CONFIG_HOME/clutch or ~/.config/clutch. */
bool dir_config(char *out, size_t size);

/*
 * ---- trust: files that decide what is computed, or are code: programs, tuning, kept choices ----
 *
 * They are believed where nobody but the user or root can have written them: neither they nor their folder belong to
 * another, or may be written by group or others. Else ST_INPUT, with the path and what to do.
 */
/* Whether there is such a folder. One that is not to be believed is named in a note, once. */
bool trust_folder(const char *path);
/* Makes it with its parents, for the user alone (mode 0700), where it is not there; checks it. */
MUST_USE enum st trust_make(const char *path);
/* As file_read(), of a file to be believed in such a folder. */
MUST_USE enum st trust_read(const char *path, size_t max_bytes, char **data, size_t *len);
/* As file_write(), for the user alone (mode 0600), with trust_make() of the folder, where dir_clear() clears. Not
 * `lasting`: a loss of power may take the file or damage it, which is for caches: they check what they read, and need
 * not wait for the disk. */
MUST_USE enum st trust_write(const char *path, const void *data, size_t len, bool lasting);

/* A new folder for the user alone, below $TMPDIR or /tmp, which is removed with all in it when the program ends. */
MUST_USE enum st dir_temporary(char *out, size_t size);

/* ---- processes ------------------------------------------------------------------------------------------------- */

struct process_end {
    enum { PROCESS_EXITED, PROCESS_SIGNALLED, PROCESS_TIMED_OUT, PROCESS_INTERRUPTED } how;
    int code; /* exit code or signal */
};

/* Runs the program argv[0] (a path), whose last argument is followed by NULL, without input, and waits for its end.
 * Each line that it writes on either output is given to `line`. It is killed when `timeout_ns` have passed, or when an
 * interrupt was caught. ST_SYSTEM where it cannot be started. */
MUST_USE enum st process_run(char *const argv[], uint64_t timeout_ns, void (*line)(void *user, const char *line),
                             void *user, struct process_end *end);
/* From now on the first SIGINT, SIGTERM or SIGHUP does not end the program, but is what interrupted() tells; another
 * one ends it at once. A signal that was ignored when the program started stays so (nohup). */
void interrupt_catch(void);
int interrupted(void); /* the signal, 0 where none came; from any thread */
const char *interrupt_name(int signal); /* "SIGINT" */

/* ---- clock ----------------------------------------------------------------------------------------------------- */

uint64_t clock_ns(void); /* monotonic */
void clock_sleep_until(uint64_t ns); /* of clock_ns(); returns at once where that is past */

/* ---- threads: the only door to pthread --------------------------------------------------------------------------- */

struct thread;
/* Runs run(user) in a thread of its own. Caller joins. */
MUST_USE enum st thread_start(void (*run)(void *user), void *user, struct thread **out);
void thread_join(struct thread *t); /* waits for its end and frees; accepts NULL */
/* From a thread of thread_start(): from now on what it computes is work of a device, in clock_device_ns(). */
void thread_works_for_device(void);
/* CPU time, in ns, of all threads that libraries have started and of those that called the above: what a device that is
 * a CPU has worked. The main thread and all others started here are left out. Only differences mean something. */
uint64_t clock_device_ns(void);

/* A lock with a condition: who holds it may wait, which gives it up until somebody wakes all that wait. */
struct monitor;
MUST_USE enum st monitor_open(struct monitor **out);
void monitor_close(struct monitor *m); /* accepts NULL */
void monitor_enter(struct monitor *m);
void monitor_leave(struct monitor *m);
void monitor_wait(struct monitor *m); /* may return early: ask again what was waited for */
void monitor_wait_until(struct monitor *m, uint64_t ns); /* the same, until that time of clock_ns() at most */
void monitor_wake(struct monitor *m);

/* ---- hash ------------------------------------------------------------------------------------------------------ */

/* FNV-1a, 64 bits, for file names of caches (which check the whole key besides). Start from HASH_START. */
#define HASH_START 0xcbf29ce484222325u
uint64_t hash_bytes(uint64_t h, const void *bytes, size_t len);

/* ---- fault points ------------------------------------------------------------------------------------------------ */

/* True when the call at this site shall fail: CLUTCH_FAULT=N in the environment makes the N-th fault point of the
 * process fail, once. Allocations, single steps of writing a file and OpenCL calls are fault points; tests/fault walks
 * through them. */
bool fault_here(void);

/* A kill point: CLUTCH_KILL=N makes the process end by SIGKILL at its N-th. One stands before and behind each write,
 * fsync, rename, unlink, link and cut of the file door, and one amid each write, with half of it done.
 * CLUTCH_KILL_LOG=FILE adds a line for each that was passed, "N before rename PATH": so many there are. Which is the
 * N-th is certain where one thread alone writes: without drawing (--draw-every 0), and with warm caches. */
void kill_here(const char *what, const char *path);
bool kill_points(void); /* whether they were asked for */

#endif
