/* Lists of tensors to write, and tensors found in files: what files.c and checkpoint.c share. */
#ifndef CLUTCH_TRAIN_FILES_H
#define CLUTCH_TRAIN_FILES_H

#include "team.h"

/* ---- to write ---------------------------------------------------------------------------------------------------- */

struct files_list {
    struct arena arena; /* of the values */
    struct store_tensor *tensor;
    int n, room;
};

MUST_USE enum st files_list_open(struct files_list *l, int room);
void files_list_close(struct files_list *l);
/* A new entry, called prefix and name, with memory for its values. */
MUST_USE enum st files_list_add(struct files_list *l, const char *prefix, const char *name, enum store_type type,
                                int rank, const int64_t *shape, void **values);
MUST_USE enum st files_add_number(struct files_list *l, const char *prefix, const char *name, int64_t v);
/* Tensor i of the net. */
MUST_USE enum st files_add_tensor(struct files_list *l, struct train *t, int i, enum nn_part part, int slot,
                                  const char *prefix);
/* What model.safetensors holds: files_model_room() entries at most. */
MUST_USE enum st files_add_model(struct files_list *l, struct train *t);
int files_model_room(const struct train *t);
/* What tensors are called that are the optimiser's copies. */
void files_slot_prefix(int slot, char *out, size_t size);

/* ---- couplings --------------------------------------------------------------------------------------------------- */

enum { COUPLING_SLOTS = 2 }; /* of Adam, which trains them */

int files_cut_count(const struct train *t);
struct sg_coupling *files_coupling(const struct train *t, int cut); /* NULL: it has no nets */
int files_couplings_room(const struct train *t); /* tensors of all, without their optimiser's copies */
void files_coupling_prefix(const char *before, int cut, int net, char *out, size_t size);
/* Parameters and state (slot -1), or one slot of the optimiser. */
MUST_USE enum st files_add_coupling(struct files_list *l, struct train *t, int cut, int slot);

/* ---- to read ----------------------------------------------------------------------------------------------------- */

MUST_USE enum st files_find(const struct store_file *file, const struct nn_tensor *t, const char *prefix,
                            const float **values);
MUST_USE enum st files_load_tensors(struct train *t, const struct store_file *file, enum nn_part part, int slot,
                                    const char *prefix);
MUST_USE enum st files_load_model(struct train *t, const struct store_file *file);
MUST_USE enum st files_load_number(const struct store_file *file, const char *name, int64_t *out);

#endif
