"""A signal is raised at once where nothing is at stake, after the step or the file where something is, and once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable

import pytest

from qaexp.errors import Stopped
from qaexp.storage.signals import SIGNALS, deferred, note_only, raise_stop, stop_is_requested, watched


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def stopped(body: Callable[[], object], *, is_alone: bool = True) -> Stopped:
    """Watch the body, which must be stopped; with what."""

    def run() -> None:
        with watched(is_alone=is_alone):
            body()

    with pytest.raises(Stopped) as caught:
        run()
    return caught.value


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGUSR2, 75), (signal.SIGINT, 130)],
)
def test_a_signal_is_raised_with_its_exit_code(number: signal.Signals, code: int) -> None:
    before = [signal.getsignal(one) for one in SIGNALS]
    done = []
    stop = stopped(lambda: (send(number), done.append("went on")))
    assert (stop.signal, stop.exit_code) == (number, code)
    assert done == []
    assert [signal.getsignal(one) for one in SIGNALS] == before


def test_one_that_is_lost_where_an_object_is_deleted_is_raised_after_the_next_step() -> None:
    done = []

    class Deleted:
        def __del__(self) -> None:
            send(signal.SIGINT)

    def body() -> None:
        thing = Deleted()
        del thing
        done.append("lost")
        with deferred():
            done.append("step")
        done.append("went on")

    hook = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    try:
        assert stopped(body).signal == signal.SIGINT
    finally:
        sys.unraisablehook = hook
    assert done == ["lost", "step"]


def test_what_is_stored_on_the_way_out_is_stored() -> None:
    done = []

    def body() -> None:
        try:
            send(signal.SIGTERM)
        finally:
            with deferred():
                done.append("stored")
            done.append("said")

    assert stopped(body).signal == signal.SIGTERM
    assert done == ["stored", "said"]


def test_no_library_takes_it_for_a_fault_of_its_own() -> None:
    done = []

    def body() -> None:
        try:
            send(signal.SIGTERM)
        except Exception:
            done.append("caught")

    stopped(body)
    assert done == []


def test_a_deferred_body_ends_first() -> None:
    done = []

    def body() -> None:
        with deferred():
            with deferred():
                send(signal.SIGTERM)
                done.append("inner")
            done.append("outer")
            assert stop_is_requested()
        done.append("never")

    stopped(body)
    assert done == ["inner", "outer"]


def test_what_runs_on_the_way_out_is_not_stopped_again() -> None:
    done = []

    def body() -> None:
        try:
            send(signal.SIGTERM)
        finally:
            send(signal.SIGTERM)
            with deferred():
                send(signal.SIGUSR1)
                done.append("cleaned")
            done.append("and on")

    stopped(body)
    assert done == ["cleaned", "and on"]


def test_a_second_ctrl_c_is_raised_at_once() -> None:
    done = []

    def body() -> None:
        with deferred():
            send(signal.SIGTERM)
            done.append("first")
            send(signal.SIGINT)
            done.append("never")

    assert stopped(body).exit_code == 130
    assert done == ["first"]


def test_an_error_of_the_body_is_not_replaced() -> None:
    def run() -> None:
        with watched(), deferred():
            send(signal.SIGTERM)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run()


def test_one_of_several_processes_only_takes_note() -> None:
    done = []

    def body() -> None:
        with deferred():
            send(signal.SIGUSR1)
        done.append(stop_is_requested())
        raise_stop()

    assert stopped(body, is_alone=False).signal == signal.SIGUSR1
    assert done == [True]


def test_another_thread_is_never_stopped() -> None:
    done: list[str] = []

    def work() -> None:
        with watched(), deferred():
            done.append("thread")

    def body() -> None:
        with deferred():
            send(signal.SIGTERM)
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()

    stopped(body)
    assert done == ["thread"]


def test_nothing_is_left_over_for_the_next_run() -> None:
    stopped(lambda: send(signal.SIGTERM))
    with watched(), deferred():
        assert not stop_is_requested()


def test_one_of_several_processes_only_notes_signals_once_they_have_to_agree() -> None:
    done = []

    def body() -> None:
        note_only()
        send(signal.SIGTERM)
        with deferred():
            done.append("step")
        done.append("asked" if stop_is_requested() else "not asked")
        raise_stop()

    assert stopped(body).signal == signal.SIGTERM
    assert done == ["step", "asked"]


def test_a_second_ctrl_c_is_not_raised_in_one_of_several_processes() -> None:
    """The terminal gives it to all, and who started them hands it on."""
    done = []
    with watched(is_patient=True):
        note_only()
        send(signal.SIGINT)
        send(signal.SIGINT)
        done.append("went on")
    assert done == ["went on"]
