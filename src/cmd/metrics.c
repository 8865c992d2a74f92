/* metrics.jsonl, read back. */
#include "inside.h"

#include <limits.h>
#include <string.h>

enum { METRICS_BYTES_MAX = 1 << 28 };

enum st metrics_read_until(const char *run, int64_t step, json_t **lines, size_t *bytes)
{
    enum st s = ST_OK;
    char path[PATH_MAX], *text = NULL;
    size_t len;
    *bytes = 0;
    *lines = json_array();
    TRY(json_check(*lines));
    TRY(store_path(run, "metrics.jsonl", path, sizeof path));
    if (!file_exists(path))
        goto out;
    TRY(file_read(path, METRICS_BYTES_MAX, &text, &len));
    for (char *line = text; *line;) {
        size_t n = strcspn(line, "\n");
        json_t *one = line[n] ? json_loadb(line, n, 0, NULL) : NULL; /* a line without an end is half a line */
        bool later = one && json_integer_value(json_object_get(one, "step")) > step;
        if (later)
            json_decref(one);
        else if (one && json_array_append_new(*lines, one) != 0)
            TRY(json_check(NULL));
        if (later)
            break;
        line += n + (line[n] != '\0');
        if (one)
            *bytes = (size_t)(line - text);
    }
out:
    mem_free(text);
    if (s != ST_OK) {
        json_decref(*lines);
        *lines = NULL;
    }
    return s;
}

enum st metrics_read(const char *run, json_t **lines)
{
    size_t bytes;
    return metrics_read_until(run, INT64_MAX, lines, &bytes);
}

double metrics_last(const json_t *lines, const char *name)
{
    return json_number_value(json_object_get(json_array_get(lines, json_array_size(lines) - 1), name));
}
