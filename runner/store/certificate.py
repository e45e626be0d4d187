"""Why a TLS handshake fails, asked with Python's own TLS: the CRT's (s2n) keeps an untrusted certificate to itself for
10 to 30 seconds (s2n "blinding"), and a person would read of a server that does not answer."""

from urllib.parse import urlsplit


def certificate_complaint(origin: str, ca_bundle: str | None, timeout_seconds: float = 5.0) -> str:
    """One line of what is wrong with the certificate; "" when nothing is, or when it cannot be told from here."""
    import socket
    import ssl

    parts = urlsplit(origin)
    if parts.scheme != "https" or not parts.hostname:
        return ""
    try:
        context = ssl.create_default_context(cafile=ca_bundle)
        with socket.create_connection((parts.hostname, parts.port or 443), timeout_seconds) as plain:
            plain.settimeout(timeout_seconds)
            with context.wrap_socket(plain, server_hostname=parts.hostname):
                return ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except ssl.SSLError as error:
        return (error.reason or "no TLS there").replace("_", " ").lower()
    except OSError:
        return ""
