/* Nets that several tests take. */
#ifndef CLUTCH_TESTS_NETS_H
#define CLUTCH_TESTS_NETS_H

/* Every kind of layer; which activations are computed with the layer before them stands beside. */
#define MIXED_NET \
    "input 2x3x5\n" \
    "dense 7\n"        /* 0 */ \
    "batchnorm\n"      /* 1 */ \
    "leakyrelu\n"      /* 2: fused into 1 */ \
    "dropout 0.25\n"   /* 3 */ \
    "tanh\n"           /* 4 */ \
    "dense 33\n"       /* 5 */ \
    "sigmoid\n"        /* 6: fused into 5 */ \
    "relu\n"           /* 7 */ \
    "dense 3\n"        /* 8 */ \
    "loss softmax\n"

#endif
