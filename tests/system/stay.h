/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "person.h"

/*
 * What a person has opened, used in the way that its access allows: through a
 * mapping with 'm', else by pread and pwrite. So a test can be the same for both.
 */
typedef struct
{
  Person *person;
  Opened *opened;
  char *map; /* NULL without 'm' */
} Stay;

/* Opens, which must succeed. */
Stay *stay_begin (Person *person,
                  const char *device,
                  const char *region,
                  const char *access,
                  const char *options);

/* Puts TEXT at the start. */
void stay_write (Stay *stay,
                 const char *text);

/* Leaves no byte zero; whether that could be done. */
gboolean stay_fill (Stay *stay);

/* The text at the start must be TEXT. */
void stay_expect_text (Stay *stay,
                       const char *text);

/* Every byte must be zero. */
void stay_expect_zeros (Stay *stay);

/*
 * Nothing of another one shows: what it was remains the holder's copy with 'm',
 * and without it every access fails as on a connection that is gone.
 */
void stay_expect_cut_off (Stay *stay,
                          const char *text);

/* Unmaps and closes, without a word to the service. */
void stay_let_go (Stay *stay);

void stay_free (Stay *stay);

/* Adds the test for what is lent in either way, "rwm" and "rw": the access is its data, and ends its name. */
void stay_add_tests (const char *path,
                     GTestDataFunc test);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Stay, stay_free)
