/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "process.h"

/* A client process of some user, driven by the test: client.h says what it can do. */
typedef struct
{
  Process *process;
  int control;
  guint last_serial;
  GHashTable *answers; /* by serial, not yet asked for */
  int anchor;          /* what its forked children live by */
  char *name;          /* its unique bus name */
} Person;

/* What a client got from OpenRegion. */
typedef struct
{
  char *fd; /* a number in that process */
  char *path;
} Opened;

Person *person_new (const char *user,
                    uid_t uid);

/* Lets the process exit, or waits for the end of a killed one. Forked children end too. */
void person_free (Person *person);

/* SIGKILL, and waits until the process is gone. Its forked children stay. */
void person_kill (Person *person);

/* Sends a command and does not wait; returns its serial. */
guint person_send (Person *person,
                   const char *word,
                   ...) G_GNUC_NULL_TERMINATED;

/* Whether the answer is there. */
gboolean person_has_answer (Person *person,
                            guint serial);

/* Waits for it: the strings, or NULL with ERROR, whose message is "NAME: MESSAGE". */
char **person_finish (Person *person,
                      guint serial,
                      GError **error);

/* It must fail with the error NAME; the message. */
char *person_finish_failure (Person *person,
                             guint serial,
                             const char *name);

/* A command that must succeed; the first string of its answer, or "". */
char *person_do (Person *person,
                 const char *word,
                 ...) G_GNUC_NULL_TERMINATED;

/* A command that must fail with the error NAME (D-Bus, or "EPERM"); the message. */
char *person_fail (Person *person,
                   const char *name,
                   const char *word,
                   ...) G_GNUC_NULL_TERMINATED;

/* The command with a descriptor along, which stays the caller's. */
char *person_do_with_fd (Person *person,
                         int fd,
                         const char *word,
                         ...) G_GNUC_NULL_TERMINATED;

/* A descriptor of the client's, now the test's too. */
int person_give (Person *person,
                 const char *fd);

/* FROM's descriptor FD becomes one of TO's, too. */
char *person_pass (Person *from,
                   const char *fd,
                   Person *to);

/* A pidfd of PID, whoever's process that is; the number that the client has for it. */
char *person_take_pidfd (Person *person,
                         GPid pid);

/* FROM sends FD into a socket in which nobody reads; closing the returned end ends it. */
int person_post (Person *person,
                 const char *fd);

/* A forked child that keeps just that fd ("fd") or mapping ("map"). */
GPid person_fork (Person *person,
                  const char *kind,
                  const char *number);
/* Kills such a child, or another that is not a Process, and waits until it is gone. */
void person_end_child (GPid child);

/* Method calls. DEVICE: an id. ARGUMENTS and OPTIONS: GVariant text. */
guint person_send_open (Person *person,
                        const char *device,
                        const char *region,
                        const char *access,
                        const char *options,
                        const char *flags);
Opened *person_finish_open (Person *person,
                            guint serial);
Opened *person_open (Person *person,
                     const char *device,
                     const char *region,
                     const char *access,
                     const char *options);
/* AttachLease, with what it has as FD. */
guint person_send_attach (Person *person,
                          const char *fd,
                          const char *options);
Opened *person_attach (Person *person,
                       const char *fd,
                       const char *options);
/* It must fail with NAME; the message. */
char *person_open_fails (Person *person,
                         const char *name,
                         const char *device,
                         const char *region,
                         const char *access,
                         const char *options);
char *person_call (Person *person,
                   const char *path,
                   const char *interface,
                   const char *method,
                   const char *arguments);
char *person_call_fails (Person *person,
                         const char *name,
                         const char *path,
                         const char *interface,
                         const char *method,
                         const char *arguments);

/* Maps the whole of FD, "r" or "rw"; the mapping's number. */
char *person_map (Person *person,
                  const char *fd,
                  const char *protection);
void person_write (Person *person,
                   const char *mapping,
                   const char *text);
/* The text at the start of the mapping must be TEXT. */
void person_expect_text (Person *person,
                         const char *mapping,
                         const char *text);
/* Every byte of it must be zero. */
void person_expect_zeros (Person *person,
                          const char *mapping);
/* The four bytes at OFFSET of a BAR's mapping must be VALUE, "0x…". */
void person_expect_load (Person *person,
                         const char *map,
                         const char *offset,
                         const char *value);
/* Waits until a proxied one is cut: its owner may hear of the end before. */
void person_wait_cut (Person *person,
                      const char *fd);
/* Whether two of them are one object: descriptors that two people have. */
gboolean person_shares (Person *one,
                        const char *fd,
                        Person *other,
                        const char *other_fd);
/* Unmaps and closes; either may be NULL. */
void person_let_go (Person *person,
                    const char *mapping,
                    const char *fd);

/* Every signal of org.regiond1.Lease so far, one a line: "PATH MEMBER ARGUMENTS". */
char *person_signals (Person *person);
/* Waits for this line; the test fails without it. */
void person_wait_signal (Person *person,
                         const char *path,
                         const char *member_and_arguments);

/* No signal at all may have come. */
void person_expect_no_signal (Person *person);

void opened_free (Opened *opened);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Person, person_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Opened, opened_free)
