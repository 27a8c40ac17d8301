"""Reads Bicep files: enough of the grammar to know what is declared, what is used, and what objects hold.

There is no compiler for Bicep where these tests run. What this does not know is types: Azure still has the last word.
"""

import re
from dataclasses import dataclass, field

TOKEN = re.compile(
    r"(?P<space>[ \t\r]+|//[^\n]*|/\*.*?\*/)|(?P<newline>\n)|(?P<number>\d+)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<operator>\?\?|==|!=|=~|!~|<=|>=|&&|\|\||\.\.\.|[{}\[\]():,.=?!<>+\-*/%@])",
    re.S,
)


class BicepError(Exception):
    pass


@dataclass
class Text:
    """A string: its literal pieces, and the expressions between them."""

    pieces: list
    parts: list

    @property
    def literal(self):
        return "".join(self.pieces) if not self.parts else None


@dataclass
class Name:
    name: str


@dataclass
class Call:
    name: str
    arguments: list


@dataclass
class Member:
    of: object
    name: object  # a str, or an expression in brackets


@dataclass
class Many:
    """An expression of several others."""

    parts: list


@dataclass
class Loop:
    names: list
    over: object
    condition: object
    body: object


@dataclass
class Declaration:
    kind: str
    name: str
    value: object = None
    type: str = ""
    existing: bool = False
    condition: object = None
    decorators: dict = field(default_factory=dict)


def tokens(text):
    """(kind, value) of each; a string is one token."""
    at, found = 0, []
    while at < len(text):
        if text[at] == "'":
            string, at = read_string(text, at)
            found.append(("string", string))
            continue
        match = TOKEN.match(text, at)
        if not match:
            raise BicepError(f"line {text.count(chr(10), 0, at) + 1}: {text[at : at + 20]!r}")
        at = match.end()
        if match.lastgroup != "space":
            found.append((match.lastgroup, match[0]))
    return [*found, ("newline", "\n"), ("end", "")]


def read_string(text, at):
    pieces, parts, start = [""], [], at
    at += 1
    while at < len(text) and text[at] != "\n":
        if text[at] == "'":
            return Text(pieces, parts), at + 1
        if text[at] == "\\":
            pieces[-1] += text[at + 1]
            at += 2
        elif text.startswith("${", at):
            end = closing(text, at + 1)
            parser = Parser(text[at + 2 : end])
            parts.append(parser.expression())
            parser.end()
            pieces.append("")
            at = end + 1
        else:
            pieces[-1] += text[at]
            at += 1
    raise BicepError(f"line {text.count(chr(10), 0, start) + 1}: a string without an end")


def closing(text, at):
    """Where the brace at `at` is closed again."""
    depth = 0
    while at < len(text):
        if text[at] == "'":
            _, at = read_string(text, at)
            continue
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
        at += 1
    raise BicepError("a brace without an end")


