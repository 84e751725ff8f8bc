"""What is sent, for any provider: messages and files, read and checked before anything is written or sent."""

from batchata.inputs.files import FileInput, file_digest
from batchata.inputs.items import Inputs, Source
from batchata.inputs.json_values import encode
from batchata.inputs.read import read_again, read_inputs, refused_files

__all__ = [
    "FileInput",
    "Inputs",
    "Source",
    "encode",
    "file_digest",
    "read_again",
    "read_inputs",
    "refused_files",
]
