/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "person.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "deadline.h"
#include "wire.h"

#define ANSWER_DEADLINE 30000

typedef struct
{
  char **strings;
  int fd;
} Answer;

static void
answer_free (Answer *answer)
{
  g_strfreev (answer->strings);
  if (answer->fd >= 0)
    close (answer->fd);
  g_free (answer);
}

Person *
person_new (const char *user,
            uid_t uid)
{
  Person *person = g_new0 (Person, 1);
  g_autofree char *number = g_strdup_printf ("%u", uid);
  const char *const argv[] = { g_getenv ("REGIOND_TEST_CLIENT"), user, number, NULL };
  int pair[2];
  ProcessFd fds[] = { { -1, 3 }, { -1, 0 } };

  g_assert_nonnull (argv[0]);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), ==, 0);
  fds[0].fd = pair[1];
  person->process = process_spawn (argv, NULL, fds, NULL);
  close (pair[1]);
  person->control = pair[0];
  person->anchor = -1;
  person->answers = g_hash_table_new_full (NULL, NULL, NULL, (GDestroyNotify) answer_free);
  person->name = person_do (person, "name", NULL);
  return person;
}

void
person_free (Person *person)
{
  close (person->control);
  if (person->anchor >= 0)
    close (person->anchor);
  process_signal (person->process, SIGKILL);
  process_free (person->process);
  g_hash_table_unref (person->answers);
  g_free (person->name);
  g_free (person);
}

void
person_kill (Person *person)
{
  process_signal (person->process, SIGKILL);
  process_wait (person->process);
}

static guint
send_words (Person *person,
            int fd,
            const char *word,
            va_list args)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new ();
  g_autofree char *serial = g_strdup_printf ("%u", ++person->last_serial);

  g_ptr_array_add (words, serial);
  for (; word; word = va_arg (args, const char *))
    g_ptr_array_add (words, (gpointer) word);
  g_ptr_array_add (words, NULL);
  g_assert_true (wire_send (person->control, (const char *const *) words->pdata, fd));
  return person->last_serial;
}

guint
person_send (Person *person,
             const char *word,
             ...)
{
  va_list args;
  guint serial;

  va_start (args, word);
  serial = send_words (person, -1, word, args);
  va_end (args);
  return serial;
}

/* Takes in what the client has answered; waits for something for so long. */
static gboolean
take_in (Person *person,
         int milliseconds)
{
  struct pollfd item = { person->control, POLLIN, 0 };
  Answer *answer;
  int fd;
  char **strings;

  if (TEMP_FAILURE_RETRY (poll (&item, 1, milliseconds)) <= 0)
    return FALSE;
  strings = wire_receive (person->control, &fd);
  if (!strings)
    g_error ("a client has ended unasked");
  answer = g_new0 (Answer, 1);
  answer->strings = strings;
  answer->fd = fd;
  g_hash_table_insert (person->answers, GUINT_TO_POINTER ((guint) atoi (strings[0])), answer);
  return TRUE;
}

gboolean
person_has_answer (Person *person,
                   guint serial)
{
  while (take_in (person, 0))
    ;
  return g_hash_table_contains (person->answers, GUINT_TO_POINTER (serial));
}

static Answer *
wait_answer (Person *person,
             guint serial)
{
  gint64 start = g_get_monotonic_time ();
  gpointer answer = NULL;

  while (!g_hash_table_steal_extended (person->answers, GUINT_TO_POINTER (serial), NULL, &answer))
    {
      if (milliseconds_since (start) > ANSWER_DEADLINE)
        g_error ("a client has not answered in time");
      take_in (person, 100);
    }
  return answer;
}

char **
person_finish (Person *person,
               guint serial,
               GError **error)
{
  Answer *answer = wait_answer (person, serial);
  char **strings = NULL;

  if (g_str_equal (answer->strings[1], "ok"))
    strings = g_strdupv (answer->strings + 2);
  else
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "%s: %s", answer->strings[2],
                 answer->strings[3] ? answer->strings[3] : "");
  answer_free (answer);
  return strings;
}

static char *
expect_success (Person *person,
                guint serial)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) strings = person_finish (person, serial, &error);

  g_assert_no_error (error);
  return g_strdup (strings[0] ? strings[0] : "");
}

char *
person_finish_failure (Person *person,
                       guint serial,
                       const char *name)
{
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) strings = person_finish (person, serial, &error);
  g_autofree char *prefix = g_strconcat (name, ": ", NULL);

  if (strings)
    g_error ("should have failed with %s", name);
  if (!g_str_has_prefix (error->message, prefix))
    g_error ("expected %s, got %s", name, error->message);
  /* An error without words is no clear error. */
  g_assert_cmpuint (strlen (error->message), >, strlen (prefix));
  return g_strdup (error->message + strlen (prefix));
}

char *
person_do (Person *person,
           const char *word,
           ...)
{
  va_list args;
  guint serial;

  va_start (args, word);
  serial = send_words (person, -1, word, args);
  va_end (args);
  return expect_success (person, serial);
}

char *
person_fail (Person *person,
             const char *name,
             const char *word,
             ...)
{
  va_list args;
  guint serial;

  va_start (args, word);
  serial = send_words (person, -1, word, args);
  va_end (args);
  return person_finish_failure (person, serial, name);
}

char *
person_do_with_fd (Person *person,
                   int fd,
                   const char *word,
                   ...)
{
  va_list args;
  guint serial;

  va_start (args, word);
  serial = send_words (person, fd, word, args);
  va_end (args);
  return expect_success (person, serial);
}

int
person_give (Person *person,
             const char *fd)
{
  guint serial = person_send (person, "give", fd, NULL);
  Answer *answer = wait_answer (person, serial);
  int given = answer->fd;

  g_assert_cmpint (given, >=, 0);
  answer->fd = -1;
  answer_free (answer);
  return given;
}

char *
person_pass (Person *from,
             const char *fd,
             Person *to)
{
  int given = person_give (from, fd);
  char *number = person_do_with_fd (to, given, "take", NULL);

  close (given);
  return number;
}

char *
person_take_pidfd (Person *person,
                   GPid pid)
{
  int fd = syscall (SYS_pidfd_open, pid, 0);
  char *number;

  g_assert_cmpint (fd, >=, 0);
  number = person_do_with_fd (person, fd, "take", NULL);
  close (fd);
  return number;
}

int
person_post (Person *person,
             const char *fd)
{
  int pair[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  g_free (person_do_with_fd (person, pair[1], "post", fd, NULL));
  close (pair[1]);
  return pair[0];
}

GPid
person_fork (Person *person,
             const char *kind,
             const char *number)
{
  g_autofree char *child = NULL;
  int ends[2];

  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  child = person_do_with_fd (person, ends[0], "fork", kind, number, NULL);
  close (ends[0]);
  if (person->anchor >= 0)
    close (person->anchor);
  person->anchor = ends[1];
  return atoi (child);
}

static gboolean
is_gone (gpointer data)
{
  GPid child = GPOINTER_TO_INT (data);

  waitpid (child, NULL, WNOHANG);
  return kill (child, 0) != 0;
}

void
person_end_child (GPid child)
{
  kill (child, SIGKILL);
  wait_until (is_gone, GINT_TO_POINTER (child), 5000, "the end of a forked child");
}
