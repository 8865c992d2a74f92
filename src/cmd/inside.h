/* What the files of this floor share; nobody else includes it. */
#ifndef CLUTCH_CMD_INSIDE_H
#define CLUTCH_CMD_INSIDE_H

#include "cmd.h"
#include "data.h"
#include "json.h"
#include "nn.h"
#include "ocl.h"
#include "plan.h"
#include "sg.h"
#include "store.h"
#include "train.h"

/* ---- commands: a file each, a row each in the table of cmd.c ----------------------------------------------------- */

struct command {
    const char *name, *summary;
    /* Arguments behind the command's name. Failures are printed by the caller. */
    enum st (*run)(int argc, char **argv);
};

extern const struct command cmd_devices, cmd_train, cmd_eval, cmd_predict, cmd_draw, cmd_plan, cmd_compare, cmd_bench,
    cmd_tune, cmd_help, cmd_tell_version;
extern const struct command *const commands[]; /* NULL behind the last */
/* ST_INPUT says what is known, and what may have been meant. */
MUST_USE enum st command_find(const char *name, const struct command **out);
void usage_show(struct text *out); /* all commands, a line each */

const char *cmd_version(void);

/* ---- the terminal: the only door to stdout and stderr ------------------------------------------------------------ */

void terminal_open(void); /* before threads start */
bool terminal_rewrites(void); /* whether status_line() shows anything: not in a pipe, or where TERM is dumb */
int terminal_width(void); /* in columns, as it is now; COLUMNS, or 80, where stdout is no terminal */
/* printf to stdout, where what comes by %s is shown as show_next() does, so that no name of a file steers the terminal.
 * Conversions: d i u x c s f e g %, with flags, width and precision. */
void output(const char *fmt, ...) PRINTF(1, 2);
void output_lines(const char *lines); /* a text of our own making, of several lines */
/* The same of a text that was made with status `s`, where both are good; frees it, and returns what went wrong. */
MUST_USE enum st output_text(enum st s, struct text *t);
/* A line, cut to the width, that the next output of any kind replaces. */
void status_line(const char *fmt, ...) PRINTF(1, 2);
void complain_lines(const char *lines); /* of our own making, to stderr */
void complain(const char *who, const char *line); /* "WHO: LINE" to stderr, behind all that went to stdout */

/* ---- arguments --------------------------------------------------------------------------------------------------- */

enum arg_type { ARG_FLAG, ARG_TEXT, ARG_WHOLE, ARG_REAL };

/* One option. `out` points to bool, const char *, int64_t or double and holds the default. */
struct arg {
    const char *name; /* with its dashes: "--epochs" */
    enum arg_type type;
    void *out;
    const char *value, *help; /* "N", or "layer|tile" of words; and what it means with its default */
};

struct arg_list {
    const char *usage; /* "train NET --data DATA [options]"; what must be there stands before options and brackets */
    const char *about; /* what --help says besides; NULL: nothing */
    const struct arg *args;
    int n;
    int least, most;         /* positional arguments */
    const char **positional; /* room for `most` and a NULL */
    uint64_t given;          /* bit k: args[k] was on the command line */
    bool help;               /* set where --help was asked and printed */
};

/* `--name value` or `--name=value`, positional arguments anywhere. ST_INPUT names the argument and what is known. */
MUST_USE enum st args_parse(struct arg_list *list, int argc, char **argv);
/* From now on args_parse() gives its list to `visit`, and parses nothing: to make pages and completions of all lists.
 * NULL: it parses. */
