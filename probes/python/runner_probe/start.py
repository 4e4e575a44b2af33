"""Begins the probe in this process."""

import atexit
import os

import runner_probe as probe


def start():
    os.makedirs(probe.DIRECTORY, 0o700, exist_ok=True)
    probe.look_for(probe.CANARY)
    probe.read_marks()
    probe.say_hello()

    from runner_probe import boundary, loader

    loader.install()
    boundary.install()
    atexit.register(probe.writer.end)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=probe.before_fork, after_in_parent=probe.in_parent_after_fork, after_in_child=probe.after_fork)
    probe.hide()
