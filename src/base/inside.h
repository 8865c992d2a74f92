/* What the file door's two halves, files and folders, share. */
#ifndef CLUTCH_BASE_INSIDE_H
#define CLUTCH_BASE_INSIDE_H

#include "base.h"

enum { PART_NAME_BYTES = 40, WHY_BYTES = 320 };

/* Opens the folder that the first `len` bytes of `path` name (0: the current one) for what is written into it. Below a
 * folder that is held the way goes from its descriptor on, and no link is followed. -1: `why` tells. */
int folder_open(const char *path, size_t len, char why[WHY_BYTES]);
/* Gives an open folder's entries a lasting place on the disk; -1 and errno. */
int folder_sync(int folder, const char *path);
/* A file that is to be renamed, of a name that nobody can guess, locked for as long as it is open, so that dir_clear()
 * leaves it alone. -1 and errno. */
int part_open(int folder, char name[PART_NAME_BYTES], unsigned mode);
void part_name(char out[PART_NAME_BYTES]);
bool is_part(const char *name);

/* file_read() of what is open already. */
MUST_USE enum st file_read_open(int fd, const char *path, size_t max_bytes, char **data, size_t *len);
/* file_write() with the mode of the new file, less the umask; not `lasting`: without waiting for the disk. */
MUST_USE enum st file_replace(const char *path, const void *data, size_t len, unsigned mode, bool lasting);

#endif
