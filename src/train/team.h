/* Modules that train on devices of their own: what team.c, worker.c and their neighbours share. */
#ifndef CLUTCH_TRAIN_TEAM_H
#define CLUTCH_TRAIN_TEAM_H

#include "inside.h"

enum { SETS_MAX = 64, ERRANDS_MAX = 4 * SETS_MAX, SPANS_MAX = 4096, WINDOW_STEPS_MAX = 8 };

/* What remains to be done with a message once a transfer has ended: send it, or give it back. */
struct errand {
    struct ocl_event event;
    struct sg_mailbox *box;
    struct sg_message *message;
    bool send;
};

enum wait_for { WAIT_INPUT, WAIT_SPACE, WAIT_GRADIENT, WAITS };

/*
 * A module with its device, queue and thread. While a run is under way all of it belongs to its thread, but what is
 * marked; between runs (thread started and joined order that) to the thread that uses the train.
 */
struct worker {
    struct team *team;
    int index;
    struct nn_net *net; /* its section */
    const struct plan_device *place;
    struct ocl_emulated emulated;
    struct ocl_queue *queue;
    struct mx *mx;
    struct nn_module *module;
    struct sg_coupling *coupling;  /* NULL: the last module, or a coupling without nets */
    const struct sg_spec *spec;    /* NULL: the last module */
    struct sg_mailbox *from_below, *to_above, *from_above, *to_below; /* NULL where nothing goes; each pair of modules
                                                                         shares two, opened by the sender */
    struct ocl_buf *x;                 /* (micro, B, in); B: rows_max here and below */
    struct ocl_buf *labels[SETS_MAX];  /* uint32 (B) each */
    uint32_t *host_labels;             /* (micro, B) */
    struct ocl_buf *target;            /* (B, out): a gradient from above; NULL: the coupling takes none */
    struct ocl_buf *sum_grads;         /* of micro-batches; NULL: there are none */
    struct ocl_buf *scale;             /* the lowest module's, with its feeds */
    struct feed feed[3];
    struct ocl_buf *per_row, *meter_buf; /* the last module's: as in struct train */
    float meter[2 * WINDOW];
    uint64_t meter_step[WINDOW];       /* in its epoch, of each entry */
    struct train_result sum;           /* what it last reported */
    int pending;
    uint64_t updates;                  /* of the module, since the start */

    struct errand errand[ERRANDS_MAX]; /* a ring between the two counters */
    uint64_t errands_done, errands;

    /* of the epoch under way */
    uint64_t step, step_in_epoch;
    uint64_t sent_up, targets_taken; /* while training; since the start */
    uint64_t epoch_updates, targets, stale_sum, stale_most;
    /* of that, since the epoch began or was loaded: of the time struct train calls watched */
    uint64_t traced_steps, traced_ns, wait_ns[WAITS], busy_ns_before;
    int window_steps, window_left, window_rest; /* a traced window: its length, steps to go, steps until it is read */
    uint64_t window_at;
    struct ocl_launch *listen; /* (OCL_TRACE_MAX) */

    struct train_span *span; /* (SPANS_MAX) */
    int spans;
    struct thread *thread;
};

struct team {
    struct train *train; /* whose options, net and set these modules train by; they do not change during a run */
    struct train_placement placement;
    int n, micro;    /* modules; micro-batches of a batch, which is also how many sets of activations there are */
    int rows_max;    /* of a micro-batch */
    int ring;        /* targets that a coupling may wait for at once */
    int batch_min;   /* samples that some layer needs */
    bool streams;
    struct worker *worker; /* (n), the lowest first */
    struct plan_device place[PLAN_DEVICES_MAX];
    struct ocl_emulator *emulator; /* NULL: all devices are real */
    struct train_span *all_spans;

    /* of the run under way: written before its threads start */
    enum train_split split;
    bool training;
    uint64_t first, steps; /* steps of the epoch, unless a pause ends the run before */
    const struct train_watch *watch; /* NULL: nobody watches */
    _Atomic uint64_t end;  /* step of the epoch behind the last one. Lowered by the lowest module's thread alone,
                              before it begins that last step: others learn of it by the step's message, in time */
    double *losses;        /* (steps), written by the last module's thread; NULL: not asked for */
    /* under `changed`: */
    struct monitor *changed;
    int running;
    enum st failed;
    char message[1024];
    struct train_result sum; /* of the batches done, and while training of those before in the epoch; sums, not means */
    uint64_t done;           /* steps of this run */
};

/* The body of a worker's thread. */
void worker_run(void *worker);
/* From a worker: the run fails with its message; all others stop. */
void team_fail(struct team *team, const struct worker *w, enum st s);
/* From the last module's worker: the results so far, after so many steps of the run. */
void team_report(struct team *team, const struct train_result *sum, uint64_t steps_done);

/* Samples of a batch of `rows` that micro-batch m of it has, of `team_micro(...)`; *first is the first of them. */
int team_micro(const struct team *team, int rows);
int team_micro_rows(int rows, int micro, int m, int *first);
uint64_t team_samples(const struct team *team); /* of the split under way */

/* x of a set, and what a worker does with a batch: for the run and for probes. */
struct mx_tensor worker_x(const struct worker *w, int set, int rows);
void worker_span(struct worker *w, const char *name, bool waiting, uint64_t start_ns, uint64_t end_ns);

/* Timed windows of a worker's steps: trace.c. */
MUST_USE enum st window_before_step(struct worker *w);
MUST_USE enum st window_after_step(struct worker *w, bool last);

/* What the functions of train.h do for a team. */
void team_close(struct team *team); /* accepts NULL */
MUST_USE enum st team_init(struct team *team);
/* `steps` steps of an epoch from step `first` on, fewer where the watch asks for a pause; while training they count. */
MUST_USE enum st team_run(struct team *team, enum train_split split, bool training, uint64_t first, uint64_t steps,
                          double *losses, const struct train_watch *watch);
void team_begin_counts(struct team *team); /* of a new epoch */
void team_watch_anew(struct team *team);   /* times and shares of them begin here */
MUST_USE enum st team_epoch(struct team *team, const struct train_watch *watch, struct train_epoch *out);
MUST_USE enum st team_evaluate(struct team *team, enum train_split split, struct train_result *out);
MUST_USE enum st team_shuffle(struct team *team, uint64_t seed, uint32_t epoch);
MUST_USE enum st team_probe(struct team *team, struct train_alignment *out);

#endif
