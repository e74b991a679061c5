#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Puts TEXT into a region, and keeps the lease until it ends or the input does:
region-example.py DEVICE REGION TEXT
"""
import mmap
import os
import sys

from gi.repository import Gio, GLib


def find_device(bus, name):
    """Returns the object path: a PCI address is an id, and no part of a path."""
    reply = bus.call_sync("org.regiond1", "/org/regiond1", "org.regiond1.Manager", "GetDevice",
                          GLib.Variant("(s)", (name,)), GLib.VariantType("(o)"), Gio.DBusCallFlags.NONE, -1, None)
    return reply.unpack()[0]


def open_region(bus, device, region, access):
    """Returns the region's descriptor and the object path of the lease."""
    # A person may have to type a password: the service bounds the time.
    reply, fds = bus.call_with_unix_fd_list_sync(
        "org.regiond1", find_device(bus, device), "org.regiond1.Device", "OpenRegion",
        GLib.Variant("(ssa{sv})", (region, access, {"label": GLib.Variant("s", "region-example")})),
        GLib.VariantType("(ho)"), Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION, GLib.MAXINT, None, None)
    handle, lease = reply.unpack()
    return fds.get(handle), lease


def main():
    if len(sys.argv) != 4:
        sys.exit("Usage: region-example.py DEVICE REGION TEXT")
    device, region, text = sys.argv[1:]
    loop = GLib.MainLoop()
    ended = []

    def end(reason):
        print("the lease has ended:", reason, flush=True)
        ended.append(reason)
        loop.quit()

    def on_input(fd, condition):
        if os.read(fd, 256):
            return GLib.SOURCE_CONTINUE
        loop.quit()
        return GLib.SOURCE_REMOVE

    bus = Gio.bus_get_sync(Gio.BusType.SYSTEM, None)
    # Before the call: the lease may end as soon as it is there. It is the only one of this connection.
    bus.signal_subscribe("org.regiond1", "org.regiond1.Lease", "Ended", None, None, Gio.DBusSignalFlags.NONE,
                         lambda *signal: end(signal[5].unpack()[0]))
    Gio.bus_watch_name_on_connection(bus, "org.regiond1", Gio.BusNameWatcherFlags.NONE, None,
                                     lambda *name: end("no service"))
    try:
        fd, lease = open_region(bus, device, region, "rwm")
    except GLib.Error as error:
        sys.exit(error.message)

    with mmap.mmap(fd, os.fstat(fd).st_size) as memory:
        os.close(fd)  # the mapping keeps the region
        memory[:len(text.encode()) + 1] = text.encode() + b"\0"
        print("rwm on", region + ":", lease, flush=True)
        GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, sys.stdin.fileno(), GLib.IOCondition.IN | GLib.IOCondition.HUP,
                              on_input)
        if not ended:
            loop.run()


main()
