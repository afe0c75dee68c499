"""The Operator-Service API: an unmodified Ocean Provider may use this service as its `OPERATOR_SERVICE_URL`.

Such a provider checks its consumers itself (signatures, nonces, fees) and signs its own calls; here it is known by
`C2D_OPERATOR__PROVIDERS`. It hands over workflow documents. Their orders and the publishers' trust are verified again,
files are fetched from the provider that has them, as the environment, and everything after that is the same as for
a job that a consumer starts here. A provider sees its own jobs only. Without known providers nothing of this is there.

Errors are {"error": text}. A provider repeats a request after 502 to 504, so none of these is ever answered.
"""

from typing import Final

from provider_api.endpoints.operator import admin, compute, environments, results

ENDPOINTS: Final = (
    environments.root,
    environments.environments,
    compute.start,
    compute.status,
    compute.stop,
    compute.delete,
    results.get_result,
    admin.runningjobs,
    admin.list_names,
    admin.info,
    admin.logs,
    admin.pgsqlinit,
)
