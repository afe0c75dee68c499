"""The smallest algorithm of the library that tells what it was given: files, and the documents that describe them."""

import json

from ocean_runner import Algorithm

algorithm = Algorithm.create(None)


@algorithm.run
def run(self):
    details = self.job_details
    return json.dumps(
        {
            "files": [[did, path.read_text()] for did, path in details.inputs()],
            "names": {did: document.metadata.name for did, document in details.metadata.items()},
            "authors": {did: document.metadata.author for did, document in details.metadata.items()},
        }
    )


algorithm()
