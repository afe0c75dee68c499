"""Endpoints of files: encrypting what a publisher puts on chain, looking at files, ordering and fetching them."""

from typing import Final

from provider_api.endpoints.files import decrypt, download, encrypt, fileinfo, initialize

ENDPOINTS: Final = (
    encrypt.encrypt,
    decrypt.decrypt,
    fileinfo.fileinfo,
    initialize.initialize,
    download.download,
)
