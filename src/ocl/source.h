/* The kernels, as embed.sh puts them into the binary. */
#ifndef CLUTCH_OCL_SOURCE_H
#define CLUTCH_OCL_SOURCE_H

struct ocl_source {
    const char *name; /* file name without ".cl" */
    const unsigned char *text; /* NUL-terminated */
};

extern const struct ocl_source ocl_sources[];
extern const int ocl_source_count;

#endif
