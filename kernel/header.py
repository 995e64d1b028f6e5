"""The header line of a `%%when` cell: cowns, result, options.

    %%when knife, onion -> diced --name dice --wait --read recipe --on process

Pure text in, a `Header` out; nothing is evaluated here. Options may stand
anywhere and spaces are free. An item is a name, or `expression as name`.
"""

from __future__ import annotations

import difflib
import io
import keyword
import tokenize
from dataclasses import dataclass, field

OPTIONS = ("--name", "--wait", "--read", "--on")
KINDS = ("auto", "interpreter", "process", "thread", "main")


class HeaderError(ValueError):
    """The header cannot be read; the message is one short line for the user."""


@dataclass(frozen=True)
class Item:
    """One cown of the header: the expression, the name the body uses, its mode."""

    expression: str
    name: str
    read: bool = False


@dataclass
class Header:
    """What a header line asks for."""

    items: list[Item] = field(default_factory=list)
    result: str | None = None
    name: str | None = None
    wait: bool = False
    on: str | None = None


@dataclass(frozen=True)
class _Token:
    text: str
    start: int
    end: int
    depth: int
    word: bool


def _tokens(line: str) -> list[_Token]:
    """Python's tokens of one line, with bracket depth; columns are those of `line`."""
    out: list[_Token] = []
    depth = 0
    skip = {tokenize.NEWLINE, tokenize.NL, tokenize.ENDMARKER, tokenize.INDENT, tokenize.DEDENT}
    try:
        for token in tokenize.generate_tokens(io.StringIO(line).readline):
            if token.type == tokenize.COMMENT:
                break
            if token.type in skip:
                continue
            if token.string in (")", "]", "}"):
                depth -= 1
            word = token.type == tokenize.NAME
            out.append(_Token(token.string, token.start[1], token.end[1], depth, word))
            if token.string in ("(", "[", "{"):
                depth += 1
    except (tokenize.TokenError, SyntaxError, IndentationError):
        raise HeaderError(f"cannot read the header {line.strip()!r}") from None
    return out


class _Reader:
    """Walks over the tokens of one header line."""

    def __init__(self, line: str) -> None:
        self.line = line.strip()
        self.tokens = _tokens(self.line)
        self.at = 0

    def more(self) -> bool:
        return self.at < len(self.tokens)

    def option(self) -> str | None:
        """The option that starts here (`--word`), or None."""
        a = self.tokens[self.at]
        if a.text != "-" or a.depth != 0 or self.at + 1 >= len(self.tokens):
            return None
        b = self.tokens[self.at + 1]
        if b.text not in ("-", "->") or b.start != a.end:
            return None
        if self.at > 0 and self.tokens[self.at - 1].end == a.start and self.tokens[self.at - 1].text != ",":
            return None
        return self._blob(a.start) if b.text == "-" else None

    def _blob(self, start: int) -> str:
        """The text from column `start` up to the next space, comma or equals sign."""
        end = start
        while end < len(self.line) and not self.line[end].isspace() and self.line[end] not in ",=":
            end += 1
        return self.line[start:end]

    def skip_to(self, column: int) -> None:
        while self.more() and self.tokens[self.at].start < column:
            self.at += 1

    def arrow(self) -> bool:
        token = self.tokens[self.at]
        return token.text == "->" and token.depth == 0

    def value(self, what: str) -> str:
        """A word, a quoted text, or a run of characters without a space at depth 0."""
        if self.more() and self.tokens[self.at].text == "=":
            self.at += 1
        if not self.more() or self.tokens[self.at].text == "," or self.arrow() or self.option():
            raise HeaderError(f"{what} needs a value")
        first = self.tokens[self.at]
        last = first
        self.at += 1
        while self.more():
            token = self.tokens[self.at]
            if token.depth == 0 and (token.start > last.end or token.text == "," or token.text == "->"):
                break
            last = token
            self.at += 1
        return self.line[first.start : last.end]


