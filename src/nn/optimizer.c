/* The table of optimisers; their kernels are in cl/optimizer.cl. */
#include "nn.h"

#include <string.h>

static enum st sgd_step(struct mx *mx, struct nn_module *m, const struct nn_update *u)
{
    struct mx_sgd sgd = {.lr = (float)u->rate, .momentum = (float)u->momentum, .decay = (float)u->weight_decay,
                         .nesterov = u->nesterov};
    return mx_sgd(mx, &sgd, nn_module_params(m), nn_module_grads(m), nn_module_slot(m, 0));
}

static enum st any_adam(struct mx *mx, struct nn_module *m, const struct nn_update *u, bool decoupled)
{
    struct mx_adam adam = {.lr = (float)u->rate, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f,
                           .decay = (float)u->weight_decay, .decoupled = decoupled, .t = (uint32_t)u->t};
    return mx_adam(mx, &adam, nn_module_params(m), nn_module_grads(m), nn_module_slot(m, 0), nn_module_slot(m, 1));
}

static enum st adam_step(struct mx *mx, struct nn_module *m, const struct nn_update *u)
{
    return any_adam(mx, m, u, false);
}

static enum st adamw_step(struct mx *mx, struct nn_module *m, const struct nn_update *u)
{
    return any_adam(mx, m, u, true);
}

static const struct nn_optimizer optimizers[] = {
    {.name = "adam", .slots = 2, .fixed = "betas 0.9 and 0.999", .step = adam_step},
    {.name = "adamw", .slots = 2, .fixed = "betas 0.9 and 0.999", .step = adamw_step},
    {.name = "sgd", .slots = 1, .takes = {"momentum", "nesterov"}, .step = sgd_step},
};

const struct nn_optimizer *nn_optimizer_at(int i)
{
    return i >= 0 && (size_t)i < COUNT_OF(optimizers) ? &optimizers[i] : NULL;
}

const struct nn_optimizer *nn_optimizer_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(optimizers); i++)
        if (strcmp(optimizers[i].name, name) == 0)
            return &optimizers[i];
    return NULL;
}
