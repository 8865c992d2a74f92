/*
 * Feeds: a split of a data set as batches on the device. Where the split fits, its bytes live there and a kernel
 * gathers each batch in the order of the epoch; else the host copies the batch's bytes into a stage and sends them,
 * WINDOW batches ahead of the device at most.
 */
#include "inside.h"

#include <string.h>

uint64_t feed_bytes(const struct data_split *split, int size, int batch, bool shuffled, bool streams)
{
    uint64_t samples = streams ? (uint64_t)batch : split->n;
    return samples * ((uint64_t)size + 1) + (shuffled && !streams ? 4 * (uint64_t)split->n : 0);
}

enum st feed_open(struct mx *mx, const struct data_split *split, int channels, int hw, int batch, bool shuffled,
                  bool streams, struct feed *f)
{
    enum st s = ST_OK;
    struct ocl_queue *q = mx_queue(mx);
    struct ocl_device *d = ocl_queue_device(q);
    size_t size = (size_t)channels * (size_t)hw, samples = streams ? (size_t)batch : split->n;
    *f = (struct feed){.mx = mx, .split = split, .channels = channels, .hw = hw, .batch = batch, .streams = streams};
    TRY(ocl_buf_create(d, samples * size, &f->pixels));
    TRY(ocl_buf_create(d, samples, &f->labels));
    if (shuffled)
        TRY(NEW(f->host_order, split->n));
    for (uint32_t i = 0; shuffled && i < split->n; i++)
        f->host_order[i] = i; /* until the first shuffle */
    if (shuffled && !streams)
        TRY(ocl_buf_create(d, split->n * sizeof *f->host_order, &f->order));
    if (streams) {
        TRY(NEW(f->stage, WINDOW * (size_t)batch * (size + 1)));
    } else {
        if (shuffled)
            TRY(ocl_write(q, f->order, 0, split->n * sizeof *f->host_order, f->host_order));
        TRY(ocl_write(q, f->pixels, 0, samples * size, split->pixels));
        TRY(ocl_write(q, f->labels, 0, samples, split->labels));
        TRY(ocl_wait(q));
    }
out:
    if (s != ST_OK) {
        (void)!ocl_wait(q); /* what it was sent may still be read */
        feed_close(f);
    }
    return s;
}

void feed_close(struct feed *f)
{
    ocl_buf_free(f->pixels);
    ocl_buf_free(f->labels);
    ocl_buf_free(f->order);
    mem_free(f->host_order);
    mem_free(f->stage);
    *f = (struct feed){0};
}

enum st feed_shuffle(struct feed *f, uint64_t seed, uint32_t epoch)
{
    data_order(seed, epoch, f->split->n, f->host_order);
    if (f->streams)
        return ST_OK;
    return ocl_write(mx_queue(f->mx), f->order, 0, f->split->n * sizeof *f->host_order, f->host_order);
}

/* Copies a batch into the next place of the stage and enqueues its way to the device. */
static enum st send(struct feed *f, uint32_t first, int rows)
{
    struct ocl_queue *q = mx_queue(f->mx);
    size_t size = (size_t)f->channels * (size_t)f->hw;
    uint8_t *pixels = f->stage + (size_t)f->slot * (size_t)f->batch * (size + 1);
    uint8_t *labels = pixels + (size_t)f->batch * size;
    for (int r = 0; r < rows; r++) {
        size_t at = first + (size_t)r, sample = f->host_order ? f->host_order[at] : at;
        memcpy(pixels + (size_t)r * size, f->split->pixels + sample * size, size);
        labels[r] = f->split->labels[sample];
    }
    f->slot = (f->slot + 1) % WINDOW;
    enum st s = ocl_write(q, f->pixels, 0, (size_t)rows * size, pixels);
    return s != ST_OK ? s : ocl_write(q, f->labels, 0, (size_t)rows, labels);
}

enum st feed_batch(struct feed *f, uint32_t first, int rows, const struct ocl_buf *scale, struct mx_tensor x,
                   struct ocl_buf *labels)
{
    struct mx_gather g = {.pixels = f->pixels, .labels = f->labels, .order = f->order, .scale = scale,
                          .first = f->streams ? 0 : first, .channels = f->channels, .hw = f->hw};
    enum st s = f->streams ? send(f, first, rows) : ST_OK;
    return s != ST_OK ? s : mx_gather(f->mx, &g, x, labels);
}
