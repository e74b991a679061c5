/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stay.h"

#include <string.h>

Stay *
stay_begin (Person *person,
            const char *device,
            const char *region,
            const char *access,
            const char *options)
{
  Stay *stay = g_new0 (Stay, 1);

  stay->person = person;
  stay->opened = person_open (person, device, region, access, options);
  if (strchr (access, 'm'))
    stay->map = person_map (person, stay->opened->fd, strchr (access, 'w') ? "rw" : "r");
  return stay;
}

void
stay_write (Stay *stay,
            const char *text)
{
  if (stay->map)
    person_write (stay->person, stay->map, text);
  else
    g_free (person_do (stay->person, "pwrite", stay->opened->fd, "0", text, NULL));
}

gboolean
stay_fill (Stay *stay)
{
  guint serial = stay->map ? person_send (stay->person, "fill", stay->map, NULL)
                           : person_send (stay->person, "pfill", stay->opened->fd, NULL);
  g_auto (GStrv) strings = person_finish (stay->person, serial, NULL);

  return strings != NULL;
}

void
stay_expect_text (Stay *stay,
                  const char *text)
{
  g_autofree char *found = NULL;

  if (stay->map)
    {
      person_expect_text (stay->person, stay->map, text);
      return;
    }
  found = person_do (stay->person, "pread", stay->opened->fd, "0", NULL);
  g_assert_cmpstr (found, ==, text);
}

void
stay_expect_zeros (Stay *stay)
{
  g_autofree char *answer = NULL;

  if (stay->map)
    {
      person_expect_zeros (stay->person, stay->map);
      return;
    }
  answer = person_do (stay->person, "pzeros", stay->opened->fd, NULL);
  g_assert_cmpstr (answer, ==, "yes");
}

static void
expect_dead (Stay *stay,
             guint serial)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) strings = person_finish (stay->person, serial, &error);

  g_assert_null (strings);
  if (!g_str_has_prefix (error->message, "ENOTCONN: ") && !g_str_has_prefix (error->message, "EIO: "))
    g_error ("expected ENOTCONN or EIO, got %s", error->message);
}

void
stay_expect_cut_off (Stay *stay,
                     const char *text)
{
  if (stay->map)
    {
      person_expect_text (stay->person, stay->map, text);
      return;
    }
  expect_dead (stay, person_send (stay->person, "pread", stay->opened->fd, "0", NULL));
  expect_dead (stay, person_send (stay->person, "pwrite", stay->opened->fd, "0", "late", NULL));
}

void
stay_let_go (Stay *stay)
{
  person_let_go (stay->person, stay->map, stay->opened->fd);
}

void
stay_free (Stay *stay)
{
  opened_free (stay->opened);
  g_free (stay->map);
  g_free (stay);
}

void
stay_add_tests (const char *path,
                GTestDataFunc test)
{
  const char *const accesses[] = { "rwm", "rw" };

  for (guint i = 0; i < G_N_ELEMENTS (accesses); i++)
    {
      g_autofree char *full = g_strconcat (path, "/", accesses[i], NULL);

      g_test_add_data_func (full, accesses[i], test);
    }
}
