"""What scripts do. No code is run here: a test says what a script returns, else it returns nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.workflow.tables import Script, Token, Workflow


class ScriptError(Exception):
    """
    A script failed.

    :param text: what it said; the first line is the message, the rest its body.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.message, _, self.body = text.partition("\n")


def call(workflow: Workflow, script: Script, data: Any, config: Any) -> Any:
    """
    The result of a script; raises :class:`ScriptError`.

    :param workflow: knows what scripts do.
    :param script: which.
    :param data: its input.
    :param config: its configuration.
    """
    run = script.run or workflow.script_behaviour.get(str(script.columns["title"]))
    if run is None:
        return {}
    try:
        return run(data, config)
    except ScriptError:
        raise
    except Exception as error:
        raise ScriptError(f"PHP Fatal error:  Uncaught Exception: {error}\nStack trace:\n#0 {{main}}") from error


def run_script(workflow: Workflow, token: Token) -> Any:
    """
    Run the script of a script task.

    :param workflow: has the scripts.
    :param token: at the task.
    """
    reference = token.node.attributes.get("scriptRef", "")
    script = workflow.scripts.get(int(reference)) if reference.isdigit() else None
    if script is None:
        raise ScriptError(f'No code or script assigned to "{token.node.name}"')
    data = {key: value for key, value in token.request.data.items() if not key.startswith("_")}
    return call(workflow, script, data, {})
