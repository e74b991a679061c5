/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixture.h"

#include "../vm/fusefile.h"
#include "proof.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATIENT 10000
#define BRIEF 50

enum { ALICE = 1001, BOB = 1002 };

typedef struct {
  guint        told;
  RegiondProof proof;
  GError      *error;
} Answer;

static void
answer_clear (Answer *self)
{
  g_clear_error (&self->error);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Answer, answer_clear)

static void
on_judged (const RegiondProof *proof,
           const GError       *error,
           gpointer            data)
{
  Answer *answer = data;

  answer->told++;
  if (proof != NULL)
    answer->proof = *proof;
  else
    answer->error = g_error_copy (error);
}

static gboolean
is_closed (int fd)
{
  return fcntl (fd, F_GETFD) < 0;
}

static void
test_judged (void)
{
  g_autoptr (RegiondProofs) proofs = regiond_proofs_new (PATIENT);
  g_auto (Answer) answer = { 0 };
  int fd = memfd_create ("shown", MFD_CLOEXEC), copy = dup (fd);
  struct stat status;

  g_assert_cmpint (fstat (fd, &status), ==, 0);
  regiond_proofs_judge (proofs, ALICE, copy, on_judged, &answer);
  wait_until (answer.told > 0);
  g_assert_no_error (answer.error);
  g_assert_cmpint (answer.proof.fd, ==, copy);
  g_assert_cmpuint (answer.proof.access, ==, REGIOND_ACCESS_READ | REGIOND_ACCESS_WRITE);
  g_assert_cmpuint (answer.proof.device, ==, status.st_dev);
  g_assert_cmpuint (answer.proof.inode, ==, status.st_ino);
  wait_until (is_closed (copy));
  g_assert_cmpuint (answer.told, ==, 1);
  close (fd);
}

static void
must_prove_nothing (int flags)
{
  g_autofree char *path = g_strdup_printf ("%s/regiond-proof-XXXXXX", g_get_tmp_dir ());
  g_autoptr (GError) error = NULL;
  int file = g_mkstemp (path), fd = open (path, flags | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  g_assert_false (regiond_proofs_check (fd, &error));
  assert_error_says (error, G_DBUS_ERROR, G_DBUS_ERROR_INVALID_ARGS, "show the one");
  g_assert_true (regiond_proofs_check (file, NULL));
  close (fd);
  close (file);
  unlink (path);
}

static void
test_no_proof (void)
{
  must_prove_nothing (O_PATH);
  must_prove_nothing (O_WRONLY);
}

static void
wait_stalled (FuseFile *file,
              guint     count)
{
  wait_until (__atomic_load_n (&file->seen->stalled, __ATOMIC_ACQUIRE) >= count);
}

/* One who never answers learns soon that he has proved nothing, and hangs a few threads at the most;
 * others are judged as if he were not there. */
static void
test_hung (void)
{
  enum { SHOWN = 14, HIS_THREADS = 2 };
  g_autoptr (RegiondProofs) proofs = regiond_proofs_new (PATIENT);
  g_auto (FuseFile) file = { 0 };
  g_auto (Answer) bobs = { 0 };
  Answer answers[SHOWN] = { 0 };
  int fd = memfd_create ("shown", MFD_CLOEXEC), copy = dup (fd);

  fuse_file_init_asking (&file);
  file.seen->victim = getpid ();
  for (guint i = 0; i < SHOWN; i++)
    regiond_proofs_judge (proofs, ALICE, fuse_file_open (&file), on_judged, &answers[i]);
  wait_stalled (&file, HIS_THREADS);
  for (guint i = 0; i < HIS_THREADS; i++)
    {
      g_assert_cmpuint (answers[i].told, ==, 1);
      g_assert_no_error (answers[i].error);
    }

  regiond_proofs_judge (proofs, BOB, copy, on_judged, &bobs);
  wait_until (bobs.told > 0 && is_closed (copy));
  g_assert_no_error (bobs.error);
  g_assert_cmpuint (file.seen->stalled, ==, HIS_THREADS);
  g_assert_cmpuint (answers[HIS_THREADS].told, ==, 0);

  fuse_file_cut (&file);
  wait_until (answers[SHOWN - 1].told == 1);
  for (guint i = 0; i < SHOWN; i++)
    wait_until (is_closed (answers[i].proof.fd));
  close (fd);
}

static void
test_late (void)
{
  enum { SHOWN = 16 };
  g_autoptr (RegiondProofs) proofs = regiond_proofs_new (BRIEF);
  g_auto (FuseFile) file = { 0 };
  g_auto (Answer) beyond = { 0 };
  Answer answers[SHOWN] = { 0 };
  int fds[SHOWN + 1];

  fuse_file_init_asking (&file);
  file.seen->victim = getpid ();
  for (guint i = 0; i < SHOWN; i++)
    regiond_proofs_judge (proofs, ALICE, fds[i] = fuse_file_open (&file), on_judged, &answers[i]);
  regiond_proofs_judge (proofs, ALICE, fds[SHOWN] = fuse_file_open (&file), on_judged, &beyond);
  g_assert_cmpuint (beyond.told, ==, 1);
  assert_error_says (beyond.error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, "16", "1001");

  wait_until (answers[SHOWN - 1].told == 1);
  assert_error_says (answers[SHOWN - 1].error, REGIOND_ERROR, REGIOND_ERROR_LIMIT_EXCEEDED, "do not answer", "1001");

  /* Once told is told; all are closed when they can be. */
  fuse_file_cut (&file);
  for (guint i = 0; i <= SHOWN; i++)
    wait_until (is_closed (fds[i]));
  for (guint i = 0; i < SHOWN; i++)
    {
      g_assert_cmpuint (answers[i].told, ==, 1);
      g_clear_error (&answers[i].error);
    }
}

static void
test_end (void)
{
  RegiondProofs *proofs = regiond_proofs_new (PATIENT);
  g_auto (FuseFile) file = { 0 };
  Answer answers[3] = { 0 };

  fuse_file_init_asking (&file);
  file.seen->victim = getpid ();
  for (guint i = 0; i < G_N_ELEMENTS (answers); i++)
    regiond_proofs_judge (proofs, ALICE, fuse_file_open (&file), on_judged, &answers[i]);
  wait_stalled (&file, 2);
  regiond_proofs_free (proofs);
  g_assert_cmpuint (answers[2].told, ==, 1);
  assert_error_says (answers[2].error, REGIOND_ERROR, REGIOND_ERROR_GONE, "service ends");
  g_clear_error (&answers[2].error);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/proof/shown-is-judged-and-closed", test_judged);
  g_test_add_func ("/proof/what-anybody-can-open-proves-nothing", test_no_proof);
  g_test_add_func ("/proof/one-whose-file-system-hangs-shuts-nobody-out", test_hung);
  g_test_add_func ("/proof/too-late-and-too-many-is-said", test_late);
  g_test_add_func ("/proof/who-waits-at-the-end-is-told", test_end);
  return g_test_run ();
}
