/* The command line of clutch train. */
#include "session.h"

#include <stdio.h>
#include <string.h>

static enum st take_name(char *out, size_t size, const char *name)
{
    if (snprintf(out, size, "%s", name) >= (int)size)
        return st_fail(ST_INPUT, "'%s' is too long a name", name);
    return ST_OK;
}

/* What needs a cut is refused where there is none, as soon as devices are known. */
static enum st check_effects(const struct arg_list *l, struct wishes *w)
{
    static const char *const of_cuts[] = {"--couple", "--lockstep", "--queue"};
    const struct arg_effect rows[] = {{"--force", !w->out, "without --out a run gets a folder of its own"}};
    for (size_t i = 0; i < COUNT_OF(of_cuts) && !w->cut_option; i++)
        w->cut_option = args_given(l, of_cuts[i]) ? of_cuts[i] : NULL;
    return args_check_effects(l, rows, COUNT_OF(rows));
}

static enum st check_wishes(const struct arg_list *l, struct wishes *w)
{
    enum st s = ST_OK;
    struct train_options *o = &w->options;
    TRY(args_check("--epochs", w->epochs, 1, 100000));
    TRY(args_check("--batch", w->batch, 1, 65536));
    TRY(args_check("--seed", w->seed, 0, INT64_MAX));
    TRY(args_check("--limit", w->limit, 0, UINT32_MAX));
    TRY(args_check("--validation", w->validation, 0, UINT32_MAX));
    if (w->draw_every != DRAWER_CHOOSES)
        TRY(args_check("--draw-every", w->draw_every, 0, 100000));
    TRY(args_check("--patience", w->patience, 0, 100000));
    TRY(args_check("--keep", w->keep, 1, RUN_KEEP_MAX));
    if (!(w->checkpoint_minutes >= 0 && w->checkpoint_minutes <= CHECKPOINT_MINUTES_MAX))
        TRY(st_fail(ST_INPUT, "--checkpoint-every is %g, must be from 0 to %d", w->checkpoint_minutes,
                    CHECKPOINT_MINUTES_MAX));
    if (strcmp(w->on_divergence, "stop") != 0 && strcmp(w->on_divergence, "restore") != 0)
        TRY(st_fail(ST_INPUT, "unknown --on-divergence '%s'; known: stop, restore", w->on_divergence));
    o->epochs = (int)w->epochs;
    o->batch = (int)w->batch;
    o->seed = (uint64_t)w->seed;
    TRY(take_name(o->optimizer, sizeof o->optimizer, w->optimizer));
    TRY(take_name(o->schedule, sizeof o->schedule, w->schedule));
    TRY(train_check_options(o));
    TRY(args_check_optimizer(l, o));
    TRY(check_effects(l, w));
out:
    return s;
}

/* Only what stands in `allowed` may be given beside `mode`. */
static enum st check_beside(const struct arg_list *l, const char *mode, const char *const *allowed, size_t n)
{
    struct text words = {0};
    enum st s = ST_OK;
    for (int k = 0; k < l->n && s == ST_OK; k++) {
        bool good = !(l->given >> k & 1) || strcmp(l->args[k].name, mode) == 0;
        for (size_t i = 0; i < n; i++)
            good = good || strcmp(allowed[i], l->args[k].name) == 0;
        if (good)
            continue;
        for (size_t i = 0; i < n; i++)
            text_add(&words, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " and ", allowed[i]);
        s = st_fail(ST_INPUT, "%s goes by what the run folder says: it takes %s, not %s", mode,
                    words.failed ? "?" : words.s, l->args[k].name);
    }
    text_free(&words);
    return s;
}

static enum st check_mode(const struct arg_list *l, const struct wishes *w)
{
    static const char *const resume[] = {"--devices", "--data", "--epochs", "--lr", "--patience", "--keep",
                                         "--checkpoint-every", "--on-divergence", "--draw-every", "--json"};
    static const char *const repeat[] = {"--data", "--out", "--force", "--draw-every", "--json"};
    const char *mode = w->resume ? "--resume" : w->repeat ? "--repeat" : NULL;
    if (mode && w->net)
        return st_fail(ST_INPUT, "%s takes no NET: the run folder says which", mode);
    if (w->resume)
        return check_beside(l, mode, resume, COUNT_OF(resume));
    if (w->repeat)
        return check_beside(l, mode, repeat, COUNT_OF(repeat));
    if (!w->net || !w->data)
        return st_fail(ST_INPUT, "%s is missing; usage: clutch %s", w->net ? "--data" : "NET", l->usage);
    return ST_OK;
}

/* What --resume may change of what the run folder says. */
static void note_given(const struct arg_list *l, struct wishes *w)
{
    w->given.epochs = args_given(l, "--epochs");
    w->given.lr = args_given(l, "--lr");
    w->given.patience = args_given(l, "--patience");
    w->given.keep = args_given(l, "--keep");
    w->given.checkpoint = args_given(l, "--checkpoint-every");
    w->given.divergence = args_given(l, "--on-divergence");
}

static enum st take_arguments(const struct arg_list *l, struct wishes *w)
{
    enum st s = ST_OK;
    w->net = l->positional[0];
    TRY(check_mode(l, w));
    note_given(l, w);
    TRY(check_wishes(l, w));
out:
    return s;
}

