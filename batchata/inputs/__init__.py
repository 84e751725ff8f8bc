"""What is sent: messages and files, checked before anything is written or sent, and their requests."""

from batchata.inputs.documents import pdf_to_document_block
from batchata.inputs.files import FileInput, file_digest
from batchata.inputs.hidden import service_tools
from batchata.inputs.items import Inputs, Source
from batchata.inputs.json_values import CACHE_MARK, encode
from batchata.inputs.params import check_params
from batchata.inputs.read import read_again, read_inputs
from batchata.inputs.request import RequestTemplate, note_size

__all__ = [
    "CACHE_MARK",
    "FileInput",
    "Inputs",
    "RequestTemplate",
    "Source",
    "check_params",
    "encode",
    "file_digest",
    "note_size",
    "pdf_to_document_block",
    "read_again",
    "read_inputs",
    "service_tools",
]
