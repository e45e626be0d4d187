"""`runner schema`: the JSON Schema of the config, for editors and checks."""

import json

import click

from runner.cli.invocation import config_option


@click.command("schema")
@config_option()
def command() -> int:
    """Print the JSON Schema of the config file."""
    from runner.config.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
    return 0