void args_visit(void (*visit)(void *user, const struct arg_list *list), void *user);
void args_help(const struct arg_list *list); /* prints it, as wide as the terminal is, up to 100 columns */
/* The i-th word that must be there, "NET", without its brackets; false behind the last. */
bool args_positional(const struct arg_list *list, int i, char *out, size_t size);
bool args_given(const struct arg_list *list, const char *name);
/* An option that does nothing where `useless` holds. ST_INPUT names the first that was given nevertheless, and why. */
struct arg_effect {
    const char *name;
    bool useless;
    const char *why; /* "there is no --net" */
};
MUST_USE enum st args_check_effects(const struct arg_list *list, const struct arg_effect *rows, size_t n);
/* Likewise options of other optimisers. */
MUST_USE enum st args_check_optimizer(const struct arg_list *list, const struct train_options *o);
/* ST_INPUT with the name where v is not from least to most. */
MUST_USE enum st args_check(const char *name, int64_t v, int64_t least, int64_t most);

extern const char schedule_help[]; /* of --schedule */

/* ---- what several commands do ------------------------------------------------------------------------------------ */

/* The world and the first device that `spec` picks; others picked are named as not used. Emulated ones are ST_INPUT. */
struct device_hold {
    struct ocl_world *world;
    struct ocl_device *device;
};
MUST_USE enum st device_open(const char *spec, struct device_hold *h);
void device_close(struct device_hold *h);

/* The world and all devices that `spec` picks, as places for modules; emulated ones share one opened device. */
struct devices_hold {
    struct ocl_world *world;
    int n;
    struct plan_device device[PLAN_DEVICES_MAX];
    struct ocl_pick pick[PLAN_DEVICES_MAX]; /* what each is */
};
MUST_USE enum st devices_open(const char *spec, struct devices_hold *h);
void devices_close(struct devices_hold *h);
bool devices_are_parts(const struct devices_hold *h); /* all the parts of one device */
/* Which of the devices each section of the net demands: pinned[k] for the word behind its `on`, -1 where there is none.
 * A word is of the device grammar, `virtual` (any emulated one), or names one of several by its number: `virtual:2`,
 * `0:0/2:1`. Where it means several, the first that no section before has; where those have all, the first. ST_INPUT
 * names the line, the word and the devices. */
MUST_USE enum st devices_resolve_on(const struct devices_hold *h, const struct nn_net *net, int *pinned);

/* A net from its file, from its text (which has blanks or `;`), or by its bare name from those that came with the
 * program. ST_INPUT says where it was looked for. */
MUST_USE enum st net_open(const char *word, struct nn_net **out);
/* The names of those; they live in the arena. None where no folder of nets is found. */
MUST_USE enum st net_names(struct arena *arena, char ***names, size_t *n);

/* Couplings as train_couplings() tells them; in a net without cuts, out[0] is what its cuts would be. */
MUST_USE enum st couplings_of(const struct nn_net *net, const char *words, struct sg_spec out[PLAN_MODULES_MAX]);
/* Multiply-accumulates of one sample that a training step of `batch` samples costs module k, with its coupling and on
 * average where the module skips updates. spec: as couplings_of() gives them. */
uint64_t module_macs(const struct nn_net *net, const struct sg_spec *spec, int k, int batch);
/* What a coupling would cost at each place for a cut. spec: as couplings_of() gives them. */
void couplings_cost(const struct nn_net *net, const struct sg_spec *spec, struct plan_costs *costs);

/* --modules (0: as many as pay), --cuts and --on (NULL: not given), read and checked against each other and a net. */
struct cuts_wish {
    const char *cuts, *on;
    int64_t modules;
};
struct cuts {
    struct nn_net *split; /* the net with the cuts of --cuts; NULL: as it is. Caller frees */
    int modules;          /* 0: as many as pay */
    int on_count, on[PLAN_MODULES_MAX];
};
/* ST_INPUT where wishes and net contradict each other. `couple` goes behind the cuts, as in nn_net_split(). */
MUST_USE enum st cuts_open(const struct nn_net *net, const struct cuts_wish *w, const char *couple, struct cuts *out);
/* What that and the net (c->split where there is one) leave to choose on these devices; wish.micro_batches is the
 * caller's. ST_INPUT where a device is not here, or it cannot be had. */
