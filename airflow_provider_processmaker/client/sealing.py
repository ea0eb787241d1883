"""Encrypts what lies in a file, with a key that only those have who need not read it: they could log in anyway."""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

if TYPE_CHECKING:
    from airflow_provider_processmaker.client.token_store import Login

__all__ = ["seal", "unseal"]

#: Version of the format. A file that begins otherwise is not ours, or is of another release.
_MARK = b"PMT1"
_SALT = 16


def seal(login: Login, content: dict[str, Any]) -> bytes:
    """Encrypt.

    :param login: whose credentials the key is made from.
    :param content: JSON values.
    """
    salt = os.urandom(_SALT)
    return _MARK + salt + _cipher(login, salt).encrypt(json.dumps(content).encode())


def unseal(login: Login, data: bytes) -> dict[str, Any] | None:
    """Decrypt; None for anything that we did not encrypt with these credentials.

    :param login: whose credentials the key is made from.
    :param data: what a file holds.
    """
    head = len(_MARK) + _SALT
    if not data.startswith(_MARK) or len(data) <= head:
        return None
    try:
        content = json.loads(_cipher(login, data[len(_MARK) : head]).decrypt(data[head:]))
    except (InvalidToken, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _cipher(login: Login, salt: bytes) -> Fernet:
    # Fast on purpose: the client secret is 40 random characters, so there is nothing to guess.
    key = HKDF(algorithm=SHA256(), length=32, salt=salt, info=b"airflow-provider-processmaker token").derive(login.key)
    return Fernet(base64.urlsafe_b64encode(key))
