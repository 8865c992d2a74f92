/* What people read: foreign text made harmless, lists of names that end, the word that was meant, plurals. */
#include "base.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- foreign text ------------------------------------------------------------------------------------------------ */

uint32_t utf8_at(const char *s, int *bytes)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t first = (unsigned char)*s;
    int n = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
    uint32_t c = n < 2 ? first : first & (0x7fu >> n);
    *bytes = 0;
    for (int i = 1; i < n; i++) {
        uint32_t next = (unsigned char)s[i];
        if (next >> 6 != 2) /* the closing NUL is none either */
            return 0;
        c = c << 6 | (next & 0x3f);
    }
    if (n && c >= least[n] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff))
        *bytes = n;
    return c;
}

/* What steers a terminal, or hides in a line or turns it around: controls, marks of direction, separators, tags. */
static bool is_hidden(uint32_t c)
{
    static const uint32_t range[][2] = {{0, 0x1f},         {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},
                                        {0x200b, 0x200b},  {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
                                        {0xfeff, 0xfeff},  {0xfff9, 0xfffb}, {0xe0000, 0xe007f}};
    for (size_t i = 0; i < COUNT_OF(range); i++)
        if (c >= range[i][0] && c <= range[i][1])
            return true;
    return false;
}

const char *show_next(const char *s, char out[SHOW_NEXT_MAX])
{
    int n;
    uint32_t c = utf8_at(s, &n);
    if (!n)
        snprintf(out, SHOW_NEXT_MAX, "\\x%02x", (unsigned char)*s);
    else if (!is_hidden(c))
        snprintf(out, SHOW_NEXT_MAX, "%.*s", n, s);
    else if (c == '\n' || c == '\r' || c == '\t')
        snprintf(out, SHOW_NEXT_MAX, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
    else if (c <= 0xffff)
        snprintf(out, SHOW_NEXT_MAX, "\\u%04x", (unsigned)c);
    else /* as JSON has it, a pair of surrogates */
        snprintf(out, SHOW_NEXT_MAX, "\\u%04x\\u%04x", (unsigned)(0xd7c0 + (c >> 10)),
                 (unsigned)(0xdc00 + (c & 0x3ff)));
    return s + (n ? n : 1);
}

void text_add_foreign(struct text *t, const char *s)
{
    while (*s) {
        int n;
        utf8_at(s, &n);
        if (n)
            text_add_bytes(t, s, (size_t)n);
        else
            text_add(t, "\\x%02x", (unsigned char)*s);
        s += n ? n : 1;
    }
}

/* ---- lists and what was meant ------------------------------------------------------------------------------------ */

enum { NAMES_SHOWN = 40, WORD_COMPARED = 48 };

/* Writes at `used`, and returns what is used then; never beyond size. */
static PRINTF(4, 5) size_t put(char *out, size_t size, size_t used, const char *fmt, ...)
{
    va_list args;
    if (used + 1 >= size)
        return used;
    va_start(args, fmt);
    int n = vsnprintf(out + used, size - used, fmt, args);
    va_end(args);
    return n < 0 ? used : (size_t)n < size - used ? used + (size_t)n : size - 1;
}

char *show_count(char *out, size_t size, uint64_t n)
{
    char digits[24];
    size_t used = 0;
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    out[0] = '\0';
    for (int i = 0; i < len; i++)
        used = put(out, size, used, "%s%c", i && (len - i) % 3 == 0 ? "," : "", digits[i]);
    return out;
}

char *show_names(char *out, size_t size, show_name *name, const void *of)
{
    size_t used = 0, n = 0, shown = 0;
    char more[32];
    out[0] = '\0';
    while (name(of, n))
        n++;
    for (; shown < n && shown < NAMES_SHOWN; shown++) {
        const char *next = name(of, shown);
        if (used + strlen(next) + sizeof more + 16 > size)
            break;
        used = put(out, size, used, "%s%s", shown ? ", " : "", next);
    }
    if (shown < n)
        put(out, size, used, "%s%s more", shown ? " and " : "", show_count(more, sizeof more, n - shown));
    else if (!n)
        put(out, size, used, "none");
    return out;
}

/* Letters to add, drop, change or swap with their neighbour to make one word of the other; capitals do not count. */
static int distance(const char *a, const char *b)
{
    int row[3][WORD_COMPARED + 1];
    int m = (int)strlen(a), n = (int)strlen(b);
    if (m > WORD_COMPARED || n > WORD_COMPARED)
        return WORD_COMPARED;
    for (int j = 0; j <= n; j++)
        row[0][j] = j;
    for (int i = 1; i <= m; i++) {
        int *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= n; j++) {
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            int least = last[j - 1] + (x != y);
            least = last[j] + 1 < least ? last[j] + 1 : least;
            least = now[j - 1] + 1 < least ? now[j - 1] + 1 : least;
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) && y == tolower((unsigned char)a[i - 2]) &&
                before[j - 2] + 1 < least)
                least = before[j - 2] + 1;
            now[j] = least;
        }
    }
    return row[m % 3][n];
}

const char *nearest_name(const char *word, show_name *name, const void *of)
{
    const char *nearest = NULL, *next;
    size_t len = strlen(word);
    int least = len < 3 ? 1 : len < 6 ? 2 : len < 10 ? 3 : 4; /* as far as this is too far */
    for (size_t i = 0; (next = name(of, i)) != NULL; i++) {
        int d = distance(word, next);
        if (d < least) {
            least = d;
            nearest = next;
        }
    }
    return nearest;
}

char *show_unknown(char *out, size_t size, const char *kind, const char *word, show_name *name, const void *of)
{
    const char *meant = nearest_name(word, name, of);
    size_t used = put(out, size, 0, "unknown %s '%.200s'", kind, word);
    if (meant)
        used = put(out, size, used, "; did you mean '%s'?", meant);
    used = put(out, size, used, "%s known: ", meant ? "" : ";");
    if (used + 1 < size)
        show_names(out + used, size - used, name, of);
    return out;
}

const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}
