/* What tuning.c (the file and its choices) and tune.c (candidates and measuring) share. */
#ifndef CLUTCH_MX_TUNING_H
#define CLUTCH_MX_TUNING_H

#include "inside.h"

#include <limits.h>

enum { CANDIDATES_MAX = 160, REASON_MAX = 200, USED_MAX = 4 };

struct candidate {
    const struct gemm_provider *provider;
    int param[GEMM_PARAMS_MAX];
    char refused[REASON_MAX];  /* why; "" where it was not */
    double gflops[TUNED_MAX];  /* by product; NAN: not measured, 0: it would take too long */
};

struct mx_tuning {
    struct ocl_facts facts;    /* of the device it is for */
    char path[PATH_MAX];       /* of its file; "" where there is no place for one */
    char device[256], family[256], date[32], clutch[64];
    bool fresh;                /* what the file has does not count */
    bool exact;                /* measured on this very device */
    bool quick, complete;
    double peak;               /* GFLOP/s; 0: not measured */
    int product_count, candidate_count;
    int own_count;             /* candidates to be tried; those behind are the file's alone */
    struct mx_product product[TUNED_MAX];
    int chosen[TUNED_MAX];     /* by product: candidate; -1: none */
    struct candidate candidate[CANDIDATES_MAX];
};

/* Index of a candidate, added where it is new; -1 where there is no room. */
int tuning_candidate(struct mx_tuning *t, const struct gemm_provider *provider, const int *param);
/* Likewise of a product. */
int tuning_product(struct mx_tuning *t, struct mx_product p);
/* m->how and m->tuned from the file of the device or its family, else its default. */
MUST_USE enum st tuning_apply(struct mx *m);

/* ---- tuning_file.c ----------------------------------------------------------------------------------------------- */

/* What devices that may share a file have in common. */
void tuning_family(const struct ocl_facts *f, char *out, size_t size);
bool tuning_folder(char *out, size_t size);                       /* false: there is no place */
void tuning_path(const struct ocl_facts *f, char *out, size_t size); /* "" likewise */
/* Of `path`, which must be a file of this format for the device or its family; ST_INPUT with the cause. */
MUST_USE enum st tuning_read(const char *path, const struct ocl_facts *f, struct mx_tuning *out);

#endif