class Parser:
    LEVELS = [["??"], ["||"], ["&&"], ["==", "!=", "=~", "!~"], ["<", ">", "<=", ">="], ["+", "-"], ["*", "/", "%"]]

    def __init__(self, text):
        self.tokens = tokens(text)
        self.at = 0

    def peek(self, *values):
        kind, value = self.tokens[self.at]
        return kind != "string" and value in values

    def take(self, *values):
        if self.peek(*values):
            self.at += 1
            return True
        return False

    def expect(self, value):
        if not self.take(value):
            raise BicepError(f"{value!r} is expected and not {self.tokens[self.at][1]!r} (token {self.at})")

    def lines(self):
        while self.take("\n"):
            pass

    def name(self):
        kind, value = self.tokens[self.at]
        if kind != "name":
            raise BicepError(f"a name is expected and not {value!r}")
        self.at += 1
        return value

    def string(self):
        kind, value = self.tokens[self.at]
        if kind != "string":
            raise BicepError(f"a string is expected and not {value!r}")
        self.at += 1
        return value

    def end(self):
        self.lines()
        if self.tokens[self.at][0] != "end":
            raise BicepError(f"nothing more is expected, and not {self.tokens[self.at][1]!r}")

    # Expressions.

    def expression(self):
        condition = self.binary(0)
        after = self.at
        self.lines()
        if not self.take("?"):
            self.at = after
            return condition
        self.lines()
        yes = self.expression()
        self.lines()
        self.expect(":")
        self.lines()
        return Many([condition, yes, self.expression()])

    def binary(self, level):
        if level == len(self.LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while self.take(*self.LEVELS[level]):
            left = Many([left, self.binary(level + 1)])
        return left

    def unary(self):
        if self.take("!", "-"):
            return self.unary()
        found = self.primary()
        while True:
            if self.take("."):
                found = Member(found, self.name())
                if self.peek("("):
                    found = Call(".", [found, *self.list("(", ")")])
            elif self.take("["):
                found = Member(found, self.expression())
                self.expect("]")
            else:
                return found

    def primary(self):
        kind, value = self.tokens[self.at]
        if kind == "string":
            return self.string()
        if kind == "number":
            self.at += 1
            return int(value)
        if self.take("("):
            inner = self.expression()
            self.expect(")")
            return inner
        if self.peek("{"):
            return self.object()
        if self.peek("["):
            return self.array()
        word = self.name()
        if word in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[word]
        return Call(word, self.list("(", ")")) if self.peek("(") else Name(word)

    def list(self, opening, ending):
        self.expect(opening)
        found = []
        self.lines()
        while not self.take(ending):
            found.append(self.expression())
            self.lines()
            while self.take(","):
                self.lines()
        return found

    def array(self):
        start = self.at
        self.expect("[")
        self.lines()
        if self.peek("for"):
            return self.loop()
        self.at = start
        return self.list("[", "]")

    def loop(self):
        self.expect("for")
        names = []
        if self.take("("):
            names = [self.name()]
            self.expect(",")
            names.append(self.name())
            self.expect(")")
        else:
            names = [self.name()]
        self.expect("in")
        over = self.expression()
        self.expect(":")
        condition = self.condition()
        body = self.expression()
        self.lines()
        self.expect("]")
        return Loop(names, over, condition, body)

    def condition(self):
        if not self.take("if"):
            return None
        self.expect("(")
        found = self.expression()
        self.expect(")")
        return found

    def object(self):
        self.expect("{")
        found = {}
        self.lines()
        while not self.take("}"):
            if self.tokens[self.at][0] == "string":
                text = self.string()
                key = text.literal if text.literal is not None else text
            else:
                key = self.name()
            self.expect(":")
            key = key if isinstance(key, str) else ComputedKey(key)
            if key in found:
                raise BicepError(f"{key!r} stands twice in an object")
            found[key] = self.expression()
            if not (self.peek("}") or self.take(",") or self.peek("\n")):
                raise BicepError(f"{key!r} is followed by {self.tokens[self.at][1]!r}")
            self.lines()
        return found

    # Declarations.

    def file(self):
        found = []
        decorators = {}
        self.lines()
        while self.tokens[self.at][0] != "end":
            if self.take("@"):
                called = self.expression()
                decorators[called.name] = called.arguments
                self.expect("\n")
            else:
                found.append(self.declaration(decorators))
                decorators = {}
                self.expect("\n")
            self.lines()
        return found

    def declaration(self, decorators):
        kind = self.name()
        if kind == "targetScope":
            self.expect("=")
            return Declaration(kind, "", self.string())
        made = Declaration(kind, self.name(), decorators=decorators)
        if kind in ("param", "output"):
            made.type = self.name()
        elif kind in ("resource", "module"):
            made.type = self.string().literal
            made.existing = self.take("existing")
        elif kind != "var":
            raise BicepError(f"there is no declaration {kind!r}")
        if kind != "param" or self.peek("="):
            self.expect("=")
            made.condition = self.condition()
            made.value = self.expression()
        return made


class ComputedKey:
    """A key that is computed, such as the id of an identity."""

    def __init__(self, text):
        self.text = text


def parse(text):
    """All declarations of a file."""
    return Parser(text).file()


def walk(value, bound=frozenset()):
    """(expression, names that loops around it bind) of everything inside, itself included."""
    yield value, bound
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(key, ComputedKey):
                yield from walk(key.text, bound)
            yield from walk(inner, bound)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, bound)
    elif isinstance(value, Text):
        yield from walk(value.parts, bound)
    elif isinstance(value, Many):
        yield from walk(value.parts, bound)
    elif isinstance(value, Call):
        yield from walk(value.arguments, bound)
    elif isinstance(value, Member):
        yield from walk(value.of, bound)
        if not isinstance(value.name, str):
            yield from walk(value.name, bound)
    elif isinstance(value, Loop):
        yield from walk(value.over, bound)
        inside = bound | set(value.names)
        yield from walk(value.condition, inside)
        yield from walk(value.body, inside)
