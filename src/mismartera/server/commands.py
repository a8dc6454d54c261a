"""CommandDesk: what clients ask the session to do: once each, whatever is sent twice, and what became of it."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from typing import Any

from msgspec import Struct, field

from mismartera.bars import check_symbol
from mismartera.errors import UsageError
from mismartera.server.audit import AuditTrail
from mismartera.server.limits import Limits
from mismartera.server.refusal import Refusal
from mismartera.server.views import SessionView
from mismartera.session.symbols import Stay, SymbolState
from mismartera.system.manager import SystemManager

KEY_LENGTH_MAX = 200
PENDING, LOADED, FAILED, REMOVED, DONE = "pending", "loaded", "failed", "removed", "done"


class Item(Struct):
    """What a command does to one symbol: settled with ``outcome``, or to be seen from its ``stay``."""

    outcome: str = PENDING
    reason: str | None = None
    stay: Stay | None = None

    def look(self, *, is_over: bool) -> None:
        """Settle it, if what it waits for has come."""
        if self.outcome != PENDING or self.stay is None:
            return
        state = self.stay.state
        if state is SymbolState.LOADED:
            self.outcome = LOADED
        elif state is SymbolState.FAILED:
            self.outcome, self.reason = FAILED, self.stay.reason
        elif state is None:
            self.outcome, self.reason = REMOVED, "removed before it was loaded"
        elif is_over:
            self.outcome, self.reason = FAILED, "the run has ended before it was loaded"


class Command(Struct, eq=False):
    """One command. ``fingerprint`` is what was asked for: the same key with another one is refused."""

    number: str
    action: str
    fingerprint: str
    items: dict[str, Item] = {}
    outcome: str = PENDING
    reason: str | None = None
    refusal: Refusal | None = None
    begun: threading.Event = field(default_factory=threading.Event)

    def as_json(self, *, is_over: bool) -> dict[str, Any]:
        """How the command stands."""
        for item in self.items.values():
            item.look(is_over=is_over)
        if self.items:
            outcomes = {item.outcome for item in self.items.values()}
            self.outcome = PENDING if PENDING in outcomes else outcomes.pop() if len(outcomes) == 1 else "mixed"
            self.reason = next((item.reason for item in self.items.values() if item.reason), self.reason)
        return {
            "command": self.number, "action": self.action, "outcome": self.outcome, "reason": self.reason,
            "symbols": {s: {"outcome": i.outcome, "reason": i.reason} for s, i in self.items.items()},
            "status_url": f"/api/commands/{self.number}",
        }  # fmt: skip


class CommandDesk:
    """Carries out commands, on the calling thread, and remembers the last ones by number and by idempotency key.

    Lives as long as the session: a server that is started again finds what was asked of the one before it.
    """

    def __init__(self, view: SessionView, audit: AuditTrail, limits: Limits) -> None:
        self._view = view
        self._system: SystemManager = view.system
        self._audit = audit
        self._limits = limits
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(limits.steerers_max)
        self._commands: OrderedDict[str, Command] = OrderedDict()
        self._by_key: OrderedDict[str, Command] = OrderedDict()

    def find(self, number: str) -> dict[str, Any]:
        """How a command stands; Refusal if it is unknown, or was long ago."""
        with self._lock:
            command = self._commands.get(number)
        if command is None:
            raise Refusal(404, "unknown_command", "there is no such command, or it was long ago")
        return self._shown(command)

    def add(
        self, symbols: Sequence[str], streams: Sequence[str] | None, key: str | None, who: str
    ) -> dict[str, Any]:
        """Ask for symbols; each is accepted or not for itself."""
        wanted = list(dict.fromkeys(symbols))
        what = f"add {', '.join(wanted)}" + (f" with {', '.join(streams)}" if streams is not None else "")

        def act(command: Command) -> None:
            for symbol in wanted:
                command.items[symbol] = self._add(symbol, streams)
            items = command.items.values()
            if items and all(item.stay is None for item in items):
                raise Refusal(422, "bad_symbol", next(iter(items)).reason or "")

        return self._carry_out("add", what, key, who, act)

    def remove(self, symbol: str, key: str | None, who: str) -> dict[str, Any]:
        """Drop a symbol; Refusal if the session does not have it."""

        def act(command: Command) -> None:
            item = command.items[symbol] = Item(REMOVED)
            try:
                if not self._system.coordinator.remove_symbol(symbol):
                    raise Refusal(404, "unknown_symbol", f"the session does not have {symbol[:40]!a}")
            except TimeoutError as error:  # it is removed all the same
                item.reason = str(error)

        return self._carry_out("remove", f"remove {symbol}", key, who, act)

    def pause(self, key: str | None, who: str) -> dict[str, Any]:
        """Hold after the present instant."""

        def act(command: Command) -> None:
            try:
                self._system.pause()
            except TimeoutError as error:
                command.reason = str(error)

        return self._carry_out("pause", "pause", key, who, act)

    def resume(self, key: str | None, who: str) -> dict[str, Any]:
        """Go on."""
        return self._carry_out("resume", "resume", key, who, lambda _: self._system.resume())

    def step(self, key: str | None, who: str) -> dict[str, Any]:
        """Show the next instant of a paused backtest."""

        def act(command: Command) -> None:
            if not self._system.step():
                command.reason = "the run has ended"

        return self._carry_out("step", "step", key, who, act)

    def set_speed(self, speed: float, key: str | None, who: str) -> dict[str, Any]:
        """Let a backtest go on at another speed."""
        return self._carry_out("speed", f"speed {speed:g}", key, who, lambda _: self._system.set_speed(speed))

    def _add(self, symbol: str, streams: Collection[str] | None) -> Item:
        try:
            check_symbol(symbol)
        except ValueError as error:
            return Item(FAILED, str(error))
        try:
            self._system.coordinator.add_symbol(symbol, streams)
        except ValueError as error:
            raise Refusal(422, "bad_streams", str(error)) from error
        return Item(stay=self._system.coordinator.follow(symbol))

    def _carry_out(
        self, action: str, what: str, key: str | None, who: str, act: Callable[[Command], None]
    ) -> dict[str, Any]:
        command, is_new = self._enter(action, what, key)
        if not is_new:
            command.begun.wait(self._limits.body_seconds_max)
            if command.refusal is not None:
                raise command.refusal
            return self._shown(command)
        try:
            self._act(command, act)
        except Refusal as refusal:
            command.outcome, command.refusal = FAILED, refusal
            self._audit.audit(what, who, f"refused: {refusal.message}")
            raise
        finally:
            command.begun.set()
        self._audit.audit(what, who, "accepted")
        if not self._system.wait_durable(self._limits.durable_seconds_max):
            command.reason = "accepted, and not in the journal yet"
        return self._shown(command)

    def _act(self, command: Command, act: Callable[[Command], None]) -> None:
        if self._view.is_over:
            raise Refusal(
                409, "session_over",
                f"the run has {self._system.outcome}: it can be read, and takes no commands any more",
            )  # fmt: skip
        if not self._turns.acquire(blocking=False):
            raise Refusal(429, "busy", "too many commands are being carried out", headers={"retry-after": "1"})
        try:
            act(command)
        except UsageError as error:
            raise Refusal(409, "not_now", str(error)) from error
        except ValueError as error:
            raise Refusal(422, "bad_value", str(error)) from error
        finally:
            self._turns.release()
        if not command.items:
            command.outcome = DONE

    def _enter(self, action: str, what: str, key: str | None) -> tuple[Command, bool]:
        """The command of this key, or a new one; True if it is new."""
        with self._lock:
            found = None if key is None else self._by_key.get(key)
            if found is not None:
                if found.fingerprint != what:
                    raise Refusal(
                        422,
                        "key_reused",
                        "this Idempotency-Key was sent with another command before: take a new one",
                    )
                return found, False
            command = Command(secrets.token_hex(8), action, what)
            self._commands[command.number] = command
            if key is not None:
                self._by_key[key] = command
            for kept in (self._commands, self._by_key):
                while len(kept) > self._limits.commands_kept:
                    kept.popitem(last=False)
            return command, True

    def _shown(self, command: Command) -> dict[str, Any]:
        return command.as_json(is_over=self._view.is_over)
