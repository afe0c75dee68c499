"""ocean.py 3.1.2 at a test's command: JSON commands on standard input, JSON answers on standard output, one a line.

Runs under the client's own interpreter (Python 3.10) and uses nothing but the client and what comes with it.
A command is a function below: `{"command": "order", "arguments": {...}}` is answered by `{"result": ...}` or
`{"error": "DataProviderException: ..."}`. What the client prints goes to standard error.
"""

import json
import os
import sys
import time

from eth_account import Account
from ocean_lib.data_provider.data_service_provider import DataServiceProvider
from ocean_lib.data_provider.fileinfo_provider import FileInfoProvider
from ocean_lib.example_config import get_config_dict
from ocean_lib.models.compute_input import ComputeInput
from ocean_lib.models.datatoken_base import DatatokenBase
from ocean_lib.ocean.ocean import Ocean
from ocean_lib.ocean.ocean_assets import AssetArguments, OceanAssets
from ocean_lib.ocean.util import to_wei
from ocean_lib.structures.algorithm_metadata import AlgorithmMetadata
from ocean_lib.structures.file_objects import FilesTypeFactory

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
COMMANDS = {}
ACCESS, COMPUTE = "access", "compute"  # types of services


class Session:
    """Set by `connect`: the client, a publisher and a consumer."""

    ocean = publisher = consumer = provider = None


def command(function):
    COMMANDS[function.__name__] = function
    return function


@command
def connect(rpc, address_file, provider, metadata, publisher, consumer):
    os.environ["ADDRESS_FILE"] = address_file
    config = get_config_dict(rpc)
    config["PROVIDER_URL"], config["METADATA_CACHE_URI"] = provider, metadata
    Session.ocean, Session.provider = Ocean(config), provider
    Session.publisher, Session.consumer = Account.from_key(publisher), Account.from_key(consumer)
    return {
        "valid": DataServiceProvider.is_valid_provider(provider),
        "provider": DataServiceProvider.get_provider_address(provider, 8996),
        "endpoints": len(DataServiceProvider.get_service_endpoints(provider)),
    }


# --- publishing ------------------------------------------------------------------------------------------------------


@command
def publish(files, name="Rain", kind="dataset", algorithm=None, compute=None, credentials=None):
    """A dataset with an access and a compute service, or an algorithm. Answers its DID."""
    sender = {"from": Session.publisher}
    metadata = OceanAssets.default_metadata(name, sender, kind)
    if algorithm:
        metadata["algorithm"] = algorithm
    arguments = AssetArguments(
        metadata=metadata, with_compute=kind == "dataset", compute_values=compute, credentials=credentials
    )
    _, _, ddo = Session.ocean.assets.create_bundled([FilesTypeFactory(file) for file in files], sender, arguments)
    return ddo.did


@command
def trust(dataset, algorithm):
    """Trust one algorithm and update the asset. Answers the compute section that the metadata store then has."""
    ddo = _asset(dataset)
    _service(ddo, COMPUTE).add_publisher_trusted_algorithm(_asset(algorithm))
    return _updated(ddo)


@command
def trust_publisher(dataset, publisher):
    ddo = _asset(dataset)
    _service(ddo, COMPUTE).add_publisher_trusted_algorithm_publisher(publisher)
    return _updated(ddo)


@command
def document(did):
    """As the metadata store has it, beside its answer about the metadata alone."""
    ddo = _asset(did)
    return {"document": ddo.as_dictionary(), "metadata": Session.ocean.assets._aquarius.get_ddo_metadata(did)}


@command
def exists(did):
    return Session.ocean.assets._aquarius.ddo_exists(did)


@command
def validate(did, name):
    """What the metadata store says of the document with another name. Raises ValueError for an invalid one."""
    ddo = _asset(did)
    ddo.metadata["name"] = name
    return Session.ocean.assets.validate(ddo)[0]


@command
def file_info(did, service=ACCESS, checksum=False, userdata=None):
    ddo = _asset(did)
    return FileInfoProvider.fileinfo(did, _service(ddo, service), with_checksum=checksum, userdata=userdata).json()


@command
def check_file(file):
    return DataServiceProvider.check_single_file_info(file, Session.provider)


# --- buying ----------------------------------------------------------------------------------------------------------


@command
def give(did, amount=5):
    """Datatokens for the consumer."""
    token = _token(_asset(did).services[0].datatoken)
    token.mint(Session.consumer.address, to_wei(amount), {"from": Session.publisher})


@command
def pay_for_access(did, userdata=None):
    """Answers the order's transaction."""
    paid = Session.ocean.assets.pay_for_access_service(_asset(did), {"from": Session.consumer}, userdata=userdata)
    return paid.hex()


@command
def initialize(did, as_did=None, service=ACCESS):
    """The call alone, without the client's own checks before it; `as_did` is sent in the DID's place."""
    chosen = _service(_asset(did), service)
    return DataServiceProvider.initialize(as_did or did, chosen, Session.consumer.address).json()


@command
def environments():
    free = Session.ocean.compute.get_free_c2d_environment(Session.provider, 8996)
    return {"free": free["id"], "all": Session.ocean.compute.get_c2d_environments(Session.provider, 8996)}


@command
def approve_ocean(did, amount):
    """Let an asset's datatoken contract take a provider fee in OCEAN (base units)."""
    token = _asset(did).services[0].datatoken
    Session.ocean.OCEAN_token.approve(token, amount, {"from": Session.consumer})


@command
def ocean_balance(address):
    return Session.ocean.OCEAN_token.balanceOf(address)


