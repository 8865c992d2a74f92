/* What tests with kernels of their own share: the device they run on, the folder that CL_DIR names, what was noted. */
#ifndef CLUTCH_TESTS_SOURCES_H
#define CLUTCH_TESTS_SOURCES_H

#include "ocl.h"

/* Group setup and teardown: the world, and the device of the tests, CLUTCH_TEST_DEVICE or the best. */
int sources_setup(void **state);
int sources_teardown(void **state);
struct ocl_world *sources_world(void);
int sources_device(void); /* its index */

/* Around a test: CL_DIR is the folder, notes are kept. */
void sources_begin(void);
void sources_end(void);
void sources_put(const char *name, const char *text); /* a file of the folder */
void sources_copy(const char *name); /* the program's own file of that name, as one of the folder */
const char *sources_notes(void); /* since the test began, a line each; "" where there are none */

#endif
