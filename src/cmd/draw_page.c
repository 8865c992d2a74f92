/* index.html: all pictures of a run on one page, with what run.json says. Works offline: relative links, no scripts. */
#include "pictures.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<link rel=\"icon\" href=\"data:,\">\n"
    "<style>\n"
    "body { font: 16px/1.5 sans-serif; color: #222; background: #fff; max-width: 1240px; margin: 2em auto; "
    "padding: 0 1em; }\n"
    "h1, h2 { font-weight: 600; line-height: 1.2; }\n"
    "h2 { margin-top: 2em; border-bottom: 1px solid #ccc; }\n"
    "figure { margin: 1em 0 2em; }\n"
    "img { max-width: 100%; height: auto; border: 1px solid #ddd; }\n"
    "figcaption { color: #555; max-width: 70em; }\n"
    "table { border-collapse: collapse; }\n"
    "th, td { text-align: left; vertical-align: top; padding: 0.2em 1em 0.2em 0; border-bottom: 1px solid #eee; }\n"
    "th { font-weight: normal; color: #555; white-space: nowrap; }\n"
    "td { overflow-wrap: anywhere; white-space: pre-wrap; }\n"
    "nav a { margin-right: 1em; }\n"
    "</style>\n";

/* Text as it may stand in HTML, within quotes too. */
static void add_escaped(struct text *t, const char *words)
{
    static const char special[] = "&<>\"'";
    static const char *const entity[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    while (*words) {
        size_t plain = strcspn(words, special);
        text_add_bytes(t, words, plain);
        words += plain;
        if (*words)
            text_add(t, "%s", entity[strchr(special, *words++) - special]);
    }
}

/* A file's name as it may stand in a link: what could mean something else there becomes %XX. */
static void add_link(struct text *t, const char *file)
{
    for (; *file; file++)
        if (strchr("/-_.", *file) || (*file >= '0' && *file <= '9') || (*file >= 'a' && *file <= 'z') ||
            (*file >= 'A' && *file <= 'Z'))
            text_add_bytes(t, file, 1);
        else
            text_add(t, "%%%02X", (unsigned)(unsigned char)*file);
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

/* A row a value; `name` grows by the key of each level: "options.batch". */
static void add_rows(struct text *t, const char *name, const json_t *value)
{
    char number[40], below[256];
    const char *key;
    const json_t *member;
    size_t i;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        json_object_foreach((json_t *)(uintptr_t)value, key, member)
        {
            snprintf(below, sizeof below, "%s%s%s", name, *name ? "." : "", key);
            add_rows(t, below, member);
        }
        return;
    case JSON_ARRAY:
        json_array_foreach(value, i, member)
        {
            snprintf(below, sizeof below, "%s.%zu", name, i);
            add_rows(t, below, member);
        }
        return;
    case JSON_STRING:
        snprintf(number, sizeof number, "%s", "");
        break;
    case JSON_INTEGER:
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        snprintf(number, sizeof number, "%.9g", json_real_value(value));
        break;
    default:
        snprintf(number, sizeof number, "%s", json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-");
    }
    text_add(t, "<tr><th>");
    add_escaped(t, name);
    text_add(t, "</th><td>");
    add_escaped(t, json_is_string(value) ? json_string_value(value) : number);
    text_add(t, "</td></tr>\n");
}

/* Links to the files of the run that are there. */
static void add_files(struct text *t, const struct drawing *d)
{
    static const char *const file[] = {"run.json",  "metrics.jsonl", "trace.json", "model.safetensors",
                                       "couplings.safetensors"};
    char path[PATH_MAX];
    text_add(t, "<p>Files:");
    for (size_t i = 0; i < COUNT_OF(file); i++)
        if (drawing_path(d, file[i], path) == ST_OK && file_exists(path))
            text_add(t, " <a href=\"%s\">%s</a>", file[i], file[i]);
    text_add(t, "</p>\n");
}

/* ---- pictures ---------------------------------------------------------------------------------------------------- */

/* The file with a picture's numbers; a link where it is here: pictures may be drawn into another folder. */
static void add_numbers(struct text *t, const struct drawing *d, const char *file)
{
    char path[PATH_MAX];
    bool here = drawing_path(d, file, path) == ST_OK && file_exists(path);
    text_add(t, " Numbers: ");
    if (here) {
        text_add(t, "<a href=\"");
        add_link(t, file);
        text_add(t, "\">");
    }
    add_escaped(t, file);
    text_add(t, here ? "</a>." : " of the run.");
}

static void add_picture(struct text *t, const struct drawing *d, const struct picture *p)
{
    text_add(t, "<figure>\n<a href=\"");
    add_link(t, p->file);
    text_add(t, "\"><img src=\"");
    add_link(t, p->file);
    text_add(t, "\" width=\"%d\" height=\"%d\" alt=\"", p->w, p->h);
    add_escaped(t, p->caption);
    text_add(t, "\"></a>\n<figcaption>");
    add_escaped(t, p->caption);
    text_add(t, ".");
    if (p->numbers)
        add_numbers(t, d, p->numbers);
    text_add(t, "</figcaption>\n</figure>\n");
}

/* Sections in this order; a section that is not named here would not be shown, which a test looks for. */
static const char *const section[] = {"The run", "The test set", "Weights", "Motion", "Inside the net", "Couplings",
                                      "Change"};

static void add_sections(struct text *t, const struct drawing *d)
{
    for (size_t k = 0; k < COUNT_OF(section); k++) {
        bool opened = false;
        for (int i = 0; i < d->n; i++) {
            if (strcmp(d->picture[i].section, section[k]) != 0)
                continue;
            if (!opened)
                text_add(t, "<h2 id=\"s%zu\">%s</h2>\n", k, section[k]);
            opened = true;
            add_picture(t, d, &d->picture[i]);
        }
    }
}

static void add_contents(struct text *t, const struct drawing *d)
{
    text_add(t, "<nav>");
    for (size_t k = 0; k < COUNT_OF(section); k++)
        for (int i = 0; i < d->n; i++)
            if (strcmp(d->picture[i].section, section[k]) == 0) {
                text_add(t, "<a href=\"#s%zu\">%s</a>", k, section[k]);
                break;
            }
    text_add(t, "%s</nav>\n", d->facts ? "<a href=\"#settings\">Settings</a>" : "");
}

enum st draw_page(const struct drawing *d)
{
    enum st s = ST_OK;
    char path[PATH_MAX];
    struct text t = {0};
    text_add(&t, "%s<title>", head);
    add_escaped(&t, d->run ? d->run : d->origin);
    text_add(&t, "</title>\n</head>\n<body>\n<h1>");
    add_escaped(&t, d->run ? d->run : d->origin);
    text_add(&t, "</h1>\n<p>");
    add_escaped(&t, d->origin);
    if (d->facts) {
        text_add(&t, " on ");
        add_escaped(&t, d->facts->data);
        text_add(&t, ", %d of %d epoch%s", d->epoch, d->facts->options.epochs,
                 plural((uint64_t)d->facts->options.epochs));
    }
    text_add(&t, ". Click a picture to see it in full size.</p>\n");
    add_contents(&t, d);
    add_sections(&t, d);
    if (d->facts) {
        text_add(&t, "<h2 id=\"settings\">Settings</h2>\n");
        add_files(&t, d);
        text_add(&t, "<table>\n");
        add_rows(&t, "", d->facts->json);
        text_add(&t, "</table>\n");
    }
    text_add(&t, "<p>Made by clutch %s.</p>\n</body>\n</html>\n", cmd_version());
    TRY(text_status(&t));
    TRY(drawing_path(d, "index.html", path));
    TRY(file_write(path, t.s, t.len));
out:
    text_free(&t);
    return s;
}
