"""Pickles as data: None, booleans, numbers, strings, tuples, lists and dictionaries, and nothing else.

Python's own unpickler imports what a pickle names, calls it, and writes into the attributes of what came back. Here
nothing is imported, no attribute is read or written, and a name means only what a subclass says of it. Operations
that weight files never use (classes by INST, OBJ, NEWOBJ_EX or extension codes, sets, buffers) are refused.
"""

import pickletools

from kerazoo.errors import one_line

CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
VALUES = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"}
VALUES |= {"BINSTRING", "SHORT_BINSTRING"}  # Python 2's strings.
EMPTY = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
KEYS = (str, int, float, bool, type(None))  # A key is hashed, and a tuple's hash goes as deep as the tuple is nested.
_MARK = object()


class Name:
    """What a pickle calls `module.name`: two words, whatever is there."""

    __slots__ = ("parts",)

    def __init__(self, module, name):
        self.parts = (module, name)

    module = property(lambda self: self.parts[0])
    name = property(lambda self: self.parts[1])

    def __str__(self):
        text = ".".join(self.parts)
        return (text if text.isprintable() else ascii(text))[:80]


class Reader:
    """Reads one pickle from a stream; after `load` the stream stands right behind it.

    Args:
        stream: a binary file object that can tell its position.
    """

    def __init__(self, stream):
        self.stream = stream
        self._stack, self._memo = [], {}

    def known(self, name):
        """What stands for a `Name`; refuses those that a kind of file does not need."""
        raise ValueError(f"its pickle asks for {name}, which is refused.")

    def call(self, known, arguments):
        """The result of a call of what `known` returned."""
        raise ValueError("its pickle calls what cannot be called.")

    def new(self, known):
        """An instance without a state, of what `known` returned."""
        raise ValueError("its pickle makes what cannot be made.")

    def build(self, value, state):
        """What a value is after a pickle gave it a state."""
        raise ValueError("its pickle gives a state to what has none.")

    def persistent(self, reference):
        """What stands for something that is kept outside of the pickle."""
        raise ValueError("its pickle refers to something outside of it.")

    def load(self):
        """The value of the pickle.

        Raises:
            ValueError: a pickle that is damaged, or wants more than plain values.
        """
        try:
            for operation, argument, _ in pickletools.genops(self.stream):
                if operation.name == "STOP":
                    (value,) = self._stack
                    return value
                self._do(operation.name, argument)
        except (IndexError, KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"its pickle is damaged ({type(error).__name__}: {one_line(error)})") from error
        raise ValueError("its pickle has no end.")

    def _do(self, operation, argument):
        stack = self._stack
        if operation in VALUES:
            stack.append(argument)
        elif operation in CONSTANTS:
            stack.append(CONSTANTS[operation])
        elif operation in EMPTY:
            stack.append(EMPTY[operation]())
        elif operation in TUPLES:
            stack.append(tuple(self._pop(TUPLES[operation])))
        elif operation == "MARK":
            stack.append(_MARK)
        elif operation == "TUPLE":
            stack.append(tuple(self._from_mark()))
        elif operation in ("APPEND", "APPENDS"):
            items = self._from_mark() if operation == "APPENDS" else self._pop(1)
            _of(list, stack[-1]).extend(items)
        elif operation in ("SETITEM", "SETITEMS"):
            items = self._from_mark() if operation == "SETITEMS" else self._pop(2)
            _of(dict, stack[-1]).update(pairs(zip(items[::2], items[1::2], strict=True)))
        elif operation in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._memo[len(self._memo) if argument is None else argument] = stack[-1]
        elif operation in ("BINGET", "LONG_BINGET"):
            stack.append(self._memo[argument])
        elif operation in ("GLOBAL", "STACK_GLOBAL"):
            parts = argument.split(" ", 1) if operation == "GLOBAL" else self._pop(2)
            stack.append(self.known(Name(*(_of(str, part) for part in parts))))
        elif operation == "REDUCE":
            known, arguments = self._pop(2)
            stack.append(self.call(known, _of(tuple, arguments)))
        elif operation == "NEWOBJ":
            known, arguments = self._pop(2)
            if arguments != ():
                raise ValueError("its pickle makes an object from arguments.")
            stack.append(self.new(known))
        elif operation == "BUILD":
            value, state = self._pop(2)
            stack.append(self.build(value, state))
        elif operation == "BINPERSID":
            stack.append(self.persistent(*self._pop(1)))
        elif operation not in ("PROTO", "FRAME"):
            raise ValueError(f"its pickle has the operation {operation}, which is refused.")

    def _pop(self, count):
        """The last `count` values, none of them a mark."""
        items = self._stack[-count:]
        if len(items) < count or any(item is _MARK for item in items):
            raise IndexError("a value is missing")
        del self._stack[-count:]
        return items

    def _from_mark(self):
        """The values after the last mark, which goes with them."""
        place = len(self._stack) - 1
        while self._stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise IndexError("a mark is missing")
        items = self._stack[place + 1 :]
        del self._stack[place:]
        return items


def pairs(items):
    """A dictionary of (key, value), the keys plain.

    Raises:
        ValueError: another key.
    """
    found = {}
    for key, value in items:
        if not isinstance(key, KEYS):
            raise ValueError(f"a key must be a string or a number. Received: {type(key).__name__}.")
        found[key] = value
    return found


def said(value):
    """A value in a message: on one line, not long, however a pickle has nested it."""
    if isinstance(value, tuple) and all(type(item) is int for item in value):
        return repr(value)[:80]
    return repr(value)[:40] if isinstance(value, KEYS) else type(value).__name__


def _of(kind, value):
    if type(value) is not kind:
        raise TypeError(f"{kind.__name__} in place of {type(value).__name__}")
    return value
