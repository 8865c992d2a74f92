/* Private to cmd: drawing what a run knows. Each kind of picture is a file draw_KIND.c. */
#ifndef CLUTCH_CMD_PICTURES_H
#define CLUTCH_CMD_PICTURES_H

#include "inside.h"

/* One picture that was drawn. */
struct picture {
    const char *section; /* of the page: "Weights" */
    const char *file;    /* from the run folder on: "pictures/curves.png" */
    const char *caption;
    const char *numbers; /* the file that has what it shows as numbers, likewise; NULL: none of its own */
    int w, h;            /* pixels */
};

/* What is being drawn, how, and what was drawn so far. */
struct drawing {
    struct arena arena;            /* of the texts of pictures */
    const char *folder;            /* pictures go to pictures/ in it */
    const char *run;               /* the run folder that is drawn; NULL: tensors of no run */
    const struct run_facts *facts; /* of the run; NULL likewise */
    const char *origin;            /* the net's name, or the file of the tensors */
    int epoch;                     /* of the weights; -1: not known */
    int input[3];                  /* channels, height and width of the input pictures; zeros: none */
    bool each;                     /* a range of colours for each tile */
    bool all_motion;               /* frames over the epochs of every tensor, not of the first alone */
    int side_max;                  /* pixels; 0: the default */
    struct picture *picture;
    int n, room;
};

/* A drawing of a run into `folder`, which may be the run folder itself. Names and facts are borrowed. */
void drawing_of_run(const char *run, const char *folder, const struct run_facts *f, int epoch, struct drawing *out);
void drawing_close(struct drawing *d); /* accepts one of zeros */

/* Whether inputs can be shown as they are: grey or in colour. */
static inline bool shows_pictures(const struct drawing *d)
{
    return d->input[0] == 1 || d->input[0] == 3;
}

/* Path of a file of the drawing, "pictures/NAME", made from a format; `out` holds PATH_MAX bytes. */
MUST_USE enum st drawing_path(const struct drawing *d, const char *file, char *out);
/* Adds a picture that was written; texts are copied. */
MUST_USE enum st drawing_add(struct drawing *d, const struct picture *p);
/* Writes `image` to p->file, with what every picture tells in its text chunks and `notes` beside, and adds it. */
MUST_USE enum st drawing_write(struct drawing *d, struct picture p, const struct store_picture *image,
                               const struct store_note *notes, int n);
MUST_USE enum st drawing_write_motion(struct drawing *d, struct picture p, const struct store_motion *motion,
                                      const struct store_note *notes, int n);

/* ---- weights ----------------------------------------------------------------------------------------------------- */

/* Whose tensors are drawn. */
struct tensor_owner {
    const char *word, *section; /* first word of the files' names, and where they stand on the page */
    bool sees_inputs;           /* the first tensor looks at the input pictures */
};
extern const struct tensor_owner owner_net, owner_couplings;

/* A picture of each tensor of two dimensions or more. */
MUST_USE enum st draw_weights(struct drawing *d, const struct tensor_owner *owner, const struct store_tensor *tensor,
                              int n);

/* Weights over the epochs: the copies that training left in the folder's snapshots/. */
struct snapshots {
    struct arena arena;
    int n;
    int *epoch;               /* rising */
    struct store_file **file; /* (n) */
};
/* At most `most` of them, evenly chosen, the first and the last among them. None is no failure. Caller closes. */
MUST_USE enum st snapshots_open(const char *folder, int most, struct snapshots *out);
void snapshots_close(struct snapshots *s); /* accepts one of zeros */
/* "snapshots/epoch-00012.safetensors" */
void snapshot_name(int epoch, char *out, size_t size);

/* Difference from the first snapshot, the units that changed most, and frames over the epochs. */
MUST_USE enum st draw_changes(struct drawing *d, const struct tensor_owner *owner, const struct store_tensor *tensor,
                              int n);

/* How a tensor becomes tiles. */
struct layout {
    struct store_tiles tiles; /* without values */
    int units;                /* outputs: the first dimension */
    char what[160];           /* "256 units, 28 x 28 inputs each" */
};
/* False for what is no matrix. `first`: its inputs may be the input pictures. */
bool lay_out(const struct drawing *d, const struct store_tensor *tensor, bool first, struct layout *out);
/* The number of a tensor among those that are drawn; -1: it is not. */
int drawn_number(const struct store_tensor *tensor, int i);

/* Values drawn as a layout says, with a strip below that names them. */
struct rendering {
    struct store_picture picture;
    struct store_tiles_facts facts;
    char what[320], range[200]; /* lines of the strip, for captions too */
    char number[6][48];         /* texts of the notes */
};
struct render {
    const char *title;
    const struct layout *layout;
    const float *values;
    double range; /* 0: measured */
    int epoch;    /* -1: not told */
};
MUST_USE enum st render_values(const struct drawing *d, const struct render *r, struct rendering *out);
/* Notes on a rendering, which keeps their texts: RENDER_NOTES of them. */
enum { RENDER_NOTES = 7 };
void render_notes(struct rendering *r, const char *layer, struct store_note out[RENDER_NOTES]);

/* ---- the run ----------------------------------------------------------------------------------------------------- */

/* Loss and accuracy by epoch and by time, those of other runs over them; and how modules and cuts did. */
MUST_USE enum st draw_curves(struct drawing *d, const char *const *other, int others);
/* What devices and threads did, from trace.json: of this run and of others below it. */
MUST_USE enum st draw_devices(struct drawing *d, const char *const *other, int others);

/* ---- the trained net, which needs data and a device -------------------------------------------------------------- */

struct draw_test {
    const char *model; /* path of its weights */
    const struct nn_net *net;
    const struct data_set *set;
    struct ocl_device *device;
    int units; /* of a hidden layer, whose inputs are synthesised */
};
MUST_USE enum st draw_confusion(struct drawing *d, const struct draw_test *t);
MUST_USE enum st draw_dissimilarity(struct drawing *d, const struct draw_test *t);
MUST_USE enum st draw_inputs(struct drawing *d, const struct draw_test *t);
/* ---- all of it --------------------------------------------------------------------------------------------------- */

/* What needs neither data nor a device. */
MUST_USE enum st draw_run(struct drawing *d, const char *const *other, int others);
/* index.html, with all pictures of the drawing. */
MUST_USE enum st draw_page(const struct drawing *d);

/* ---- while training ---------------------------------------------------------------------------------------------- */

/* A thread that keeps copies of the weights in snapshots/ and draws them. What goes wrong there is told in notes, and
 * is no failure of training. */
struct drawer;
enum { DRAWER_CHOOSES = INT32_MIN };
/* `every` so many epochs, the first weights and the last always; DRAWER_CHOOSES: some 20 frames in all, and of large
 * weights, which would fill disks, the first and the last alone; 0: nothing, and *out is NULL. WAITS. */
MUST_USE enum st drawer_open(const char *folder, const struct run_facts *f, struct train *t, int every,
                             struct drawer **out);
/* After an epoch, the run's `last` one or not: hands over the weights where it is time. Where the thread's queue is
 * full, this frame is left out and counted, but for the last. WAITS. Accepts NULL. */
MUST_USE enum st drawer_epoch(struct drawer *d, struct train *t, bool last);
/* Waits until all frames are drawn, and frees. Accepts NULL. */
void drawer_close(struct drawer *d);
/* The same, and then draws all that needs neither data nor a device, with the page; says so unless `quiet`. */
void drawer_finish(struct drawer *d, bool quiet);
/* That page alone, of a run with so many epochs. What goes wrong is a note. */
void drawer_page(const char *folder, int epoch, bool quiet);

#endif