struct cuts_demand {
    struct plan_wish wish; /* points to those below */
    int cut[PLAN_MODULES_MAX], pinned[PLAN_MODULES_MAX];
};
MUST_USE enum st cuts_demand(const struct cuts *c, const struct devices_hold *h, const struct nn_net *net,
                             struct cuts_demand *d);
/* The options that repeat a placement: "--cuts 15,31 --on 0,1,2". first: the layers that begin its modules; NULL: cuts
 * stand in the net. */
void cuts_show(const int *first, const int *on, int modules, struct text *out);
/* "measured on 2026-11-28, kept in FOLDER; --fresh measures anew" */
void kept_show(const struct plan_kept *kept, struct text *out);

struct modules_wish {
    const char *devices, *couple; /* NULL: the best device; as the net says */
    const char *optimizer;
    struct cuts_wish cuts;
    const char *cut_option;       /* one that was given, and has no effect where there is no cut; NULL: none */
    int64_t queue;                /* messages a mailbox holds */
    int batch;
    bool lockstep, no_tune, fresh;
    bool figures;                 /* of what to expect, wanted even where there is nothing to choose */
    const int *on;                /* (PLAN_MODULES_MAX) the devices of the net's modules, as an earlier run had them;
                                     NULL, or one is not here: to be planned */
};

/* Devices, and where the modules of a net go on them. */
struct modules {
    struct devices_hold hold;
    struct train_placement placement;
    struct nn_net *split; /* the net with the cuts that were chosen; NULL: there was nothing to choose */
    struct plan plan;     /* modules 0: there was nothing to choose */
    bool cut;             /* cuts are not the net's own */
    bool measured;        /* the choice is by measured figures: */
    struct plan_kept kept;
};
/* Opens, tunes and plans. ST_INPUT where wishes and net contradict each other. Caller closes, before the net. */
MUST_USE enum st modules_open(const struct nn_net *net, const struct modules_wish *w, struct modules *out);
/* The line that tells where modules go, as the options that repeat it, and where that is from. Nothing where one device
 * trains the whole net and there is no other. net: with all cuts. */
void modules_show(const struct modules *m, const struct nn_net *net, struct text *out);
void modules_close(struct modules *m); /* accepts one of zeros */
/* Opens the training of `net`, m->split where there is one: by the loop where it is one module on a real device. */
MUST_USE enum st modules_train(const struct modules *m, const struct nn_net *net, const struct train_options *options,
                               const struct data_set *set, const struct train_scaling *scaling,
                               struct train_memory *memory, struct train **out);

/* trace.json of a run that trained in modules. */
MUST_USE enum st trace_write(struct train *t, const char *folder);

/* Measures products of a device that has no tuning file, for about three seconds and as long as compiling them takes,
 * and writes one; says so in a note, as it does of whatever goes wrong. Not with `no` (--no-tune) or CLUTCH_TUNE=off.
 */
MUST_USE enum st tune_at_first_use(struct ocl_device *device, bool no);
/* "tuned on 2026-11-22: 87.0 GFLOP/s ..." in one line, for people; and as JSON, NULL where memory ran out. */
void tuned_show(const struct ocl_facts *f, char *out, size_t size);
json_t *tuned_json(const struct ocl_facts *f);

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

/* Prints it on a line of its own and gives it up; NULL as in json_check. */
MUST_USE enum st json_print(json_t *one);
/* The value behind `key` of an object. ST_INPUT, with key and value, where it is missing, is of another kind or,
 * of numbers, not from `least` to `most`. A text lives as long as the object. */
MUST_USE enum st json_whole(const json_t *object, const char *key, int64_t least, int64_t most, int64_t *out);
MUST_USE enum st json_real_in(const json_t *object, const char *key, double least, double most, double *out);
MUST_USE enum st json_flag(const json_t *object, const char *key, bool *out);
MUST_USE enum st json_word(const json_t *object, const char *key, const char **out);

/* ---- runs: what run.json keeps, so that a run can be repeated, evaluated, and gone on with ----------------------- */