static struct wishes defaults(void)
{
    struct train_options d = train_defaults();
    return (struct wishes){.epochs = d.epochs, .batch = d.batch, .seed = (int64_t)d.seed, .optimizer = "adam",
                           .schedule = "cosine", .queue = TRAIN_QUEUE, .draw_every = DRAWER_CHOOSES, .keep = 1,
                           .checkpoint_minutes = CHECKPOINT_MINUTES, .on_divergence = "stop", .options = d};
}

enum st wishes_read(int argc, char **argv, struct wishes *w, bool *help)
{
    const char *positional[2] = {0};
    *w = defaults();
    struct train_options *o = &w->options;
    const struct arg args[] = {
        {"--data", ARG_TEXT, &w->data, "DATA",
         "fashion-mnist, mnist, digits, or a folder: IDX files, or PNGs in a folder a class"},
        {"--epochs", ARG_WHOLE, &w->epochs, "N", "times over the training set (10)"},
        {"--batch", ARG_WHOLE, &w->batch, "B", "samples a step (128)"},
        {"--optimizer", ARG_TEXT, &w->optimizer, "adam|adamw|sgd", "how weights are updated (adam)"},
        {"--lr", ARG_REAL, &o->lr, "X", "learning rate (0.001)"},
        {"--momentum", ARG_REAL, &o->momentum, "X", "of sgd (0.9)"},
        {"--nesterov", ARG_FLAG, &o->nesterov, NULL, "sgd looks ahead"},
        {"--weight-decay", ARG_REAL, &o->weight_decay, "X", "pull towards zero (0)"},
        {"--schedule", ARG_TEXT, &w->schedule, "cosine|step|none", schedule_help},
        {"--warmup", ARG_REAL, &o->warmup, "EPOCHS", "over which the rate rises to --lr (0)"},
        {"--seed", ARG_WHOLE, &w->seed, "S", "of weights, order and dropout (1)"},
        {"--devices", ARG_TEXT, &w->devices, "SPEC",
         "0:0, gpu, cpu, accel, part of a name, all; 0:0/2: its halves; virtual:N@S: emulated; commas (the best one)"},
        {"--modules", ARG_WHOLE, &w->cuts.modules, "N",
         "cut the net into N modules, a device each (as many as pay on these devices)"},
        {"--cuts", ARG_TEXT, &w->cuts.cuts, "LIST", "cut before these layers, with commas (as is measured)"},
        {"--on", ARG_TEXT, &w->cuts.on, "LIST", "device of each module, 0 for the first of --devices (as is measured)"},
        {"--fresh", ARG_FLAG, &w->fresh, NULL, "measure anew where modules go, and not by what was kept before"},
        {"--couple", ARG_TEXT, &w->couple, "WORDS",
         "a module's gradient at all cuts: csg, sg, local, predsim, exact, or a control: vir, classmean, fixed, none; "
         "with options (the net's, or csg)"},
        {"--lockstep", ARG_FLAG, &w->lockstep, NULL,
         "modules wait for each other in every step: slower, and the same bits each time"},
        {"--queue", ARG_WHOLE, &w->queue, "N", "messages that may wait between two modules (4)"},
        {"--out", ARG_TEXT, &w->out, "DIR", "run folder (runs/NAME-001, -002, ...)"},
        {"--force", ARG_FLAG, &w->force, NULL, "overwrite a run folder"},
        {"--resume", ARG_TEXT, &w->resume, "DIR",
         "go on with an interrupted run, or, with more --epochs, with a finished one; --data, --lr, --devices, "
         "--patience, --keep, --checkpoint-every, --on-divergence, --draw-every and --json may stand beside"},
        {"--repeat", ARG_TEXT, &w->repeat, "DIR",
         "train anew what a run folder says, into another; --data, --out, --force, --draw-every and --json beside"},
        {"--checkpoint-every", ARG_REAL, &w->checkpoint_minutes, "MIN",
         "minutes between checkpoints within an epoch; 0: at its end alone (10)"},
        {"--keep", ARG_WHOLE, &w->keep, "K", "checkpoints of the last K epochs stay (1)"},
        {"--patience", ARG_WHOLE, &w->patience, "N",
         "end after N epochs without a better accuracy, of validation or else of testing; 0: never (0)"},
        {"--on-divergence", ARG_TEXT, &w->on_divergence, "stop|restore",
         "where the loss is not finite, or absurd: end, or go back to the last checkpoint and halve the rate (stop)"},
        {"--limit", ARG_WHOLE, &w->limit, "N", "train on the first N samples (all)"},
        {"--validation", ARG_WHOLE, &w->validation, "N", "hold N training samples out, and report on them (0)"},
        {"--stream", ARG_FLAG, &o->stream, NULL, "keep the pictures in host memory even where they fit the device"},
        {"--draw-every", ARG_WHOLE, &w->draw_every, "N",
         "epochs between pictures of the weights, which are kept as frames; 0: draw nothing (20 frames, or fewer)"},
        {"--no-tune", ARG_FLAG, &w->no_tune, NULL, "do not measure products on a device that is not tuned"},
        {"--json", ARG_FLAG, &w->json, NULL, "print the lines of metrics.jsonl and nothing else"},
    };
    struct arg_list list = {.usage = "train NET --data DATA [options]   (NET: a file, or the net as a string)",
                            .args = args, .n = COUNT_OF(args), .least = 0, .most = 1, .positional = positional};
    enum st s = args_parse(&list, argc, argv);
    *help = list.help;
    return s != ST_OK || list.help ? s : take_arguments(&list, w);
}
