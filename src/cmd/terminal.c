/* The one place where text goes to a terminal or a pipe: foreign text is shown harmless, lines come in order. */
#include "inside.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH_DEFAULT = 80, WIDTH_LEAST = 20, LINE_MAX_BYTES = 512 };

static bool rewrites;           /* set before threads start */
static _Atomic int status_width; /* columns of the line that waits to be replaced; 0: there is none */

void terminal_open(void)
{
    const char *kind = getenv("TERM");
    bool terminal = isatty(STDOUT_FILENO);
    rewrites = terminal && !(kind && strcmp(kind, "dumb") == 0);
    if (!terminal) /* who reads a pipe wants each line when it is written, and before what follows on stderr */
        setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
}

bool terminal_rewrites(void)
{
    return rewrites;
}

int terminal_width(void)
{
    struct winsize w = {0};
    const char *columns = getenv("COLUMNS");
    int64_t n = 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
        n = w.ws_col; /* asked each time: it may have been resized */
    else if (!columns || !parse_i64(columns, &n) || n < 1 || n > 10000)
        n = WIDTH_DEFAULT;
    return n < WIDTH_LEAST ? WIDTH_LEAST : (int)n;
}

/* ---- foreign text ------------------------------------------------------------------------------------------------ */

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Columns of text as it is shown: its characters. */
static int columns_of(const char *s)
{
    int n = 0;
    for (; *s; s++)
        n += !is_continuation(*s);
    return n;
}

/* At most `most` bytes of s, shown; what is cut within a character is left out. */
static void put_shown(FILE *to, const char *s, size_t most, bool lines)
{
    char one[SHOW_NEXT_MAX];
    for (const char *end = s + strnlen(s, most), *next; s < end; s = next) {
        next = show_next(s, one);
        if (next <= end)
            fputs(lines && *s == '\n' ? "\n" : one, to);
    }
}

static int shown_columns(const char *s, size_t most)
{
    char one[SHOW_NEXT_MAX];
    int n = 0;
    for (const char *end = s + strnlen(s, most), *next; s < end; s = next) {
        next = show_next(s, one);
        n += next <= end ? columns_of(one) : 0;
    }
    return n;
}

/* ---- printf, whose texts are shown harmless ---------------------------------------------------------------------- */

struct conversion {
    char flags[8], size[3], letter;
    int width, precision; /* -1: none */
};

static int number_at(const char **at, va_list *args)
{
    int n = 0;
    if (**at == '*') {
        (*at)++;
        return va_arg(*args, int);
    }
    for (; isdigit((unsigned char)**at); (*at)++)
        n = 10 * n + (**at - '0');
    return n;
}

static const char *read_conversion(const char *at, struct conversion *c, va_list *args)
{
    *c = (struct conversion){.precision = -1};
    for (size_t n = 0; *at && strchr("-+ #0", *at); at++)
        if (n + 1 < sizeof c->flags)
            c->flags[n++] = *at;
    c->width = number_at(&at, args);
    if (*at == '.') {
        at++;
        c->precision = number_at(&at, args);
    }
    for (size_t n = 0; *at && strchr("hlzj", *at); at++)
        if (n + 1 < sizeof c->size)
            c->size[n++] = *at;
    c->letter = *at;
    return *at ? at + 1 : at;
}

static void put_text(FILE *to, const struct conversion *c, const char *s)
{
    size_t most = c->precision >= 0 ? (size_t)c->precision : SIZE_MAX;
    int pad = c->width - shown_columns(s, most);
    bool left = strchr(c->flags, '-') != NULL;
    if (!left && pad > 0)
        fprintf(to, "%*s", pad, "");
    put_shown(to, s, most, false);
    if (left && pad > 0)
        fprintf(to, "%*s", pad, "");
}

static void put_number(FILE *to, const struct conversion *c, va_list *args)
{
    char fmt[64], precision[16] = "";
    bool is_long = c->size[0] == 'l' || c->size[0] == 'z' || c->size[0] == 'j';
    if (c->precision >= 0)
        snprintf(precision, sizeof precision, ".%d", c->precision);
    snprintf(fmt, sizeof fmt, "%%%s%.0d%s%s%c", c->flags, c->width, precision, is_long ? "ll" : "", c->letter);
    if (strchr("fFeEgGaA", c->letter))
        fprintf(to, fmt, va_arg(*args, double));
    else if (strcmp(c->size, "ll") == 0)
        fprintf(to, fmt, va_arg(*args, long long));
    else if (is_long) /* long, size_t and intmax_t have one size where this runs: 64 bits */
        fprintf(to, fmt, (long long)va_arg(*args, long));
    else
        fprintf(to, fmt, va_arg(*args, int));
}

static void put_formatted(FILE *to, const char *fmt, va_list *args)
{
    while (*fmt) {
        struct conversion c;
        size_t plain = strcspn(fmt, "%");
        fwrite(fmt, 1, plain, to);
        fmt += plain;
        if (!*fmt)
            break;
        fmt = read_conversion(fmt + 1, &c, args);
        if (c.letter == 's')
            put_text(to, &c, va_arg(*args, const char *));
        else if (c.letter == '%')
            fputc('%', to);
        else if (c.letter == 'c')
            fputc(va_arg(*args, int), to);
        else
            put_number(to, &c, args);
    }
}

_Static_assert(sizeof(long) == sizeof(long long) && sizeof(size_t) == sizeof(long), "put_number() takes them as one");

/* ---- lines ------------------------------------------------------------------------------------------------------- */

/* Without an escape sequence: blanks over what is there. */
static void clear_status(void)
{
    int width = atomic_exchange(&status_width, 0);
    if (width > 0)
        printf("\r%*s\r", width, "");
}

void output(const char *fmt, ...)
{
    va_list args;
    clear_status();
    va_start(args, fmt);
    put_formatted(stdout, fmt, &args);
    va_end(args);
}

void output_lines(const char *lines)
{
    clear_status();
    put_shown(stdout, lines, SIZE_MAX, true);
}

enum st output_text(enum st s, struct text *t)
{
    if (s == ST_OK)
        s = text_status(t);
    if (s == ST_OK)
        output_lines(t->s);
    text_free(t);
    return s;
}

void status_line(const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;
    if (!rewrites)
        return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    int most = terminal_width() - 1, columns = 0;
    clear_status();
    for (const char *at = line; *at && columns < most;) {
        char one[SHOW_NEXT_MAX];
        at = show_next(at, one);
        int n = columns_of(one);
        if (columns + n <= most)
            fputs(one, stdout);
        columns += n;
    }
    atomic_store(&status_width, columns < most ? columns : most);
    fflush(stdout);
}

void complain(const char *who, const char *line)
{
    clear_status();
    fflush(stdout);
    flockfile(stderr);
    fprintf(stderr, "%s: ", who);
    put_shown(stderr, line, SIZE_MAX, false);
    fputc('\n', stderr);
    funlockfile(stderr);
}

void complain_lines(const char *lines)
{
    clear_status();
    fflush(stdout);
    put_shown(stderr, lines, SIZE_MAX, true);
}