/* What a run does otherwise from a step on: it was resumed with another --epochs, --lr or --patience, or brought back
 * from divergence. */
struct run_change {
    uint64_t step;
    int epochs, patience;
    double lr;
};
enum { RUN_CHANGES_MAX = 256, RUN_KEEP_MAX = 1000, CHECKPOINT_MINUTES = 10, CHECKPOINT_MINUTES_MAX = 100000 };

struct run_facts {
    json_t *json;    /* of a run.json that was read; holds the strings below. NULL: they belong to others */
    json_t *written; /* as it was written; NULL: it was not */
    const char *net_text, *net_origin, *data;
    const char *data_path;       /* the folder or files that `data` meant, absolute; NULL: drawn, or not known */
    uint32_t samples;            /* to train on; 0: not known */
    char fingerprint[17];        /* of those: data_fingerprint() in hexadecimal; "": not known */
    struct train_options first;  /* as the run began */
    int first_patience;          /* likewise */
    struct train_options options; /* in force: with the changes so far */
    struct run_change change[RUN_CHANGES_MAX]; /* in the order of their steps */
    int change_count;
    int patience, keep;          /* epochs without a better one, 0: any; checkpoints to keep */
    double checkpoint_minutes;   /* between two within an epoch; 0: none */
    bool restore;                /* on divergence, else the run stops */
    int draw_every;              /* epochs; 0: nothing is drawn; DRAWER_CHOOSES */
    struct train_scaling scaling;
    int channels, height, width; /* of the pictures */
    int class_count;
    const char *class_name[DATA_CLASSES_MAX];
    uint32_t limit, validation;
    const char *devices, *couple;  /* as asked for; NULL: not */
    bool lockstep;
    int queue;
    int module_count;              /* 0: not known, a run of before there were modules */
    int on[PLAN_MODULES_MAX];      /* device of each module, among those of `devices` */
};

/* `f` keeps what was written. */
MUST_USE enum st run_facts_write(const char *folder, struct run_facts *f, struct train *t, const struct nn_net *net);
/* One more change, put into force and written. */
MUST_USE enum st run_facts_change(const char *folder, struct run_facts *f, const struct run_change *change);
/* Where to read the data: where it was, wherever the program is started; as it was typed where that is not there any
 * more. */
const char *run_facts_data(const struct run_facts *f);
MUST_USE enum st run_facts_read(const char *folder, struct run_facts *out);
/* The run's net, which must fit what else run.json says. */
MUST_USE enum st run_facts_net(const char *folder, const struct run_facts *f, struct nn_net **out);
void run_facts_free(struct run_facts *f);

/* The file of a run's last weights, or of its best; `out` holds PATH_MAX bytes. */
MUST_USE enum st model_path(const char *folder, bool best, char *out);
/* Weights of the net that trains, and in the file's header what it takes to use them elsewhere: "shape" of a picture,
 * "mean" and "deviation" of its channels, "classes", as JSON, "net", the layers as text, and "clutch", the version. */
MUST_USE enum st model_write(const char *path, const struct run_facts *f, const struct nn_net *net, struct train *t);
/* The same from a checkpoint, where the file is not already that; *written: it was not. */
MUST_USE enum st model_write_again(const char *path, const struct run_facts *f, const struct nn_net *net,
                                   const char *checkpoint, bool *written);

/* The lines of a run's metrics.jsonl, as an array; those that are no JSON are passed over, for a run may be writing
 * one. None where there is no such file. Caller decrefs. */
MUST_USE enum st metrics_read(const char *run, json_t **lines);
/* The whole lines of the first `step` steps alone; *bytes: of the file up to their end, behind which it tells of steps
 * that a resumed run takes again. */
MUST_USE enum st metrics_read_until(const char *run, int64_t step, json_t **lines, size_t *bytes);
/* A number of the last line; 0 where there is none. */
double metrics_last(const json_t *lines, const char *name);

#endif
