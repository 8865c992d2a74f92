/* Colours of pictures and charts. */
#include "inside.h"

/* ColorBrewer's RdBu with 11 classes (Brewer 2002, colorbrewer2.org), blue first: both arms have nearly the same
 * lightness at the same distance from zero, and readers with any common colour blindness can tell them apart. */
static const uint8_t diverging[][3] = {
    {5, 48, 97},     {33, 102, 172},  {67, 147, 195},  {146, 197, 222}, {209, 229, 240}, {247, 247, 247},
    {253, 219, 199}, {244, 165, 130}, {214, 96, 77},   {178, 24, 43},   {103, 0, 31},
};

/* ColorBrewer's Blues with 9 classes, but for the first, which is white as the paper. */
static const uint8_t sequential[][3] = {
    {255, 255, 255}, {222, 235, 247}, {198, 219, 239}, {158, 202, 225}, {107, 174, 214},
    {66, 146, 198},  {33, 113, 181},  {8, 81, 156},    {8, 48, 107},
};

/* Okabe and Ito, "Color Universal Design" (2008), the plainest first. */
static const uint8_t palette[STORE_COLORS][3] = {
    {0, 114, 178},  /* blue */
    {213, 94, 0},   /* vermillion */
    {0, 158, 115},  /* bluish green */
    {204, 121, 167}, /* reddish purple */
    {230, 159, 0},  /* orange */
    {86, 180, 233}, /* sky blue */
    {0, 0, 0},
    {153, 153, 153},
};

const uint8_t gap_color[3] = {64, 64, 64};
const uint8_t bad_color[3] = {120, 230, 0}; /* no mixture of the diverging map comes near it */
const uint8_t white[3] = {255, 255, 255}, ink[3] = {48, 48, 48}, grey[3] = {120, 120, 120}, faint[3] = {230, 230, 230};

/* Between the n colours of a map, evenly placed over 0..n - 1. */
static void mix(const uint8_t (*map)[3], int n, double place, uint8_t out[3])
{
    if (!(place > 0))
        place = 0;
    if (place > n - 1)
        place = n - 1;
    int below = place < n - 1 ? (int)place : n - 2;
    for (int c = 0; c < 3; c++)
        out[c] = (uint8_t)(map[below][c] + (place - below) * (map[below + 1][c] - map[below][c]) + 0.5);
}

void diverging_color(double at, uint8_t out[3])
{
    enum { ZERO = COUNT_OF(diverging) / 2 };
    mix(diverging, COUNT_OF(diverging), (at + 1) * ZERO, out);
}

void sequential_color(double at, uint8_t out[3])
{
    enum { LAST = COUNT_OF(sequential) - 1 };
    mix(sequential, COUNT_OF(sequential), at * LAST, out);
}

const uint8_t *palette_color(int i)
{
    return palette[(unsigned)i % STORE_COLORS]; /* a power of two, so that numbers below 0 go round too */
}

bool is_dark(const uint8_t color[3])
{
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] < 140; /* luma of 0..255 */
}
