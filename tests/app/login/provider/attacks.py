"""What attackers change in a request, as data: a line more is a test more."""

import base64
import hashlib

HOST = "portal.example.go.id"
# What stands in place of https://portal.example.go.id/callback.
REDIRECTS = {
    "another host": "https://evil.example/callback",
    "the host as a prefix": f"https://{HOST}.evil.example/callback",
    "the host as a suffix": f"https://evil{HOST}/callback",
    "the host as a user": f"https://{HOST}@evil.example/callback",
    "the host as a user with password": f"https://{HOST}:x@evil.example/callback",
    "a user before the host": f"https://evil@{HOST}/callback",
    "backslash for slash": f"https://evil.example\\@{HOST}/callback",
    "the path as a prefix": f"https://{HOST}/callback.evil",
    "a longer path": f"https://{HOST}/callback/evil",
    "a trailing slash": f"https://{HOST}/callback/",
    "a doubled slash": f"https://{HOST}//callback",
    "dots in the path": f"https://{HOST}/callback/../evil",
    "dots that lead back": f"https://{HOST}/evil/../callback",
    "encoded dots": f"https://{HOST}/callback/%2e%2e/evil",
    "encoded letters": f"https://{HOST}/%63allback",
    "encoded twice": f"https://{HOST}/%2563allback",
    "a query": f"https://{HOST}/callback?next=https://evil.example",
    "an empty query": f"https://{HOST}/callback?",
    "a fragment": f"https://{HOST}/callback#evil",
    "an empty fragment": f"https://{HOST}/callback#",
    "an encoded fragment": f"https://{HOST}/callback%23evil",
    "big letters in the host": "https://PORTAL.example.go.id/callback",
    "big letters in the path": f"https://{HOST}/Callback",
    "big letters in the scheme": f"HTTPS://{HOST}/callback",
    "without TLS": f"http://{HOST}/callback",
    "the default port": f"https://{HOST}:443/callback",
    "another port": f"https://{HOST}:8443/callback",
    "no scheme": f"//{HOST}/callback",
    "no host": "/callback",
    "a script": "javascript:alert(1)//callback",
    "data": "data:text/html,callback",
    "a scheme of an app": "evil:/callback",
    "localhost": "http://localhost/callback",
    "this machine": "http://127.0.0.1/callback",
    "this machine by number": "http://2130706433/callback",
    "this machine in IPv6": "http://[::1]/callback",
    "a letter that looks alike": "https://p\u043ertal.example.go.id/callback",
    "a full stop at the end of the host": "https://portal.example.go.id./callback",
    "a line break": f"https://{HOST}/callback\r\nLocation: https://evil.example",
    "a null": f"https://{HOST}/callback\x00.evil.example",
    "a tab": f"https://{HOST}/call\tback",
    "a space before": f" https://{HOST}/callback",
    "two addresses": f"https://{HOST}/callback https://evil.example",
    "a semicolon": f"https://{HOST}/callback;evil",
    "a star": "https://*.example.go.id/callback",
    "nothing": "",
    "another application's": "https://thief.example.go.id/callback",
}
# What is changed in a right request, and the error that goes back to the registered address.
REQUESTS: dict[str, tuple[dict[str, str | None], str]] = {
    "no PKCE": ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    "PKCE plain": ({"code_challenge_method": "plain"}, "invalid_request"),
    "PKCE of no method, which means plain": ({"code_challenge_method": None}, "invalid_request"),
    "PKCE of another method": ({"code_challenge_method": "S512"}, "invalid_request"),
    "PKCE in small letters": ({"code_challenge_method": "s256"}, "invalid_request"),
    "a method without a challenge": ({"code_challenge": None}, "invalid_request"),
    "a challenge too short": ({"code_challenge": "x" * 42}, "invalid_request"),
    "a challenge that is none": ({"code_challenge": "!" * 43}, "invalid_request"),
    "the implicit flow": ({"response_type": "token"}, "unsupported_response_type"),
    "an id token in the address": ({"response_type": "id_token"}, "unsupported_response_type"),
    "the hybrid flow": ({"response_type": "code id_token"}, "unsupported_response_type"),
    "code and token": ({"response_type": "code token"}, "unsupported_response_type"),
    "no response": ({"response_type": "none"}, "unsupported_response_type"),
    "code in big letters": ({"response_type": "CODE"}, "unsupported_response_type"),
    "no response type": ({"response_type": None}, "invalid_request"),
    "an answer in the fragment": ({"response_mode": "fragment"}, "invalid_request"),
    "an answer by a form": ({"response_mode": "form_post"}, "invalid_request"),
    "an answer to a window": ({"response_mode": "web_message"}, "invalid_request"),
    "a request object": ({"request": "e30.e30."}, "request_not_supported"),
    "a request object to fetch": ({"request_uri": "http://127.0.0.1:1/x"}, "request_uri_not_supported"),
    "a registration": ({"registration": "{}"}, "registration_not_supported"),
    "no openid": ({"scope": "profile"}, "invalid_scope"),
    "no scope": ({"scope": None}, "invalid_scope"),
    "scopes by commas": ({"scope": "openid,nik"}, "invalid_scope"),
    "silence and a login": ({"prompt": "none login"}, "invalid_request"),
    "an unknown prompt": ({"prompt": "create"}, "invalid_request"),
    "an age that is none": ({"max_age": "-1"}, "invalid_request"),
    "an age beyond all": ({"max_age": "9" * 40}, "invalid_request"),
    "a state without end": ({"state": "x" * 2_001}, "invalid_request"),
    "a state that breaks lines": ({"state": "x\r\nSet-Cookie: a=b"}, "invalid_request"),
    "a nonce without end": ({"nonce": "x" * 501}, "invalid_request"),
}
REPEATED = ("client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "prompt")


# In place of the right verifier.
WRONG_VERIFIERS = {
    "another": "y" * 50,
    "the challenge itself": "",
    "with a space": "{verifier} ",
    "cut": "{verifier:.20}",
    "in big letters": "{upper}",
}
OPEN_REDIRECTS = {
    **{name: address for name, address in REDIRECTS.items() if address},
    "the address for codes": f"https://{HOST}/callback",
}
WRONG_PROOFS = {
    "nothing": {},
    "no secret": {"Authorization": "Basic " + base64.b64encode(b"portal:").decode()},
    "another's secret": {"Authorization": "Basic " + base64.b64encode(b"portal:guess").decode()},
    "its hash": {
        "Authorization": "Basic " + base64.b64encode(b"portal:" + hashlib.sha256(b"").hexdigest().encode()).decode()
    },
    "nobody's": {"Authorization": "Basic " + base64.b64encode(b"nobody:").decode()},
    "no base64": {"Authorization": "Basic ???"},
    "another scheme": {"Authorization": "Bearer abc"},
}