@command
def quote(dataset, algorithm, environment, minutes=10):
    """What initializeCompute answers."""
    return Session.ocean.retrieve_provider_fees_for_compute(
        [_input(dataset, COMPUTE)],
        _algorithm(algorithm),
        Session.consumer.address,
        environment,
        int(time.time() + 60 * minutes),
    )


@command
def order(dataset, algorithm, environment, minutes=10, orders=(None, None), userdata=None):
    """Pay for one dataset and an algorithm (a DID, or the metadata of a raw one); `orders` are earlier ones.

    Answers the orders' transactions and how many transactions the consumer sent.
    """
    chosen = _environment(environment)
    wanted = _algorithm(algorithm, orders[1])
    sent = _sent()
    (bought,), algorithm_order = Session.ocean.assets.pay_for_compute_service(
        datasets=[_input(dataset, COMPUTE, orders[0], userdata)],
        algorithm_data=wanted,
        consume_market_order_fee_address=Session.consumer.address,
        tx_dict={"from": Session.consumer},
        compute_environment=environment,
        valid_until=int(time.time() + 60 * minutes),
        consumer_address=chosen["consumerAddress"],
    )
    orders = [bought.transfer_tx_id, algorithm_order.transfer_tx_id if algorithm_order else None]
    return {"orders": orders, "transactions": _sent() - sent}


# --- using -----------------------------------------------------------------------------------------------------------


@command
def download(did, order, folder, index=None, userdata=None):
    """Answers the content of each file (text) by name."""
    place = Session.ocean.assets.download_asset(
        _asset(did), Session.consumer, folder, order, index=index, userdata=userdata
    )
    contents = {}
    for name in sorted(os.listdir(place)):
        with open(os.path.join(place, name)) as file:
            contents[name] = file.read()
    return contents


@command
def start(dataset, algorithm, environment, orders, userdata=None, custom_data=None):
    """Answers the job id."""
    raw = isinstance(algorithm, dict)
    chosen = _algorithm(algorithm, orders[1], userdata)
    return Session.ocean.compute.start(
        consumer_wallet=Session.consumer,
        dataset=_input(dataset, COMPUTE, orders[0], userdata),
        compute_environment=environment,
        algorithm=None if raw else chosen,
        algorithm_meta=chosen if raw else None,
        algorithm_algocustomdata=custom_data,
    )


@command
def status(dataset, job):
    ddo = _asset(dataset)
    return Session.ocean.compute.status(ddo, _service(ddo, COMPUTE), job, Session.consumer)


@command
def until(dataset, job, reached, seconds=120):
    """Poll until that status is reached."""
    end = time.time() + seconds
    while True:
        seen = status(dataset, job)
        if seen["status"] >= reached:
            return seen
        if time.time() > end:
            raise TimeoutError(f"job {job} has status {seen['status']}")
        time.sleep(0.1)


@command
def wait(dataset, job, seconds=120):
    """Until the status is above 60, as the client's readme does."""
    return until(dataset, job, 61, seconds)


@command
def result(dataset, job, index):
    """Text of one result."""
    ddo = _asset(dataset)
    return Session.ocean.compute.result(ddo, _service(ddo, COMPUTE), job, index, Session.consumer).decode()


@command
def logs(dataset, job, kind):
    """Texts of all results of one type."""
    ddo = _asset(dataset)
    found = Session.ocean.compute.compute_job_result_logs(ddo, _service(ddo, COMPUTE), job, Session.consumer, kind)
    return [content.decode() for content in found]


@command
def stop(dataset, job):
    ddo = _asset(dataset)
    return Session.ocean.compute.stop(ddo, _service(ddo, COMPUTE), job, Session.consumer)


@command
def delete(dataset, job):
    ddo = _asset(dataset)
    return DataServiceProvider.delete_compute_job(ddo.did, job, _service(ddo, COMPUTE), Session.consumer)


@command
def start_without_asset(dataset, environment):
    """A start request whose dataset has no documentId, through the client's own checks of answers."""
    service = _service(_asset(dataset), COMPUTE)
    method, endpoint = DataServiceProvider.build_endpoint("computeStart", service.service_endpoint)
    payload = {"dataset": {}, "environment": environment}
    response = DataServiceProvider._http_method(method, endpoint, json=payload)
    DataServiceProvider.check_response(response, "computeStartEndpoint", endpoint, payload, [200, 201])


# --- helpers ---------------------------------------------------------------------------------------------------------


def _asset(did):
    return Session.ocean.assets.resolve(did)


def _service(ddo, kind):
    return next(service for service in ddo.services if service.type == kind)


def _updated(ddo):
    """The compute section that the metadata store has after the update."""
    return _service(Session.ocean.assets.update(ddo, {"from": Session.publisher}), COMPUTE).compute_values


def _token(address):
    return DatatokenBase.get_typed(Session.ocean.config_dict, address)


def _input(did, service, order=None, userdata=None):
    ddo = _asset(did)
    known = {"transfer_tx_id": order} if order else {}  # its type check takes no None
    return ComputeInput(ddo, _service(ddo, service), userdata=userdata, **known)


def _algorithm(algorithm, order=None, userdata=None):
    if isinstance(algorithm, dict):
        return AlgorithmMetadata(algorithm)
    return _input(algorithm, ACCESS, order, userdata)


def _environment(wanted):
    listed = Session.ocean.compute.get_c2d_environments(Session.provider, 8996)
    return next(environment for environment in listed if environment["id"] == wanted)


def _sent():
    return Session.ocean.config_dict["web3_instance"].eth.get_transaction_count(Session.consumer.address)


for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = {"result": COMMANDS[asked["command"]](**asked["arguments"])}
    except Exception as error:  # noqa: BLE001
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), file=answers, flush=True)
