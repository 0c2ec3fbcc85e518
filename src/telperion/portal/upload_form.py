"""An uploaded form, read piece by piece: nothing larger than it may be is ever held, and nothing goes to a disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import Message
from typing import TYPE_CHECKING

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from telperion.portal.upload_rows import whole

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_LONGEST_FIELD = 4096
_MOST_PARTS = 10


@dataclass
class Form:
    """What a form holds: the bytes of its file, and its other fields."""

    file: bytearray = field(default_factory=bytearray)
    fields: dict[str, str] = field(default_factory=dict)


class _Reader:
    """Takes the parser's calls and gathers a form."""

    def __init__(self, most: int) -> None:
        self.form, self._most, self._parts = Form(), most, 0
        self._header, self._value = b"", b""
        self._name, self._text = "", bytearray()
        self._is_file = False

    def begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise whole(f"the form has more than {_MOST_PARTS} fields")
        self._name, self._is_file, self._text = "", False, bytearray()

    def header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        if len(self._value) + len(self._header) > _LONGEST_FIELD:
            raise whole("a field of the form has too long a name")

    def header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            message = Message()
            message["content-disposition"] = self._value.decode("latin-1")
            self._name = str(message.get_param("name", "", "content-disposition"))
            self._is_file = message.get_param("filename", None, "content-disposition") is not None
        self._header, self._value = b"", b""

    def data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self._is_file and self._name == "file":
            if len(self.form.file) + len(piece) > self._most:
                raise whole(f"the file is larger than {self._most:,} bytes")
            self.form.file += piece
        elif not self._is_file:
            if len(self._text) + len(piece) > self._most:
                raise whole(f"the text is larger than {self._most:,} bytes")
            self._text += piece

    def end(self) -> None:
        if not self._is_file:
            self.form.fields[self._name] = self._text.decode("utf-8", "replace")


async def read_form(content_type: str, stream: AsyncIterator[bytes], most: int) -> Form:
    """Read a form.

    Parameters
    ----------
    content_type : str
        As the request says.
    stream : async iterator of bytes
    most : int
        Bytes of its file.

    Raises
    ------
    UploadError
        It is no such form, or too large.
    """
    message = Message()
    message["content-type"] = content_type
    boundary = message.get_param("boundary")
    if (
        message.get_content_type() != "multipart/form-data"
        or not isinstance(boundary, str)
        or not 0 < len(boundary) <= 70
    ):
        raise whole("this is no form with a file")
    reader = _Reader(most)
    calls: MultipartCallbacks = {
        "on_part_begin": reader.begin, "on_part_data": reader.data, "on_part_end": reader.end,
        "on_header_field": reader.header, "on_header_value": reader.value, "on_header_end": reader.header_end,
    }  # fmt: skip
    parser = MultipartParser(boundary.encode("latin-1"), calls)
    try:
        async for piece in stream:
            parser.write(piece)
        parser.finalize()
    except MultipartParseError as error:
        raise whole(f"the form cannot be read: {error}") from error
    return reader.form
