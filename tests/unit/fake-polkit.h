/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* An org.freedesktop.PolicyKit1.Authority that answers what the test tells it
 * to, and remembers what it was asked. It runs in a thread of its own, so that
 * a test may make blocking calls. */
typedef struct _FakePolkit FakePolkit;

typedef enum {
  FAKE_POLKIT_YES,
  FAKE_POLKIT_NO,
  FAKE_POLKIT_CHALLENGE,
  FAKE_POLKIT_REMEMBERED, /* yes, from a temporary authorization */
  FAKE_POLKIT_FAIL,       /* as for an action that it does not know */
  FAKE_POLKIT_NOBODY,     /* an error: whom it is about has left the bus */
  FAKE_POLKIT_HANG,       /* no answer until another is set */
  FAKE_POLKIT_PASSWORD,   /* a challenge; and yes where a person may be asked */
  FAKE_POLKIT_PROMPT,     /* a challenge; and no answer, as above, where a person may be asked */
} FakePolkitAnswer;

/* Has the name on the bus when it returns. */
FakePolkit *fake_polkit_new (const char *address);

/* Leaves the bus, also with questions unanswered. */
void        fake_polkit_free (FakePolkit *self);

/* From now on; questions that hang get it as well. */
void        fake_polkit_set_answer (FakePolkit *self, FakePolkitAnswer answer);

/* This one to the first question that hangs. */
void        fake_polkit_answer_one (FakePolkit *self, FakePolkitAnswer answer);

/* Announces that something has changed. */
void        fake_polkit_announce (FakePolkit *self);

/* Waits until it has been asked so often in all; fails the test after 10 s. */
void        fake_polkit_wait_asked (FakePolkit *self, guint times);
guint       fake_polkit_count_asked (FakePolkit *self);

/* Waits until so many questions have been withdrawn. */
void        fake_polkit_wait_withdrawn (FakePolkit *self, guint times);
guint       fake_polkit_count_withdrawn (FakePolkit *self);

/* How many have no answer yet. */
guint       fake_polkit_count_hanging (FakePolkit *self);

/* About the last question. The detail is NULL where it was not sent. */
char       *fake_polkit_get_action (FakePolkit *self);
char       *fake_polkit_get_subject (FakePolkit *self);
guint32     fake_polkit_get_flags (FakePolkit *self);
char       *fake_polkit_get_detail (FakePolkit *self, const char *key);
void        fake_polkit_expect_detail (FakePolkit *self, const char *key, const char *wanted);
