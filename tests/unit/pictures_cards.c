/* store: cards: whole pixels, captions, sizes. */
#include "support/picture.h"

#define UNUSUAL 250, 10, 200

static void test_cards_enlarged(void **state)
{
    (void)state;
    struct store_picture color = check_plain(28, 28, 3, UNUSUAL), grey = check_plain(28, 28, 1, 77, 0, 0), p;
    color.pixels[0] = 10; /* a corner, to be sharp */
    struct store_card card[] = {{&color, "shirt, 0.91\ntrue: coat"}, {&grey, "bag"}, {&grey, NULL}};
    OK(store_cards_draw("Mistakes", card, 3, &p));
    const struct check_spot c = check_find(&p, UNUSUAL); /* next to letters there may be any grey */
    const struct check_spot g = check_find_in(&p, 0, c.top, p.w, c.bottom + 1, 77, 77, 77);
    assert_int_equal(c.right - c.left + 1, 4 * 28);
    assert_int_equal(c.bottom - c.top + 1, 4 * 28);
    assert_int_equal(c.count, 16 * (28 * 28 - 1));
    check_pixel(&p, c.left + 3, c.top + 3, 10, 10, 200);
    check_pixel(&p, c.left + 4, c.top + 3, UNUSUAL);
    assert_int_equal(g.count, 2 * 16 * 28 * 28);
    assert_true(g.left > c.right && g.top == c.top && g.bottom == c.bottom);
    assert_true(check_find_in(&p, c.left, c.bottom + 1, c.right, p.h, 48, 48, 48).count > 20); /* captions */
    assert_int_equal(check_find_in(&p, g.right - 100, g.bottom + 1, g.right, p.h, 48, 48, 48).count, 0);
    store_picture_free(&p);
    store_picture_free(&color);
    store_picture_free(&grey);
}

static void test_cards_odd(void **state)
{
    (void)state;
    enum { N = 5000 };
    struct store_picture small = check_plain(1, 1, 3, UNUSUAL), other = check_plain(1, 2, 3, UNUSUAL), p;
    struct store_picture large = check_plain(4090, 10, 1, 7, 0, 0), tall = check_plain(10, 300, 1, 7, 0, 0);
    struct store_card *card;
    OK(NEW(card, N));
    for (int i = 0; i < N; i++)
        card[i] = (struct store_card){&small, i % 2 ? check_odd_name(0) : check_odd_name(1)};
    OK(store_cards_draw(check_odd_name(0), card, N, &p));
    assert_true(p.w <= STORE_SIDE_MAX && p.h <= STORE_SIDE_MAX);
    const int drawn = check_find(&p, UNUSUAL).count / 64;
    assert_true(drawn > 100 && drawn < N);
    store_picture_free(&p);
    OK(store_cards_draw("Nothing", NULL, 0, &p));
    assert_true(check_find(&p, 120, 120, 120).count > 20);
    store_picture_free(&p);
    card[1].picture = &other;
    FAILS(ST_INTERNAL, "card 1 is 1 x 2 pixels, the first 1 x 1", store_cards_draw(NULL, card, 2, &p));
    card[0].picture = &large;
    FAILS(ST_INPUT, "4090 x 10", store_cards_draw(NULL, card, 1, &p));
    card[0] = (struct store_card){&tall, ""};
    OK(store_cards_draw(NULL, card, 1, &p));
    assert_int_equal(check_find(&p, 7, 7, 7).count, 3000);
    store_picture_free(&p);
    mem_free(card);
    store_picture_free(&small);
    store_picture_free(&other);
    store_picture_free(&large);
    store_picture_free(&tall);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cards_enlarged),
        cmocka_unit_test(test_cards_odd),
    };
    return cmocka_run_group_tests_name("pictures_cards", tests, NULL, NULL);
}
