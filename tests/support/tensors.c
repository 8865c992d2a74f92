#include "tensors.h"

#include "check.h"

#include "store.h"

#include <string.h>

static size_t tensor_bytes(const struct store_tensor *t)
{
    size_t n = t->type == STORE_I64 ? 8 : 4;
    for (int i = 0; i < t->rank; i++)
        n *= (size_t)t->shape[i];
    return n;
}

bool same_tensors(const char *a, const char *b)
{
    struct store_file *left, *right;
    OK(store_tensors_open(a, &left));
    OK(store_tensors_open(b, &right));
    bool same = store_tensors_count(left) == store_tensors_count(right);
    for (int i = 0; same && i < store_tensors_count(left); i++) {
        const struct store_tensor *l = store_tensors_at(left, i), *r = store_tensors_at(right, i);
        same = strcmp(l->name, r->name) == 0 && tensor_bytes(l) == tensor_bytes(r) &&
               (strstr(l->name, "nanoseconds") || memcmp(l->data, r->data, tensor_bytes(l)) == 0);
    }
    store_tensors_close(left);
    store_tensors_close(right);
    return same;
}
