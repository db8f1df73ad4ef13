"""`python -m deliberation_ray.deploy`: deploys the application on a running Ray, next to other applications."""

import argparse
import sys

from deliberation_ray import watch
from deliberation_ray.cluster import Cluster, DeployError
from deliberation_ray.settings import Settings, SettingsError

OPEN = "warning: DELIBERATION_RAY_OPEN is set: everybody who reaches {host} may use the application and its models"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deliberation_ray.deploy", description=__doc__)
    parser.add_argument("--address", default="auto", help="Ray's address, host:port (default: the local one)")
    parser.add_argument("--http-host", default="127.0.0.1", help="where Serve listens, when it isn't running yet")
    parser.add_argument("--http-port", type=int, default=8000)
    parser.add_argument("--watch", action="store_true", help="stay, and redeploy the application when it is gone")
    return parser.parse_args()


def main() -> int:
    arguments = _arguments()
    try:
        settings = Settings.from_environment()
    except SettingsError as fault:
        print(fault, file=sys.stderr)
        return 2
    if settings.token_source is None:
        print(OPEN.format(host=arguments.http_host), file=sys.stderr)
    cluster = Cluster(arguments.address, arguments.http_host, arguments.http_port, settings)
    if arguments.watch:
        return watch.run(cluster)
    cluster.connect()
    try:
        cluster.deploy()
    except DeployError as error:
        print(f"the application does not start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