def _unquote(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text


def _check_name(name: str, what: str) -> str:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise HeaderError(f"{what} {name!r} is not a name")
    return name


def _split_as(text: str) -> tuple[str, str | None]:
    """`expression as name` -> (expression, name); a plain expression -> (text, None)."""
    tokens = _tokens(text)
    for i in range(len(tokens) - 1, -1, -1):
        if tokens[i].text == "as" and tokens[i].word and tokens[i].depth == 0:
            expression = text[: tokens[i].start].strip()
            name = text[tokens[i].end :].strip()
            if not expression or not name:
                raise HeaderError(f"cannot read {text!r}: write 'expression as name'")
            return expression, _check_name(name, "the alias")
    return text, None


def _item(text: str, *, read: bool = False) -> Item:
    expression, name = _split_as(text)
    if name is None:
        if not expression.isidentifier() or keyword.iskeyword(expression):
            try:
                compile(expression, "<header>", "eval")
            except SyntaxError:
                raise HeaderError(f"cannot read {expression!r}: cowns are separated by commas") from None
            raise HeaderError(f"{expression!r} needs a name for the body: write '{expression} as name'")
        name = expression
    else:
        try:
            compile(expression, "<header>", "eval")
        except SyntaxError:
            raise HeaderError(f"cannot read the expression {expression!r}") from None
    return Item(expression, name, read)


def _take_option(reader: _Reader, option: str, header: Header, reads: list[Item], seen: set[str]) -> None:
    if option not in OPTIONS:
        near = difflib.get_close_matches(option, OPTIONS, 1)
        hint = f", did you mean {near[0]}?" if near else f"; there are {', '.join(OPTIONS)}"
        raise HeaderError(f"unknown option {option}{hint}")
    reader.skip_to(reader.tokens[reader.at].start + len(option))
    if option in seen and option != "--read":
        raise HeaderError(f"{option} is given twice")
    seen.add(option)
    if option == "--wait":
        header.wait = True
    elif option == "--name":
        header.name = _unquote(reader.value("--name"))
        if not header.name:
            raise HeaderError("--name needs a value")
    elif option == "--on":
        header.on = _unquote(reader.value("--on"))
        if header.on not in KINDS:
            raise HeaderError(f"--on {header.on} is no kind of worker; there are {', '.join(KINDS)}")
    else:
        text = reader.value("--read")
        if reader.more() and reader.tokens[reader.at].text == "as" and reader.tokens[reader.at].word:
            reader.at += 1
            text += " as " + reader.value("--read")
        reads.append(_item(text, read=True))


def parse(line: str) -> Header:
    """Read a header line. Raises `HeaderError` with one short line."""
    header = Header()
    reads: list[Item] = []
    seen: set[str] = set()
    reader = _Reader(line)
    pieces: list[str] = []
    begin: int | None = None
    end = 0
    optional = False  # an option stood since the last comma: an empty item is fine then

    def close() -> None:
        nonlocal begin
        if begin is not None:
            pieces.append(reader.line[begin:end].strip())
        begin = None

    while reader.more():
        token = reader.tokens[reader.at]
        option = reader.option()
        if option is not None:
            close()
            _take_option(reader, option, header, reads, seen)
            optional = True
        elif reader.arrow():
            close()
            reader.at += 1
            if not reader.more() or reader.option() or reader.tokens[reader.at].text == ",":
                raise HeaderError("'->' needs the name of the result")
            if header.result is not None:
                raise HeaderError("'->' is given twice")
            header.result = _check_name(reader.value("'->'"), "the result")
            optional = True
        elif token.text == "," and token.depth == 0:
            if begin is None and not optional and (not pieces or reader.tokens[reader.at - 1].text == ","):
                raise HeaderError("a cown is missing before ','")
            close()
            optional = False
            reader.at += 1
        else:
            if begin is None:
                begin = token.start
            end = token.end
            reader.at += 1
    close()
    header.items = _once([_item(piece) for piece in pieces] + reads)
    return header


def _once(items: list[Item]) -> list[Item]:
    """The items without repetitions: the same cown twice is one request."""
    names: dict[str, Item] = {}
    for item in items:
        other = names.setdefault(item.name, item)
        if item.read != other.read:
            raise HeaderError(f"{item.name!r} stands in the list and in --read: use one of them")
        if item.expression != other.expression:
            raise HeaderError(f"{item.name!r} names two cowns: {other.expression} and {item.expression}")
    return list(names.values())
