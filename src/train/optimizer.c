/* The table of optimisers; their kernels are in cl/optimizer.cl. */
#include "inside.h"

#include <string.h>

static enum st sgd_step(struct mx *mx, struct nn_module *m, const struct train_options *o, double rate, uint64_t t)
{
    (void)t;
    struct mx_sgd sgd = {.lr = (float)rate, .momentum = (float)o->momentum, .decay = (float)o->weight_decay,
                         .nesterov = o->nesterov};
    return mx_sgd(mx, &sgd, nn_module_params(m), nn_module_grads(m), nn_module_slot(m, 0));
}

static enum st any_adam(struct mx *mx, struct nn_module *m, const struct train_options *o, double rate, uint64_t t,
                        bool decoupled)
{
    struct mx_adam adam = {.lr = (float)rate, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f,
                           .decay = (float)o->weight_decay, .decoupled = decoupled, .t = (uint32_t)t};
    return mx_adam(mx, &adam, nn_module_params(m), nn_module_grads(m), nn_module_slot(m, 0), nn_module_slot(m, 1));
}

static enum st adam_step(struct mx *mx, struct nn_module *m, const struct train_options *o, double rate, uint64_t t)
{
    return any_adam(mx, m, o, rate, t, false);
}

static enum st adamw_step(struct mx *mx, struct nn_module *m, const struct train_options *o, double rate, uint64_t t)
{
    return any_adam(mx, m, o, rate, t, true);
}

static const struct optimizer optimizers[] = {{"adam", 2, adam_step}, {"adamw", 2, adamw_step}, {"sgd", 1, sgd_step}};

const char *train_optimizer_name(int i)
{
    return i >= 0 && (size_t)i < COUNT_OF(optimizers) ? optimizers[i].name : NULL;
}

const struct optimizer *find_optimizer(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(optimizers); i++)
        if (strcmp(optimizers[i].name, name) == 0)
            return &optimizers[i];
    return NULL;
}
