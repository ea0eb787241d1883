"""The hook: an Airflow connection becomes a client."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_processmaker.connection import (
    CONNECTION_TYPE,
    DEFAULT_CONNECTION,
    FIELDS,
    HIDDEN_STANDARD_FIELDS,
    HOOK_NAME,
    field_behaviour,
    parse,
)
from airflow_provider_processmaker.hooks.extras import extra_of

if TYPE_CHECKING:
    from airflow_provider_processmaker.client import ProcessMakerClient, Settings, Token
    from airflow_provider_processmaker.connection import (
        Field,
    )

__all__ = ["ProcessMakerHook"]


class ProcessMakerHook(BaseHook):
    """Gives a :class:`~airflow_provider_processmaker.client.ProcessMakerClient` for an Airflow connection.

    The connection is read when the client is first asked for, not before.

    :param processmaker_conn_id: id of a connection of type ``processmaker``.
    """

    conn_name_attr = "processmaker_conn_id"
    default_conn_name = DEFAULT_CONNECTION
    conn_type = CONNECTION_TYPE
    hook_name = HOOK_NAME

    def __init__(self, processmaker_conn_id: str = DEFAULT_CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.processmaker_conn_id = processmaker_conn_id
        self._client: ProcessMakerClient | None = None
        # Tokens, not texts: what they hold is not in their repr.
        self._unmasked: deque[Token] = deque()
        self._seen: Token | None = None

    @property
    def client(self) -> ProcessMakerClient:
        """The client, made from the connection at the first use.

        :raises InvalidInputError: if the connection lacks something or holds an impossible value.
        """
        if _in_main_thread():
            self._mask_pending()
        if self._client is None:
            from airflow_provider_processmaker.client import ProcessMakerClient, Timing
            from airflow_provider_processmaker.hooks.token_cache import brake_window, configured_store, refresh_margin

            self._client = ProcessMakerClient(
                self.get_settings(),
                token_store=configured_store(),
                timing=Timing(refresh_margin(), brake_window()),
                on_token=self._mask_token,
            )
        return self._client

    def get_conn(self) -> ProcessMakerClient:
        """The client; the name that Airflow knows for it."""
        return self.client

    def get_settings(self) -> Settings:
        """The connection as settings of the client, its secrets masked in the logs of the task.

        :raises InvalidInputError: if the connection lacks something or holds an impossible value.
        """
        connection = self.get_connection(self.processmaker_conn_id)
        settings = parse(
            host=connection.host,
            login=connection.login,
            password=connection.password,
            port=connection.port,
            schema=connection.schema,
            # Not extra_dejson: Airflow would hand every value to its masker, which warns that "3" is too short.
            extra=extra_of(connection.extra),
        )
        self._mask(settings.secrets)
        return settings

    def test_connection(self) -> tuple[bool, str]:
        """Log in and read the caller's own user; tell who that is, or which step failed and what to change.

        ``POST /oauth/token``, then ``GET /users/{id}`` of the token's user, which every user may read.
        """
        from airflow_provider_processmaker.hooks.testing import check

        try:
            return check(self.client)
        except ValueError as error:  # nothing was sent: a field is missing or wrong
            return False, f"Settings: {error}"
        finally:
            self._mask_pending()  # the button runs in a thread of the API server, where there is no task
            if self._client is not None:
                self._client.close()

    def _mask_token(self, token: Token) -> None:
        """Called by the client at each use of a token, in whatever thread makes the call.

        Airflow's masker speaks with the supervisor of the task. From a thread of its own that can spoil the
        channel (Airflow 3.0 and 3.1), so what another thread finds waits until the main one makes a call.
        """
        if token != self._seen:
            self._seen = token
            self._unmasked.append(token)
        if self._unmasked and _in_main_thread():
            self._mask_pending()

    def _mask_pending(self) -> None:
        while self._unmasked:
            self._mask(self._unmasked.popleft().secrets)

    @staticmethod
    def _mask(secrets: Any) -> None:
        if secrets:
            from airflow.providers.common.compat.sdk import mask_secret

            for secret in secrets:
                mask_secret(secret)

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The form's own fields for Airflow before 3.2, which draws them with flask-appbuilder."""
        return {field.name: _widget(field) for field in FIELDS if not field.standard}

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """What Airflow before 3.2 hides and renames in the form."""
        behaviour = field_behaviour()
        return {
            "hidden_fields": list(HIDDEN_STANDARD_FIELDS),
            "relabeling": behaviour["relabeling"],
            "placeholders": behaviour["placeholders"],
        }


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _widget(field: Field) -> Any:
    """One field of the old form. Imported here: plain Airflow 3 has neither of the two libraries."""
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from wtforms import BooleanField, IntegerField, PasswordField, StringField
    from wtforms.validators import NumberRange, Optional

    options: dict[str, Any] = {"default": field.default, "description": field.help}
    if field.kind == "boolean":
        return BooleanField(field.label, **options)
    options["validators"] = [Optional()]
    if field.secret:
        return PasswordField(field.label, widget=BS3PasswordFieldWidget(), **options)
    options["widget"] = BS3TextFieldWidget()
    if field.kind == "integer":
        options["validators"].append(NumberRange(field.lowest, field.highest))
        return IntegerField(field.label, **options)
    # Airflow refuses the whole form for any class but these four, so a number with a fraction is typed as text.
    if field.default is not None:
        options["default"] = str(field.default)
    return StringField(field.label, **options)
