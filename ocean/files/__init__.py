"""File objects: where a dataset's or an algorithm's bytes are. One module for each type, which says all of it: how an
object is read and written, what is asked for the file, which name may be shown, what the API's description says.
`registry` lists the types; nobody else does.

A publisher's URL is the secret that the whole service protects, and so is the name of paid content in a public
network: neither appears in a repr, an error or a log. Texts of errors are the ones that clients of Ocean Provider know.
"""

from ocean.files.arweave import ArweaveFile
from ocean.files.contract import ContractFile
from ocean.files.graphql import GraphqlFile
from ocean.files.ipfs import IpfsFile
from ocean.files.kind import File, FileObjectInvalid
from ocean.files.registry import parse_file
from ocean.files.url import UrlFile

__all__ = [
    "ArweaveFile",
    "ContractFile",
    "File",
    "FileObjectInvalid",
    "GraphqlFile",
    "IpfsFile",
    "UrlFile",
    "parse_file",
]
