#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts a program with a region as its descriptor 3, and leaves it to it:
region-agent.py DEVICE REGION ACCESS PROGRAM [ARGUMENT...]
The lease is the process's own. It lasts until that has ended, whatever becomes of the agent, which
needs the right to the region, and to org.regiond1.delegate: to open it for somebody else.
"""
import os
import socket
import sys

from gi.repository import Gio, GLib


def find_device(bus, name):
    """Returns the object path: a PCI address is an id, and no part of a path."""
    reply = bus.call_sync("org.regiond1", "/org/regiond1", "org.regiond1.Manager", "GetDevice",
                          GLib.Variant("(s)", (name,)), GLib.VariantType("(o)"), Gio.DBusCallFlags.NONE, -1, None)
    return reply.unpack()[0]


def open_region_for(pidfd, bus, device, region, access):
    """Returns the region's descriptor, to be passed on, and the object path of the lease."""
    sent = Gio.UnixFDList()
    options = {
        "bind-to": GLib.Variant("h", sent.append(pidfd)),  # it ends with that process
        "detach": GLib.Variant("b", True),                 # and not with this connection
    }
    reply, received = bus.call_with_unix_fd_list_sync(
        "org.regiond1", find_device(bus, device), "org.regiond1.Device", "OpenRegion",
        GLib.Variant("(ssa{sv})", (region, access, options)), GLib.VariantType("(ho)"),
        Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION, GLib.MAXINT, sent, None)
    handle, lease = reply.unpack()
    return received.get(handle), lease


def become(program, name, channel):
    """In the process that the region is for: the program, as soon as the region is there."""
    fds = socket.recv_fds(channel, 1, 1)[1]
    if not fds:
        os._exit(1)  # it has been refused, and the agent has said so
    os.set_inheritable(fds[0], False)
    os.dup2(fds[0], 3)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES=name)
    os.execvp(program[0], program)


def main():
    if len(sys.argv) < 5:
        sys.exit("Usage: region-agent.py DEVICE REGION ACCESS PROGRAM [ARGUMENT...]")
    device, region, access, *program = sys.argv[1:]
    ours, theirs = socket.socketpair()
    process = os.fork()
    if process == 0:
        ours.close()
        become(program, region, theirs)
    theirs.close()
    # It waits for the region, so its number is nobody else's.
    pidfd = os.pidfd_open(process)
    try:
        bus = Gio.bus_get_sync(Gio.BusType.SYSTEM, None)
        fd, lease = open_region_for(pidfd, bus, device, region, access)
    except GLib.Error as error:
        sys.exit(error.message)
    print("process", process, "has", lease, flush=True)
    socket.send_fds(ours, [b"\0"], [fd])


main()
