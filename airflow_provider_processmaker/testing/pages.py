"""The few HTML pages: errors for callers who did not ask for JSON, the redirect to the login, the login itself."""

from __future__ import annotations

from html import escape


def error_page(status: int, title: str) -> str:
    """
    Laravel's page of an error.

    :param status: shown on the page.
    :param title: shown on the page and in its title.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
    <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">

        <title>{title}</title>

        <style>
            body {{ font-family: sans-serif; margin: 0; min-height: 100vh; }}
        </style>
    </head>
    <body>
        <div>{status}</div>
        <div>{title}</div>
    </body>
</html>
"""


def gateway_page(title: str) -> str:
    """
    An error page of the web server in front of ProcessMaker.

    :param title: status and reason.
    """
    return f"""<html>
<head><title>{title}</title></head>
<body>
<center><h1>{title}</h1></center>
<hr><center>nginx</center>
</body>
</html>
"""


def redirect_page(url: str) -> str:
    """
    The body of a redirect.

    :param url: where it leads.
    """
    url = escape(url)
    return f"""<!DOCTYPE html>
<html>
    <head>
        <meta charset="UTF-8" />
        <meta http-equiv="refresh" content="0;url='{url}'" />

        <title>Redirecting to {url}</title>
    </head>
    <body>
        Redirecting to <a href="{url}">{url}</a>.
    </body>
</html>"""


def login_page() -> str:
    """What a browser sees first; a client that meets it with status 200 asked in the wrong place."""
    return """<!DOCTYPE html>
<html lang="en">
    <head>
        <meta charset="utf-8">
        <title>ProcessMaker Login</title>
    </head>
    <body>
        <form method="POST" action="/login">
            <input name="username"><input name="password" type="password">
        </form>
    </body>
</html>
"""
