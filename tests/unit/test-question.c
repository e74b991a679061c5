/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "question.h"

static RegiondQuestion *
make_question (const char *subject,
               const char *first,
               const char *second)
{
  RegiondQuestion *question = g_rc_box_new0 (RegiondQuestion);

  question->action = "org.regiond1.read-region";
  question->subject = g_strdup (subject);
  question->purpose = g_strdup ("open it");
  if (first != NULL)
    regiond_question_add (question, "region", first);
  if (second != NULL)
    regiond_question_add (question, "label", second);
  return question;
}

static void
assert_same (RegiondQuestion *question,
             RegiondQuestion *other,
             gboolean         same)
{
  g_autofree char *left = regiond_question_make_key (question), *right = regiond_question_make_key (other);

  if (g_str_equal (left, right) != same)
    g_error ("'%s' and '%s'", left, right);
}

static void
test_same (void)
{
  g_autoptr (RegiondQuestion) question = make_question (":1.1", "bar2", "x"), other = make_question (":1.1", NULL, NULL);

  /* The order in which details are given is nobody's concern, nor is why it is asked. */
  regiond_question_add (other, "label", "x");
  regiond_question_add (other, "region", "bar2");
  other->interactive = TRUE;
  assert_same (question, other, TRUE);
}

static void
test_other (void)
{
  g_autoptr (RegiondQuestion) question = make_question (":1.1", "bar2", "x");
  RegiondQuestion *others[] = {
    make_question (":1.2", "bar2", "x"), make_question (":1.1", "bar0", "x"), make_question (":1.1", "bar2", "y"),
    make_question (":1.1", "bar2", NULL), make_question (":1.1", NULL, "x"),
    /* A client's word must not pass for another detail. */
    make_question (":1.1", "bar25:label1:x", NULL), make_question (":1.1", "bar2", "x"), make_question (":1.1", "bar2", "x"),
  };

  others[6]->action = "org.regiond1.write-region";
  others[7]->about = polkit_unix_process_new_for_owner (1, 7, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    assert_same (question, others[i], FALSE);
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    regiond_question_unref (others[i]);
}

static void
test_nothing (void)
{
  g_autoptr (RegiondQuestion) question = make_question (":1.1", NULL, NULL), other = make_question (":1.1", NULL, NULL);

  assert_same (question, other, TRUE);
}

static void
add_tests (void)
{
  g_test_add_func ("/question/what-polkit-cannot-tell-apart-is-one", test_same);
  g_test_add_func ("/question/whatever-differs-makes-another-one", test_other);
  g_test_add_func ("/question/it-may-have-no-details", test_nothing);
}

int
main (int   argc,
      char *argv[])
{
  return fixture_main (argc, argv, add_tests);
}
