/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backends/vfio/address.h"

static void
test_spellings (void)
{
  static const struct {
    const char    *text;
    RegiondAddress address;
    const char    *id;
  } cases[] = {
    { "0000:00:10.0", { 0, 0, 0x10, 0 }, "0000_00_10_0" },
    { "0000:ff:1f.7", { 0, 0xff, 0x1f, 7 }, "0000_ff_1f_7" },
    { "10000:e1:00.0", { 0x10000, 0xe1, 0, 0 }, "10000_e1_00_0" },
    { "fffffffe:0a:0b.1", { 0xfffffffe, 10, 11, 1 }, "fffffffe_0a_0b_1" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      RegiondAddress address;
      g_autofree char *text = NULL, *id = NULL;

      g_assert_true (regiond_address_parse (cases[i].text, &address));
      g_assert_true (regiond_address_equal (&address, &cases[i].address));
      text = regiond_address_to_string (&address);
      id = regiond_address_to_id (&address);
      g_assert_cmpstr (text, ==, cases[i].text);
      g_assert_cmpstr (id, ==, cases[i].id);
    }
}

static void
test_capitals (void)
{
  RegiondAddress address, same;

  g_assert_true (regiond_address_parse ("0000:AB:1F.0", &address));
  g_assert_true (regiond_address_parse ("0000:ab:1f.0", &same));
  g_assert_true (regiond_address_equal (&address, &same));
}

static void
test_short (void)
{
  RegiondAddress address, whole;

  g_assert_true (regiond_address_parse ("0000:00:1f.3", &whole));
  g_assert_true (regiond_address_parse_short ("00:1f.3", &address));
  g_assert_true (regiond_address_equal (&address, &whole));
  g_assert_true (regiond_address_parse_short ("0000:00:1f.3", &address));
  g_assert_true (regiond_address_equal (&address, &whole));
  g_assert_false (regiond_address_parse_short ("1f.3", &address));
  g_assert_false (regiond_address_parse_short (":00:1f.3", &address));
}

static void
test_neighbours (void)
{
  const char *const others[] = { "0001:02:03.4", "0000:03:03.4", "0000:02:04.4", "0000:02:03.5" };
  RegiondAddress address, other;

  g_assert_true (regiond_address_parse ("0000:02:03.4", &address));
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    {
      g_assert_true (regiond_address_parse (others[i], &other));
      g_assert_false (regiond_address_equal (&address, &other));
    }
}

static void
test_bad (void)
{
  const char *const bad[] = { "", "00:10.0", "0000:00:10", "0000:00:10.", "0000:00:10.8", "0000:00:20.0",
                              "0000:00:10.00", "0000:000:10.0", "000:00:10.0", "0000:00:10.0 ", " 0000:00:10.0",
                              "0x00:00:10.0", "0000-00-10-0", "0000_00_10_0", "0000:0g:10.0", "123456789:00:00.0",
                              "0000:00:10.0/..", "../../../etc", "0000:00:-1.0" };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      RegiondAddress address;

      if (regiond_address_parse (bad[i], &address))
        g_error ("'%s' is taken for an address", bad[i]);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/address/it-is-spelled-as-the-kernel-does", test_spellings);
  g_test_add_func ("/address/capitals-are-the-same", test_capitals);
  g_test_add_func ("/address/without-a-domain-it-is-in-domain-0", test_short);
  g_test_add_func ("/address/neighbours-differ", test_neighbours);
  g_test_add_func ("/address/what-is-none-is-refused", test_bad);
  return g_test_run ();
}
